"""A limit of memory for this process on Windows, which has job objects in place of resource limits."""

from __future__ import annotations

import ctypes
from typing import Any

_EXTENDED_LIMITS = 9
_PROCESS_MEMORY = 0x100
_THIS_PROCESS = ctypes.c_void_p(-1)


class _BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION of the Windows API."""

    _fields_ = (
        ("process_time", ctypes.c_int64),
        ("job_time", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("least_working_set", ctypes.c_size_t),
        ("most_working_set", ctypes.c_size_t),
        ("processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority", ctypes.c_uint32),
        ("scheduling", ctypes.c_uint32),
    )


class ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION of the Windows API."""

    _fields_ = (
        ("basic", _BasicLimits),
        ("counters", ctypes.c_uint64 * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("most_process_memory", ctypes.c_size_t),
        ("most_job_memory", ctypes.c_size_t),
    )


def limit_committed_memory(limit_bytes: int) -> bool:
    """Puts this process into a job that may commit so much; what it asks for beyond is refused, as by a full memory.

    Returns:
        False where the system does not do it.
    """
    library: Any = getattr(ctypes, "windll", None)
    if library is None:
        return False
    kernel = library.kernel32
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
    limits = ExtendedLimits()
    limits.basic.flags = _PROCESS_MEMORY
    limits.process_memory = limit_bytes
    is_set = kernel.SetInformationJobObject(job, _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits))
    return bool(job and is_set and kernel.AssignProcessToJobObject(job, _THIS_PROCESS))
