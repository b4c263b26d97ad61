"""Projectors: their interface, and the one that is used."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from prostreg.choices import AUTO, PROJECTORS, loaded
from prostreg.compilation import KERNELS_AVAILABLE
from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume


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


def make_projector(volume: Volume, name: str = AUTO) -> Projector:
    """The projector called ``name`` for a volume of attenuation in 1/mm.

    ``auto`` is the first of PROJECTORS; the reference where kernels cannot be compiled.

    Raises:
        InputError: for an unknown name.
        DeviceError: it needs a package that is missing.
    """
    if name not in (AUTO, *PROJECTORS):
        raise InputError(f"There is no projector '{name}': choose one of {', '.join([AUTO, *PROJECTORS])}.")
    if name == AUTO:
        name = next(iter(PROJECTORS)) if KERNELS_AVAILABLE else "reference"
    made: Projector = loaded(PROJECTORS[name])(volume)
    return made
