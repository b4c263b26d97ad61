"""An NVIDIA GPU that is none: the driver's functions as far as the engine calls them, computing in the CPU's memory.

A launch does what the kernel of that name does, with what it finds behind the words that it was given. So all that the
engine does for a GPU runs here, but for the kernels themselves.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from prostreg.projector import cuda_driver, fused_cuda
from prostreg.projector.plane_march import project_rows

NAME = "Imaginary GPU"
TYPES = {4: np.float32, 8: np.float64, 1: np.uint8}


class FakeDriver:
    """The driver's library.

    Attributes:
        launches: names of the kernels that were started.
        statuses: what functions answer, by their names; 0 where nothing is said.
        change: done to the images of each launch, to be wrong.
    """

    def __init__(self) -> None:
        self.launches: list[str] = []
        self.statuses: dict[str, int] = {}
        self.change: Callable[[np.ndarray], None] = lambda images: None
        self.ptx = b""
        self._names: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., int]:
        return lambda *_: self.statuses.get(name, 0)

    def cuModuleLoadData(self, _: Any, text: bytes) -> int:  # noqa: N802
        self.ptx = text
        return self.statuses.get("cuModuleLoadData", 0)

    def cuModuleGetFunction(self, function: Any, _: Any, name: bytes) -> int:  # noqa: N802
        self._names.append(name.decode())
        function._obj.value = len(self._names)
        return 0

    def cuGetErrorString(self, _: int, text: Any) -> int:  # noqa: N802
        text._obj.value = b"it is imaginary"
        return 0

    def cuLaunchKernel(self, function: Any, *rest: Any) -> int:  # noqa: N802
        blocks, block, (_, _, pointers, _) = rest[:3], rest[3:6], rest[6:]
        words = [ctypes.c_uint64.from_address(pointer).value for pointer in pointers]
        assert len(words) == 35
        values, cells, grid, poses, images = (_array(words[n : n + 7]) for n in range(0, 35, 7))
        whole = grid.view(np.int64)
        width, height, count = whole[9:].tolist()
        assert all(n * edge >= needed for n, edge, needed in zip(blocks, block, (width, height, count), strict=True))
        name = self._names[function.value - 1]
        self.launches.append(name)
        shaped = images.reshape(count, -1, height, width)
        derivative = True if name == "project_with_derivative" else None
        told = tuple(whole[:9].tolist())
        project_rows(values, cells, told, poses, (0, count), (0, height), shaped, derivative)
        self.change(shaped)
        return self.statuses.get("cuLaunchKernel", 0)


def _array(words: list[int]) -> np.ndarray:
    _, _, count, item, data, length, stride = words
    assert (length, stride) == (count, item)
    content = (ctypes.c_char * (count * item)).from_address(data)
    return np.frombuffer(content, dtype=TYPES[item])


def fake_gpu(patch: pytest.MonkeyPatch) -> FakeDriver:
    """A machine on which torch finds the fake GPU, until the test's patches are undone.

    Args:
        patch: the test's own: two would be undone in an order that leaves some of this behind.
    """
    driver = FakeDriver()
    patch.setattr(cuda_driver, "_library", lambda: driver)
    patch.setattr(cuda_driver.Kernels, "_stream", lambda _: ctypes.c_void_p(0))
    patch.setattr(fused_cuda, "kernels_on", cache(cuda_driver.Kernels))
    patch.setattr(fused_cuda, "DEVICE", torch.device("cpu"))
    patch.setattr(torch.version, "cuda", "12.6")
    patch.setattr(torch.cuda, "is_available", lambda: True)
    patch.setattr(torch.cuda, "get_device_name", lambda *_: NAME)
    patch.setattr(torch.cuda, "get_device_capability", lambda *_: (8, 6))
    patch.setattr(torch.cuda, "mem_get_info", lambda *_: (7 << 30, 8 << 30))
    return driver
