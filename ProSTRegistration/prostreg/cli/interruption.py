"""The answers of a command that is told to stop: by Ctrl-C, by SIGTERM, or by the end of its terminal."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn, TextIO

from prostreg.cli.exit_code import ExitCode
from prostreg.undisturbed import STOPPING

BEST_SO_FAR = "Stopping; the best pose so far will be written. Press Ctrl-C again to leave without it."
STOPPED_EARLY = "Stopped before it was done; each file that is there is complete."

ONE_WISH_S = 0.5
"""A terminal that is closed, and `timeout`, send two signals at once that mean one; a second thought takes longer."""

_RETRY_S = 0.05


class Listener:
    """The answers of a command to whoever stops it, each of which swaps for the next as the command goes on.

    While libraries are loaded, the process is left at once: there is nothing to tidy up, and libraries take an
    exception on their way for a fault of theirs. Then the work is interrupted, so that it tidies up; whoever insists
    leaves at once. After the work, only what is printed can get lost.

    Args:
        as_json: a report is printed in JSON.
    """

    def __init__(self, as_json: bool) -> None:
        self._json_stream = sys.stdout if as_json else None
        self._answer: Callable[[], None] = self.leave
        self._wishes = _Wishes()
        self.has_interrupted = False

    def hear(self) -> None:
        """Takes over the signals of this process, for good."""
        for number in _heard():
            signal.signal(number, self._on_signal)
        sys.unraisablehook = self._on_unraisable

    def begin_work(self) -> None:
        """From here on, the work is interrupted by a KeyboardInterrupt."""
        self._answer = self._interrupt

    def begin_report(self) -> None:
        """From here on, nothing is lost but the report, which then ends where it is."""
        self._json_stream, self._answer = None, self.leave

    def end_with(self, code: int) -> None:
        """From here on, the process ends with its exit code however it is told to."""
        self._answer = lambda: os._exit(code)

    def leave(self) -> NoReturn:
        """Ends the process with the words for a KeyboardInterrupt, in the midst of whatever it does."""
        say_at_once(sys.stderr, f"Stopped:\n- {STOPPED_EARLY}")
        error = f'{{"kind": "stopped", "faults": ["{STOPPED_EARLY}"]}}'
        say_at_once(self._json_stream, f'{{"error": {error}, "exit_code": {int(ExitCode.STOPPED)}}}')
        os._exit(ExitCode.STOPPED)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._wishes.is_another():
            self._answer()

    def _interrupt(self) -> None:
        self.has_interrupted = True
        self._answer = self.leave
        raise KeyboardInterrupt

    def _on_unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Interrupts once more, a moment later, where Python drops exceptions: in destructors, for one."""
        if not (self.has_interrupted and isinstance(unraisable.exc_value, KeyboardInterrupt)):
            sys.__unraisablehook__(unraisable)
            return
        self._wishes, self._answer = _Wishes(), self._interrupt
        threading.Timer(_RETRY_S, _signal_to_main_thread).start()


@contextmanager
def stop_requests(answer: str = BEST_SO_FAR) -> Iterator[Callable[[], bool]]:
    """Gives a function that tells whether the user has asked to stop.

    Inside the block the first Ctrl-C, SIGTERM or end of the terminal only asks; a second one interrupts at once.

    Args:
        answer: said to whoever asks.
    """
    requested = False
    wishes = _Wishes()

    def request(number: int, frame: FrameType | None) -> None:
        nonlocal requested
        if not wishes.is_another():
            return
        if not requested:
            requested = True
            say_at_once(sys.stderr, f"\n{answer}")
            return
        outer = before[number]
        if not callable(outer):
            raise KeyboardInterrupt
        outer(number, frame)

    before = {number: signal.getsignal(number) for number in _heard()}
    for number in before:
        signal.signal(number, request)
    try:
        yield lambda: requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def be_deaf() -> None:
    """Ignores every wish to stop, for good: what is to be done about it, another process decides."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def say_at_once(stream: TextIO | None, line: str) -> None:
    """Writes a line past Python's buffers, which a signal may find in the midst of something."""
    with suppress(OSError, ValueError):
        if stream is not None:
            os.write(stream.fileno(), f"{line}\n".encode())


def _heard() -> list[int]:
    """Signals but for those ignored on purpose, as nohup ignores the end of the terminal."""
    return [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]


def _signal_to_main_thread() -> None:
    """Only a thread that itself gets a signal wakes from waiting; Windows sends none to threads."""
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGINT)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


class _Wishes:
    """Signals, of which those that come together are one wish."""

    def __init__(self) -> None:
        self._last: float | None = None

    def is_another(self) -> bool:
        """True if the signal that has just come is a new wish."""
        now = time.monotonic()
        if self._last is not None and now - self._last < ONE_WISH_S:
            return False
        self._last = now
        return True
