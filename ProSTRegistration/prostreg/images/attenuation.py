"""From HU to linear attenuation, and the part of a CT that is projected and moved."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.anatomy import anatomy_bounds
from prostreg.images.volume import Volume

MU_WATER_PER_MM = 0.02059
"""Water at an effective energy of 60 keV: mass attenuation 0.2059 cm2/g (NIST, X-Ray Mass
Attenuation Coefficients, liquid water), density 1 g/cm3. A fluoroscope at 70-110 kV behind a
patient has about that effective energy; the similarity does not depend on this factor."""

METAL_HU = 3000.0
"""Beyond dense cortical bone and enamel: metal and its streaks, capped here."""


def attenuation_from_hu(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear attenuation in 1/mm: ``mu_water (1 + HU / 1000)``, air and padding 0, metal capped at 3000 HU."""
    attenuation = np.clip(hu, -1000.0, METAL_HU).astype(np.float32)
    attenuation += np.float32(1000.0)
    attenuation *= np.float32(MU_WATER_PER_MM / 1000.0)
    return attenuation


def moving_volume(
    ct: Volume, anatomy: NDArray[np.bool_], margin_mm: float = 5.0, surroundings_hu: float = -1000.0
) -> Volume:
    """The anatomy alone, cropped, as attenuation.

    Args:
        ct: HU.
        anatomy: mask in the CT's grid.
        margin_mm: empty border kept around the mask's index box.
        surroundings_hu: what the anatomy is thought to lie in. -1000 (air) keeps its whole
            attenuation; 50 (muscle) keeps what the bone absorbs beyond the soft tissue that would
            be there without it, and so removes soft tissue inside the mask.

    Returns:
        Attenuation in 1/mm, float32, zero outside the mask.

    Raises:
        InputError: the mask is empty or has another shape than the CT.
    """
    if anatomy.shape != ct.values.shape:
        raise InputError(f"The anatomy mask {anatomy.shape} has another shape than the CT {ct.values.shape}.")
    margin_voxels = math.ceil(margin_mm / float(ct.spacing_mm.min()))
    first, size = anatomy_bounds(anatomy, margin_voxels)
    cropped = ct.cropped(first, size)
    inside = ct.with_values(anatomy.view(np.uint8)).cropped(first, size).values
    surroundings = attenuation_from_hu(np.array([surroundings_hu], dtype=np.float32))
    excess = np.maximum(attenuation_from_hu(cropped.values) - surroundings, np.float32(0.0))
    return cropped.with_values(excess * inside)
