"""Every error that prostreg raises on purpose.

ProSTError
├── InputError      the caller gave something that cannot be used; lists every fault
│   └── NotWritten  output that was computed cannot be written where it was asked for
├── DeviceError     the requested device or accelerator is not usable here
├── WeightsError    network weights are missing, damaged or made for something else
└── Stopped         the user or the time limit ended the work

Each message says what is wrong, why, and what to try.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Made = TypeVar("Made")

MOST_NAMED = 5
"""Names that a sentence lists of many."""

LONGEST_SENTENCE = 2000
"""What quotes more than a person reads is cut in its middle: the end tells why, and what to try."""

MEMORY_IS_FULL = "The memory of this computer is full: close other programs, or crop the CT"

_ADVICE = {
    errno.ENOSPC: "make room on the disk and try again",
    errno.EFBIG: "the limit for the size of files is too low here",
    errno.ENAMETOOLONG: "choose shorter names",
    errno.ENOMEM: "close other programs",
    errno.EMFILE: "close other files and programs",
}

_OUT_OF_MEMORY_WORDS = (
    "out of memory", "allocate memory", "not enough memory", "failed to allocate",
    "failed to map segment", "start new thread", "unable to create a thread", "unable to join thread",
)  # fmt: skip
"""torch, SimpleITK, Python's threads and a library that has no room to be loaded, where numpy raises a MemoryError."""


class ProSTError(Exception):
    """Base of all errors that are raised on purpose; their text is written for people.

    Args:
        sentences: of the text, a line each; what they quote of files is made readable.
    """

    def __init__(self, *sentences: object) -> None:
        super().__init__("\n".join(readable(str(sentence)) for sentence in sentences))

    @property
    def faults(self) -> list[str]:
        """All that is wrong, a sentence or more each."""
        return [str(self)]


class InputError(ProSTError):
    """Input that cannot be used.

    Args:
        faults: one sentence or more per fault: what, why, what to try.
    """

    def __init__(self, faults: str | Iterable[str]) -> None:
        self._faults = [readable(fault) for fault in ([faults] if isinstance(faults, str) else faults)]
        super().__init__(*(f"- {fault}" for fault in self._faults))

    @property
    def faults(self) -> list[str]:
        """All that is wrong, a sentence or more each."""
        return self._faults


class NotWritten(InputError):
    """Output that was computed and cannot be written where it was asked for."""


class DeviceError(ProSTError):
    """The requested device or accelerator cannot be used on this machine."""


class WeightsError(ProSTError):
    """Network weights are missing, damaged or belong to something else."""


class Stopped(ProSTError):
    """The work was ended by the user or by its time limit."""


def first_named(names: Sequence[str], between: str = ", ") -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - MOST_NAMED
    return between.join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def readable(sentence: str) -> str:
    """A sentence on one line of letters that can be shown: names in files may break lines, or steer a terminal."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in sentence)
    half = LONGEST_SENTENCE // 2
    return line if len(line) <= LONGEST_SENTENCE else f"{line[:half]} ... {line[-half:]}"


def system_refusal(error: OSError) -> str:
    """Sentence on what the system refused to do with a file, and what to try."""
    name = f" {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes | os.PathLike) else ""
    advice = _ADVICE.get(error.errno or 0, "check the path and its rights")
    return f"The system refused{name} ({error.strerror or error}): {advice}."


def is_out_of_memory(error: BaseException) -> bool:
    """True where an error of any library means that the memory is full."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | ImportError) and any(words in text for words in _OUT_OF_MEMORY_WORDS)
    )


class FaultList:
    """Collects faults so that an input is judged as a whole, and raises them together."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def add(self, fault: str) -> None:
        self.faults.append(fault)

    def extend(self, faults: Iterable[str]) -> None:
        self.faults.extend(faults)

    def collect(self, make: Callable[[], Made], prefix: str = "") -> Made | None:
        """The value of ``make``; None where its input cannot be used, with every reason noted behind ``prefix``."""
        try:
            return make()
        except (InputError, DeviceError, WeightsError) as error:
            self.extend(f"{prefix}{fault}" for fault in error.faults)
        except OSError as error:
            if error.filename is None:
                raise
            fault = f"The file {error.filename} cannot be read ({error.strerror}): check its path and rights."
            self.add(f"{prefix}{fault}")
        return None

    def __bool__(self) -> bool:
        return bool(self.faults)

    def raise_if_any(self) -> None:
        """Raises InputError with every fault collected so far."""
        if self.faults:
            raise InputError(self.faults)
