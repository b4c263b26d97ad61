"""Errors as a client is told them: a kind for programs, and sentences for people."""

from __future__ import annotations

import sys
import traceback
from typing import Any

from prostreg.errors import (
    MEMORY_IS_FULL,
    DeviceError,
    InputError,
    ProSTError,
    Stopped,
    WeightsError,
    is_out_of_memory,
    readable,
)
from prostreg.machine import PACKAGES
from prostreg.worker.loaded import NotLoadedError

RAISED_ON_PURPOSE: tuple[tuple[type[ProSTError], str], ...] = (
    (NotLoadedError, "not-loaded"),
    (InputError, "input"),
    (DeviceError, "device"),
    (WeightsError, "weights"),
    (Stopped, "stopped"),
)

MOST_FAULTS = 100
LONGEST_TRACEBACK = 20_000


class BrokenEnvironmentError(Exception):
    """The engine cannot be loaded in this Python; the cause tells why."""


def error_content(error: Exception) -> dict[str, Any]:
    """The content of an error message: ``kind``, ``faults``, ``message`` and, where it is of use, ``traceback``."""
    for error_type, kind in RAISED_ON_PURPOSE:
        if isinstance(error, error_type):
            return content_of(kind, error.faults)
    kind, fault = _kind_and_fault(error)
    return content_of(kind, [fault], "".join(traceback.format_exception(error)))


def content_of(kind: str, faults: list[str], text: str = "") -> dict[str, Any]:
    """The content of an error message of a kind; no longer than a person reads, in letters that can be sent."""
    faults = [readable(fault) for fault in faults[:MOST_FAULTS]]
    return {"kind": kind, "faults": faults, "message": "\n".join(faults), "traceback": text[-LONGEST_TRACEBACK:]}


def _kind_and_fault(error: BaseException) -> tuple[str, str]:
    cause = error.__cause__ if isinstance(error, BrokenEnvironmentError) and error.__cause__ is not None else error
    reason = f"({type(cause).__name__}: {cause})"
    if is_out_of_memory(cause):
        return "memory", f"{MEMORY_IS_FULL} {reason}."
    if isinstance(cause, ImportError) or cause is not error:
        return "environment", f"{_what_is_missing(cause)} {reason}: install it again for {sys.executable}."
    return "defect", f"This is a defect in the worker, please report it with its log {reason}."


def _what_is_missing(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"The Python of the worker lacks the package {error.name.partition('.')[0]}"
    package = _package_at_fault(error)
    if package is None:
        return "The Python of the worker lacks a package, or has one that does not work"
    return f"The Python of the worker lacks the package {package}, or has one that does not work"


def _package_at_fault(error: BaseException) -> str | None:
    """The innermost of the packages that were being imported."""
    modules = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__))
    roots = [str(module).partition(".")[0] for module in modules]
    return next((root for root in reversed(roots) if root in PACKAGES.values()), None)
