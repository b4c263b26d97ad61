"""Projectors: their interface, and the one that is used."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prostreg.choices import AUTO, PROJECTORS, loaded
from prostreg.compilation import KERNELS_AVAILABLE
from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume

CPU = torch.device("cpu")


class Projector(ABC):
    """Makes DRRs of one attenuation volume.

    Attributes:
        name: in configurations and results.
        device: where its images are made, and stay until a caller moves them.
        is_on_gpu: True if many images at once are cheaper than few after each other, and numbers dear to fetch.
    """

    name: str
    device: torch.device = CPU
    is_on_gpu: bool = False

    @abstractmethod
    def project(self, camera_from_volume: NDArray[np.float64], *carms: CArm) -> Tensor:
        """Line integrals (n, height, width) for poses (n, 4, 4), seen by one C-arm or each by its own of the same size.

        Float32, on `device`.
        """

    @abstractmethod
    def project_with_derivative(self, camera_from_volume: NDArray[np.float64], *carms: CArm) -> Tensor:
        """Line integrals and their six derivatives per twist (n, 7, height, width), likewise.

        The twist (rotation in rad about the source, translation in mm) moves the volume in the
        camera frame: ``X -> X + omega x X + v``.
        """

    def render(self, camera_from_volume: NDArray[np.float64], *carms: CArm) -> NDArray[np.float32]:
        """The images of `project`, in the CPU's memory."""
        images: NDArray[np.float32] = self.project(camera_from_volume, *carms).cpu().numpy()
        return images

    def render_with_derivative(
        self, camera_from_volume: NDArray[np.float64], *carms: CArm
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Line integrals (n, height, width) and derivatives (n, 6, height, width), in the CPU's memory."""
        images = self.project_with_derivative(camera_from_volume, *carms).cpu().numpy()
        return images[:, 0], images[:, 1:]


def make_projector(volume: Volume, name: str = AUTO, device: str = "cpu") -> Projector:
    """The projector called ``name`` for a volume of attenuation in 1/mm.

    Args:
        name: ``auto`` is the first of PROJECTORS; the reference where kernels cannot be compiled.
        device: ``cuda`` makes ``auto`` the fused projector of GPUs; one that has a name computes where it does.

    Raises:
        InputError: for an unknown name.
        DeviceError: it needs a package or a GPU that is missing.
    """
    if device == "cuda" and name == AUTO:
        from prostreg.projector.fused_cuda import FusedCudaProjector

        return FusedCudaProjector(volume)
    if name not in (AUTO, *PROJECTORS):
        raise InputError(f"There is no projector '{name}': choose one of {', '.join([AUTO, *PROJECTORS])}.")
    if name == AUTO:
        name = next(iter(PROJECTORS)) if KERNELS_AVAILABLE else "reference"
    made: Projector = loaded(PROJECTORS[name])(volume)
    return made
