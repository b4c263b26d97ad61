"""Kernels compiled by numba, whose machine code is kept on disk from one process to the next.

numba is wanted and not needed: not every numpy that an application ships has one that suits it, and one that does not
suit refuses to be imported. Whoever chooses between kernels and torch asks KERNELS_AVAILABLE.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from prostreg.errors import DeviceError

try:
    import numba
    from numba.core.caching import FunctionCache
except ImportError:
    KERNELS_AVAILABLE = False
else:
    KERNELS_AVAILABLE = True


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as machine code: without the GIL, with fast arithmetic, kept beside its file or in the user's cache.

    Only functions of a module's top level are found again. One that closes over another kernel has a new key in every
    process: make such a choice by an argument that may be None, which numba compiles apart.

    Raises:
        DeviceError: there is no numba.
    """
    kernel = _jit(function)
    # numba raises a RuntimeError where no folder can be written; the machine code then lasts as long as the process.
    with contextlib.suppress(RuntimeError, OSError):
        kernel._cache = _DispensableCache(function)
    return kernel  # type: ignore[no-any-return]


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """A small function that is written into each kernel that calls it, which a compiler does not do by itself for all.

    Raises:
        DeviceError: there is no numba.
    """
    return _jit(function, inline="always")  # type: ignore[no-any-return]


def _jit(function: Callable[..., Any], inline: Literal["never", "always"] = "never") -> Any:
    if not KERNELS_AVAILABLE:
        raise DeviceError(
            "The compiled kernels need the package numba, which is missing: install it, or choose the projector 'auto'."
        )
    return numba.njit(nogil=True, fastmath=True, error_model="numpy", inline=inline)(function)


class _DispensableCache:
    """numba's cache of one kernel, whose damaged files are made anew and whose full disk keeps nothing."""

    _all: ClassVar[list[FunctionCache]] = []

    def __init__(self, function: Callable[..., Any]) -> None:
        self._cache: Any = FunctionCache(function)
        self._all.append(self._cache)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        try:
            return self._cache.load_overload(signature, target_context)
        except OSError:  # A folder that cannot be read says nothing about the files of other kernels.
            return None
        except Exception:  # Reading a damaged file may raise anything.
            # All kernels are made anew, because stored callers name the stored kernels that they call.
            for cache in self._all:
                with contextlib.suppress(OSError):
                    cache.flush()
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        with contextlib.suppress(OSError):
            self._cache.save_overload(signature, result)
