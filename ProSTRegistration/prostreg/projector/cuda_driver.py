"""The launch of the committed kernels, through the NVIDIA driver that is there wherever torch computes on such a GPU.

No compiler and no package is needed: the driver assembles PTX. Its functions are called as they stand in cuda.h.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prostreg.errors import DeviceError

PTX = Path(__file__).with_name("kernels.ptx")
BLOCK = (16, 8, 1)
"""Pixels of one block along width, height and poses: neighbours read neighbouring voxels."""

WORDS_PER_ARRAY = 7


class Kernels:
    """The kernels of PTX on one GPU, in the context that torch has there.

    Args:
        device: number of the GPU.

    Raises:
        DeviceError: there is no driver, or it does not take the kernels.
    """

    def __init__(self, device: int) -> None:
        self._driver, self._device = _driver(), device
        self._functions: dict[str, ctypes.c_void_p] = {}
        handle, self._context, self._module = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuDeviceGet", ctypes.byref(handle), device)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), handle)
        self._call("cuCtxSetCurrent", self._context)
        self._call("cuModuleLoadData", ctypes.byref(self._module), PTX.read_bytes() + b"\0")

    def launch(self, name: str, size: tuple[int, int, int], arrays: Sequence[Tensor]) -> None:
        """Starts a kernel with one thread for each of (width, height, poses), on torch's current stream.

        Args:
            arrays: flat, contiguous and on the GPU; they may be let go as soon as this returns.
        """
        words = [word for array in arrays for word in _as_numba_passes(array)]
        values = (ctypes.c_uint64 * len(words))(*words)
        first, step = ctypes.addressof(values), ctypes.sizeof(ctypes.c_uint64)
        pointers = (ctypes.c_void_p * len(words))(*range(first, first + step * len(words), step))
        blocks = [-(-length // edge) for length, edge in zip(size, BLOCK, strict=True)]
        self._call("cuCtxSetCurrent", self._context)
        self._call("cuLaunchKernel", self._function(name), *blocks, *BLOCK, 0, self._stream(), pointers, None)

    def _function(self, name: str) -> ctypes.c_void_p:
        if name not in self._functions:
            function = ctypes.c_void_p()
            self._call("cuModuleGetFunction", ctypes.byref(function), self._module, name.encode())
            self._functions[name] = function
        return self._functions[name]

    def _stream(self) -> ctypes.c_void_p:
        return ctypes.c_void_p(torch.cuda.current_stream(self._device).cuda_stream)

    def _call(self, name: str, *arguments: Any) -> None:
        _call(self._driver, name, *arguments)


@cache
def kernels_on(device: int) -> Kernels:
    """The kernels on a GPU, loaded once."""
    return Kernels(device)


def driver_version() -> int:
    """The version of CUDA that the driver brings, as the driver tells it.

    Raises:
        DeviceError: there is no driver.
    """
    version = ctypes.c_int()
    _call(_driver(), "cuDriverGetVersion", ctypes.byref(version))
    return version.value


def _as_numba_passes(array: Tensor) -> tuple[int, ...]:
    """An array of one dimension: two pointers that are not used, count, size of an item, data, shape, strides."""
    count, item = array.numel(), array.element_size()
    return 0, 0, count, item, array.data_ptr(), count, item


def _driver() -> Any:
    try:
        driver = _library()
    except OSError as error:
        raise DeviceError("The NVIDIA driver's library was not found: install or update the driver.") from error
    _call(driver, "cuInit", 0)
    return driver


def _library() -> Any:
    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


def _call(driver: Any, name: str, *arguments: Any) -> None:
    status = getattr(driver, name)(*arguments)
    if status:
        text = ctypes.c_char_p()
        driver.cuGetErrorString(status, ctypes.byref(text))
        reason = (text.value or b"unknown error").decode(errors="replace")
        raise DeviceError(f"The GPU cannot be used ({name}: {reason}): update its driver, or restart the computer.")
