"""The fast projector for CPUs: whole rays in one compiled kernel, many poses in one call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume
from prostreg.parallel import cores, run_all
from prostreg.projector.plane_march import CELL, project_rows
from prostreg.projector.rays import index_rays, padded_index_from_volume, padded_values

ROWS_PER_TASK = 16
REACH = CELL // 2 + 1
"""Voxels that a ray can stray from the middle of CELL planes, its interpolation included."""


class FusedCpuProjector:
    """Renders DRRs with compiled ray marching on all cores; see `plane_march` for the method.

    Args:
        volume: attenuation in 1/mm.
    """

    name = "fused-cpu"

    def __init__(self, volume: Volume) -> None:
        padded = padded_values(volume)
        cells = _occupancy_cells(padded)
        self._index_from_volume = padded_index_from_volume(volume)
        self._size = volume.size
        self._values = padded.ravel()
        self._strides = (1, padded.shape[2], padded.shape[2] * padded.shape[1])
        self._cells = cells.ravel()
        self._cell_strides = (1, cells.shape[2], cells.shape[2] * cells.shape[1])

    def render(self, camera_from_volume: NDArray[np.float64], carm: CArm) -> NDArray[np.float32]:
        """Line integrals (n, height, width) for poses (n, 4, 4)."""
        images = np.empty((len(camera_from_volume), carm.height, carm.width), dtype=np.float32)
        self._run(camera_from_volume, carm, images, None)
        return images

    def render_with_derivative(
        self, camera_from_volume: NDArray[np.float64], carm: CArm
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Line integrals (n, height, width) and their derivative (n, 6, height, width) per twist.

        The twist (rotation in rad about the source, translation in mm) moves the volume in the
        camera frame: ``X -> X + omega x X + v``.
        """
        images = np.empty((len(camera_from_volume), carm.height, carm.width), dtype=np.float32)
        derivative = np.empty((len(camera_from_volume), 6, carm.height, carm.width), dtype=np.float32)
        self._run(camera_from_volume, carm, images, derivative)
        return images, derivative

    def _run(
        self,
        camera_from_volume: NDArray[np.float64],
        carm: CArm,
        images: NDArray[np.float32],
        derivative: NDArray[np.float32] | None,
    ) -> None:
        index_from_camera, source = index_rays(self._index_from_volume, camera_from_volume)
        camera_from_pixel = np.linalg.inv(carm.intrinsics)

        def work(task: tuple[tuple[int, int], tuple[int, int]]) -> None:
            project_rows(
                self._values, self._cells, self._strides, self._cell_strides, self._size, index_from_camera,
                source, camera_from_pixel, *task, images, derivative,
            )  # fmt: skip

        run_all(work, _tasks(len(images), carm.height))


def _tasks(poses: int, rows: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Splits the work into whole poses where there are many, else into bands of rows."""
    if poses >= 4 * cores():
        return [((pose, pose + 1), (0, rows)) for pose in range(poses)]
    bands = [(row, min(row + ROWS_PER_TASK, rows)) for row in range(0, rows, ROWS_PER_TASK)]
    return [((pose, pose + 1), band) for pose in range(poses) for band in bands]


def _occupancy_cells(padded: NDArray[np.float32]) -> NDArray[np.uint8]:
    """1 for each cell of CELL^3 voxels that holds a non-zero voxel within REACH voxels, else 0.

    Args:
        padded: values [k, j, i].

    Returns:
        (cells along k, j, i), one cell more than needed along each axis, so that a ray that has
        just left the volume still finds a cell.
    """
    occupied = padded != 0
    for axis in range(3):
        occupied = _any_within_reach(occupied, axis)
    return np.ascontiguousarray(occupied.astype(np.uint8))


def _any_within_reach(occupied: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    length = occupied.shape[axis]
    cells = -(-length // CELL) + 1
    windows = [range(max(cell * CELL - REACH, 0), min((cell + 1) * CELL + REACH, length)) for cell in range(cells)]
    moved = np.moveaxis(occupied, axis, 0)
    reduced = [moved[window.start : window.stop].any(axis=0) for window in windows]
    return np.moveaxis(np.stack(reduced), 0, axis)
