"""The fast projector for CPUs: whole rays in one compiled kernel, many poses in one call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume
from prostreg.parallel import cores, run_all
from prostreg.projector.occupancy import occupancy_cells
from prostreg.projector.plane_march import project_rows
from prostreg.projector.rays import index_rays, padded_index_from_volume, padded_values

ROWS_PER_TASK = 16


class FusedCpuProjector:
    """Renders DRRs with compiled ray marching on all cores; see `plane_march` for the method.

    Args:
        volume: attenuation in 1/mm.
    """

    name = "fused-cpu"

    def __init__(self, volume: Volume) -> None:
        padded = padded_values(volume)
        cells = occupancy_cells(padded)
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
