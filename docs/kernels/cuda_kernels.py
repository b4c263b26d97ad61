"""The kernels of GPUs: `plane_march.pixel` one thread per pixel. Read by `make_ptx` and by numba-cuda's simulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import cuda

from prostreg.projector.plane_march import pixel, pose_numbers

WIDTH, HEIGHT, COUNT = 9, 10, 11
"""Where ``grid`` tells the size of the images and the number of poses; what `plane_march.pixel` reads comes before."""


def _kernel(derivative: bool | None) -> Callable[..., None]:
    channels = 1 if derivative is None else 7

    def project(values: Any, cells: Any, grid: Any, poses: Any, images: Any) -> None:
        column, row, number = cuda.grid(3)
        width, height = grid[WIDTH], grid[HEIGHT]
        if column < width and row < height and number < grid[COUNT]:
            found = pixel(values, cells, grid, pose_numbers(poses, number), column, row, derivative)
            place = (number * channels * height + row) * width + column
            images[place] = found[0]
            if derivative is not None:
                for channel in range(1, 7):
                    images[place + channel * height * width] = found[channel]

    return project


KERNELS = {"project": _kernel(None), "project_with_derivative": _kernel(True)}
"""Each fills ``images`` (n, 1 or 7, height, width); all of its arguments are flat."""
