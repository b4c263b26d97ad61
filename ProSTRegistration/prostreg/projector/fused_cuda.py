"""The fused projector on an NVIDIA GPU: the kernels of `plane_march` for many poses and cameras in one launch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume
from prostreg.projector.cuda_driver import kernels_on
from prostreg.projector.kernel_inputs import KernelInputs
from prostreg.projector.selection import Projector

DEVICE = torch.device("cuda", 0)


class FusedCudaProjector(Projector):
    """Renders DRRs on the GPU, where its images stay; see `plane_march` for the method.

    Args:
        volume: attenuation in 1/mm.

    Raises:
        DeviceError: the GPU cannot be used.
    """

    name = "fused-cuda"
    is_on_gpu = True

    def __init__(self, volume: Volume) -> None:
        self.device = DEVICE
        self._inputs = KernelInputs(volume)
        self._values = torch.from_numpy(self._inputs.values).to(self.device)
        self._cells = torch.from_numpy(self._inputs.cells).to(self.device)

    def project(self, camera_from_volume: NDArray[np.float64], *carms: CArm) -> Tensor:
        return self._run("project", camera_from_volume, carms, 1)[:, 0]

    def project_with_derivative(self, camera_from_volume: NDArray[np.float64], *carms: CArm) -> Tensor:
        return self._run("project_with_derivative", camera_from_volume, carms, 7)

    def _run(
        self, kernel: str, camera_from_volume: NDArray[np.float64], carms: tuple[CArm, ...], channels: int
    ) -> Tensor:
        poses, (width, height) = self._inputs.poses(camera_from_volume, carms), carms[0].size
        images = torch.empty((len(poses), channels, height, width), device=self.device)
        grid = np.array([*self._inputs.grid, width, height, len(poses)], dtype=np.int64)
        # One transfer for both: it costs more than its bytes.
        numbers = torch.from_numpy(np.concatenate([grid.view(np.float64), poses.ravel()])).to(self.device)
        arrays = (self._values, self._cells, numbers[: len(grid)].view(torch.int64), numbers[len(grid) :], images)
        kernels_on(self.device.index or 0).launch(kernel, (width, height, len(poses)), arrays)
        return images
