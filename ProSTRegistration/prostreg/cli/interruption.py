"""Ctrl-C during a registration: ends it with the best pose so far instead of losing it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from prostreg.cli.console import say

BEST_SO_FAR = "Stopping; the best pose so far will be written. Press Ctrl-C again to leave without it."


@contextmanager
def stop_requests(answer: str = BEST_SO_FAR) -> Iterator[Callable[[], bool]]:
    """Gives a function that tells whether the user has asked to stop.

    Inside the block the first Ctrl-C (or SIGTERM) only asks; a second one interrupts at once.

    Args:
        answer: said to whoever asks.
    """
    requested = False

    def request(number: int, frame: FrameType | None) -> None:
        nonlocal requested
        if requested:
            raise KeyboardInterrupt
        requested = True
        say(f"\n{answer}")

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
