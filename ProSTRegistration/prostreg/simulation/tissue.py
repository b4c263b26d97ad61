"""From HU to tissue: how much muscle, cortical bone and metal a voxel holds.

A CT's HU are taken at one effective energy. Soft tissue, fat included, counts as muscle of another density; between
soft tissue and cortical bone a voxel holds some of both; denser bone is more of it; beyond METAL_HU is an implant.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from prostreg.simulation.beam import attenuation_at

CT_ENERGY_KEV = 70.0
XRAY_ENERGY_KEV = 50.0
"""Where fat and muscle are made to differ as in the X-ray: its effective energy is below the CT's."""
BONE_FROM_HU = 100.0
METAL_HU = 3000.0
METAL = "titanium"
MATERIALS = ("muscle", "bone", METAL)

_LOWEST_HU, _HIGHEST_HU = -1024, 4095


def hu_of(material: str) -> float:
    """The HU of a material at the CT's effective energy."""
    return 1000.0 * (attenuation_at(material, CT_ENERGY_KEV) / attenuation_at("water", CT_ENERGY_KEV) - 1.0)


def tissue_shares(hu: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Share of each of MATERIALS in each voxel, relative to its usual density, same shape as ``hu``."""
    # Whole numbers of the size that indices have: others would be made so again for each material.
    steps = np.clip(hu, _LOWEST_HU, _HIGHEST_HU).astype(np.intp)
    has_metal = bool((steps >= METAL_HU).any())
    steps -= _LOWEST_HU
    return {
        material: shares.take(steps, mode="clip") if has_metal or material != METAL else np.zeros_like(hu)
        for material, shares in _share_per_hu().items()
    }


@cache
def _share_per_hu() -> dict[str, NDArray[np.float32]]:
    hu = np.arange(_LOWEST_HU, _HIGHEST_HU + 1, dtype=np.float64)
    muscle_hu, cortical_hu = hu_of("muscle"), hu_of("bone")
    fat_share = attenuation_at("adipose", XRAY_ENERGY_KEV) / attenuation_at("muscle", XRAY_ENERGY_KEV)
    dense_muscle = (1000.0 + BONE_FROM_HU) / (1000.0 + muscle_hu)
    nodes = (-1000.0, hu_of("adipose"), muscle_hu, BONE_FROM_HU, cortical_hu)
    muscle = np.interp(hu, nodes, (0.0, fat_share, 1.0, dense_muscle, 0.0))
    bone = np.interp(hu, (BONE_FROM_HU, cortical_hu), (0.0, 1.0))
    bone = np.where(hu > cortical_hu, (hu + 1000.0) / (cortical_hu + 1000.0), bone)
    metal = (hu >= METAL_HU).astype(np.float64)
    shares = {"muscle": muscle, "bone": bone * (1 - metal), METAL: metal}
    return {material: share.astype(np.float32) for material, share in shares.items()}
