"""The end of a registration by Ctrl-C, or with its terminal: the best pose so far is kept, not lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from prostreg.cli.console import say

BEST_SO_FAR = "Stopping; the best pose so far will be written. Press Ctrl-C again to leave without it."

STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def stop_requests(answer: str = BEST_SO_FAR) -> Iterator[Callable[[], bool]]:
    """Gives a function that tells whether the user has asked to stop.

    Inside the block the first Ctrl-C, SIGTERM or end of the terminal only asks; a second one interrupts at once.

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

    # What is ignored on purpose, as nohup does with the end of the terminal, stays ignored.
    wanted = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, request) for number in wanted}
    try:
        yield lambda: requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
