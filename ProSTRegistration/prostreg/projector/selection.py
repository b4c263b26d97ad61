"""Projectors: their interface, and the one that is used."""

from __future__ import annotations

import importlib.util
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import DeviceError, InputError
from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume

PROJECTORS = ("auto", "fused-cpu", "reference")


class Projector(Protocol):
    """Makes DRRs of one attenuation volume."""

    name: str

    def render(self, camera_from_volume: NDArray[np.float64], carm: CArm) -> NDArray[np.float32]:
        """Line integrals (n, height, width) for poses (n, 4, 4)."""

    def render_with_derivative(
        self, camera_from_volume: NDArray[np.float64], carm: CArm
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Line integrals (n, height, width) and their derivative (n, 6, height, width) per twist.

        The twist (rotation in rad about the source, translation in mm) moves the volume in the
        camera frame: ``X -> X + omega x X + v``.
        """


def make_projector(volume: Volume, name: str = "auto") -> Projector:
    """The projector called ``name`` for a volume of attenuation in 1/mm.

    ``auto`` takes the fused one where numba is installed, else the reference.

    Raises:
        InputError: for an unknown name.
        DeviceError: if the projector cannot run here.
    """
    if name not in PROJECTORS:
        raise InputError(f"There is no projector '{name}': choose one of {', '.join(PROJECTORS)}.")
    has_numba = importlib.util.find_spec("numba") is not None
    if name == "fused-cpu" and not has_numba:
        raise DeviceError("The projector 'fused-cpu' needs the package numba: install it, or choose 'reference'.")
    if name == "reference" or not has_numba:
        from prostreg.projector.reference import ReferenceProjector

        return ReferenceProjector(volume)
    from prostreg.projector.fused_cpu import FusedCpuProjector

    return FusedCpuProjector(volume)
