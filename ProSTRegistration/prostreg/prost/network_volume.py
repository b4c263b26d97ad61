"""The volume that a network projects: the anatomy, and where the network asks for it all bone around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.images.attenuation import attenuation_from_hu, moving_volume
from prostreg.images.pyramid import reduced_volume
from prostreg.images.volume import Volume

SPACING_MM = 4.0
"""About the size that a pixel of the networks' images has at the anatomy."""

SURROUNDINGS_HU = 50.0
BONE_HU = 150.0


def network_volume(ct: Volume, anatomy: NDArray[np.bool_], channels: int) -> list[Volume]:
    """Attenuation in 1/mm beyond that of muscle, one volume per channel, of about 4 mm spacing.

    Args:
        ct: HU.
        anatomy: mask in the CT's grid.
        channels: 1, the anatomy alone; or 2, also all bone of the CT, in the same grid.
    """
    if channels == 1:
        return [reduced_volume(moving_volume(ct, anatomy, surroundings_hu=SURROUNDINGS_HU), SPACING_MM)]
    muscle = attenuation_from_hu(np.array([SURROUNDINGS_HU], dtype=np.float32))
    excess = np.maximum(attenuation_from_hu(ct.values) - muscle, np.float32(0.0))
    masks = (anatomy, ct.values > BONE_HU)
    return [reduced_volume(ct.with_values(excess * mask), SPACING_MM) for mask in masks]
