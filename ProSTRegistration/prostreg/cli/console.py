"""The console of a running command: lines and a progress bar, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

SECONDS_BETWEEN_LINES = 2.0


class Progress(Protocol):
    """Progress of a long job: of a registration or an adaptation."""

    @property
    def stage(self) -> str: ...
    @property
    def fraction(self) -> float: ...
    @property
    def message(self) -> str: ...
    @property
    def seconds_left(self) -> float | None: ...


class ProgressLines:
    """Shows progress as one plain line every other second, for logs and pipes."""

    def __init__(self) -> None:
        self._last_stage = ""
        self._last_time = 0.0

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.stage == self._last_stage and now - self._last_time < SECONDS_BETWEEN_LINES:
            return
        self._last_stage, self._last_time = progress.stage, now
        say(f"  {100 * progress.fraction:3.0f} %  {progress.message}{_time_left(progress)}")

    def close(self) -> None:
        """Nothing to tidy up."""


class ProgressBar:
    """Shows progress as a bar in a terminal."""

    def __init__(self) -> None:
        from tqdm import tqdm

        layout = "  {percentage:3.0f}%|{bar:30}| {desc}"
        self._bar: Any = tqdm(total=1.0, file=sys.stderr, bar_format=layout, leave=True)

    def show(self, progress: Progress) -> None:
        self._bar.n = min(max(progress.fraction, self._bar.n), 1.0)
        with suppress(OSError):
            self._bar.set_description_str(progress.message + _time_left(progress), refresh=True)

    def close(self) -> None:
        with suppress(OSError):
            self._bar.close()


def say(line: str) -> None:
    """Prints a line for people, on stderr; where their terminal is gone, nobody reads it."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def say_notes(notes: Iterable[str], indent: str = "") -> None:
    """Prints what is odd about the files that were read, a line each."""
    for note in notes:
        say(f"{indent}Note: {note}")


def duration(seconds: float) -> str:
    """A time for people, such as ``12 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


@contextmanager
def progress_display() -> Iterator[ProgressBar | ProgressLines]:
    """A progress bar where stderr is a terminal, plain lines elsewhere."""
    display = ProgressBar() if sys.stderr.isatty() else ProgressLines()
    try:
        yield display
    finally:
        display.close()


def _time_left(progress: Progress) -> str:
    return "" if progress.seconds_left is None else f", about {progress.seconds_left:.0f} s left"
