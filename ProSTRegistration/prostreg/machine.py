"""Facts about this machine in words: its processor, its memory and cores, and the versions of what is installed."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import prostreg
from prostreg import control_groups
from prostreg.errors import InputError

GIB = 2**30

PACKAGES = {
    "numpy": "numpy",
    "torch": "torch",
    "numba": "numba",
    "cma": "cma",
    "SimpleITK": "SimpleITK",
    "pydicom": "pydicom",
    "safetensors": "safetensors",
    "pillow": "PIL",
    "tqdm": "tqdm",
}
"""What the engine computes with: names of installation, and the names by which they are imported."""

_BYTES_PER_THREAD = 72 << 20
"""Of addresses: a stack, and a heap of its own, which Linux sets aside in whole."""

_THREADS_PER_CORE = 2
"""The engine's own, and OpenMP's."""

_BYTES_TO_COME = 300 << 20
"""Of addresses: libraries that are loaded, and kernels that are compiled, when they are needed."""

BYTES_OF_LIBRARIES = 5 << 28
"""Of addresses: Python with torch, SimpleITK and the like, before they do anything."""

SLOWER = "no numba: DRRs take 100 times as long"
"""Measured: see docs/measurements.md."""


@cache
def processor_name() -> str:
    """The processor's model, as far as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@cache
def versions(names: tuple[str, ...] = tuple(PACKAGES)) -> dict[str, str]:
    """Versions of prostreg, of Python and of those packages that are installed; to be read, not changed."""
    found = {"prostreg": prostreg.__version__, "python": platform.python_version()}
    for name in names:
        installed = next(iter(distributions(name=name)), None)
        if installed is not None:
            found[name] = installed.version
    return found


def usable_cores() -> int:
    """Cores that the system lets this process use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_bytes() -> int | None:
    """Free memory in bytes, within a container's limit; total memory if only that is known; None otherwise."""
    known = [count for count in (_system_bytes(), control_groups.bytes_left()) if count is not None]
    return min(known, default=None)


def _system_bytes() -> int | None:
    if sys.platform == "win32":
        return _windows_bytes()
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return _built_in_bytes()


def refuse_too_large(needed_bytes: int, what: str) -> None:
    """Refuses ``what`` with an InputError if it needs more memory than there is."""
    available = available_bytes()
    if available is not None and needed_bytes > available:
        raise InputError(
            f"{what} needs about {needed_bytes / GIB:.1f} GiB of memory, and {available / GIB:.1f} GiB are free: crop"
            " the CT to the anatomy and some centimetres around it, or close other programs."
        )


def refuse_tight_limit(needed_bytes: int, what: str) -> None:
    """Refuses ``what`` with an InputError if it needs more addresses than a limit of this process leaves.

    A limit is looked at before the work: Python itself may run in circles once not even an integer has room, and then
    hears no signal either.

    Args:
        needed_bytes: beyond what threads and libraries need, which are counted here.
    """
    limit = _address_limit()
    if limit is None:
        return
    needed = needed_bytes + _BYTES_TO_COME + usable_cores() * _THREADS_PER_CORE * _BYTES_PER_THREAD
    left = max(limit - _addresses_taken(), 0)
    if needed > left:
        raise InputError(
            f"{what} needs about {needed / GIB:.2f} GiB of address space, and the limit of this process leaves"
            f" {left / GIB:.2f} GiB: raise it (ulimit -v is {limit >> 10} here)."
        )


def _address_limit() -> int | None:
    """The most bytes of addresses that this process may have; None without a limit, and where nobody keeps one."""
    if sys.platform != "linux":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _addresses_taken() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")


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
    """The memory that may still be committed: physical memory and page file."""
    status = _MemoryStatus()
    status.length = ctypes.sizeof(status)
    library = getattr(ctypes, "windll", None)
    if library is None or not library.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.free_with_page_file)
