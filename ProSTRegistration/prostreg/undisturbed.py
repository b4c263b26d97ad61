"""Steps that belong together, which no signal tears apart."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# SIGBREAK is how Windows tells of Ctrl-Break, of a console that is closed and of a session that ends.
STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Puts off signals that would interrupt the block, or end the process in it, until its end; for short blocks.

    Python interrupts only the main thread: on others this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    put_off: list[int] = []

    def put_it_off(number: int, frame: FrameType | None) -> None:
        put_off.append(number)

    # None stands for a handler of the application around this Python, which is none of our business.
    before = {number: signal.getsignal(number) for number in STOPPING}
    before = {number: handler for number, handler in before.items() if handler not in (None, signal.SIG_IGN)}
    try:
        for number in before:
            signal.signal(number, put_it_off)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in put_off:
            signal.raise_signal(number)
