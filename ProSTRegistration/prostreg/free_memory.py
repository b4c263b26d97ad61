"""How much memory there is, and a refusal in words of what certainly needs more."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from prostreg.errors import InputError

GIB = 2**30


def available_bytes() -> int | None:
    """Memory that a program can still get; where only that is known, all that is built in; None where nothing is."""
    if sys.platform == "win32":
        return _windows_bytes()
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return _built_in_bytes()


def refuse_too_large(needed_bytes: int, what: str) -> None:
    """Raises InputError where ``what`` needs more memory than there is."""
    available = available_bytes()
    if available is not None and needed_bytes > available:
        raise InputError(
            f"{what} needs about {needed_bytes / GIB:.1f} GiB of memory, and {available / GIB:.1f} GiB are free: crop"
            " the CT to the anatomy and some centimetres around it, or close other programs."
        )


def _built_in_bytes() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        *(
            (name, ctypes.c_uint64)
            for name in (
                "total_physical",
                "free_physical",
                "total_with_page_file",
                "free_with_page_file",
                "total_addresses",
                "free_addresses",
                "free_extended",
            )
        ),
    )


def _windows_bytes() -> int | None:
    """What may still be committed: physical memory and page file."""
    status = _MemoryStatus()
    status.length = ctypes.sizeof(status)
    library = getattr(ctypes, "windll", None)
    if library is None or not library.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.free_with_page_file)
