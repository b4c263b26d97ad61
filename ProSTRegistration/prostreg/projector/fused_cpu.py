"""The fast projector for CPUs: whole rays in one compiled kernel, many poses in one call."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume
from prostreg.parallel import cores, run_all
from prostreg.projector.kernel_inputs import KernelInputs
from prostreg.projector.plane_march import project_rows
from prostreg.projector.selection import Projector

ROWS_PER_TASK = 16


class FusedCpuProjector(Projector):
    """Renders DRRs with compiled ray marching on all cores; see `plane_march` for the method.

    Args:
        volume: attenuation in 1/mm.
    """

    name = "fused-cpu"

    def __init__(self, volume: Volume) -> None:
        self._inputs = KernelInputs(volume)

    def project(self, camera_from_volume: NDArray[np.float64], *carms: CArm) -> Tensor:
        return self._run(camera_from_volume, carms, 1, None)[:, 0]

    def project_with_derivative(self, camera_from_volume: NDArray[np.float64], *carms: CArm) -> Tensor:
        return self._run(camera_from_volume, carms, 7, True)

    def _run(
        self,
        camera_from_volume: NDArray[np.float64],
        carms: tuple[CArm, ...],
        channels: int,
        derivative: bool | None,
    ) -> Tensor:
        inputs = self._inputs
        poses = inputs.poses(camera_from_volume, carms).ravel()
        images = np.empty((len(camera_from_volume), channels, carms[0].height, carms[0].width), dtype=np.float32)

        def work(task: tuple[tuple[int, int], tuple[int, int]]) -> None:
            project_rows(inputs.values, inputs.cells, inputs.grid, poses, *task, images, derivative)

        run_all(work, _tasks(len(images), carms[0].height))
        return torch.from_numpy(images)


def _tasks(poses: int, rows: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Splits the work into whole poses where there are many, else into bands of rows."""
    if poses >= 4 * cores():
        return [((pose, pose + 1), (0, rows)) for pose in range(poses)]
    bands = [(row, min(row + ROWS_PER_TASK, rows)) for row in range(0, rows, ROWS_PER_TASK)]
    return [((pose, pose + 1), band) for pose in range(poses) for band in bands]
