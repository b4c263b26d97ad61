"""Every error that prostreg raises on purpose.

ProSTError
├── InputError      the caller gave something that cannot be used; lists every fault
├── DeviceError     the requested device or accelerator is not usable here
├── WeightsError    network weights are missing, damaged or made for something else
└── Stopped         the user or the time limit ended the work

Each message says what is wrong, why, and what to try.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

Made = TypeVar("Made")


class ProSTError(Exception):
    """Base of all errors that are raised on purpose; their text is written for people."""

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
        self._faults = [faults] if isinstance(faults, str) else list(faults)
        super().__init__("\n".join(f"- {fault}" for fault in self._faults))

    @property
    def faults(self) -> list[str]:
        """All that is wrong, a sentence or more each."""
        return self._faults


class DeviceError(ProSTError):
    """The requested device or accelerator cannot be used on this machine."""


class WeightsError(ProSTError):
    """Network weights are missing, damaged or belong to something else."""


class Stopped(ProSTError):
    """The work was ended by the user or by its time limit."""


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
