"""Checks that a CT is in HU, by the air around the patient and the tissue inside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_GREY = 255.0
"""A scan whose values all lie from 0 to here, or so close together, has been turned into a picture or shows no bone."""

LARGEST_HU = 1e5
"""Three times what extended scales reach in metal."""

NO_AIR_FROM = -200.0
SHIFTED_TISSUE = (900.0, 1200.0)
SHIFTED_SHARE = 0.2
"""Nothing lies below NO_AIR_FROM, and this share is as dense as bone's cortex: soft tissue with 1024 added."""

LEAST_AIR_SHARE = 0.05
TENFOLD_AIR = (-10_500.0, -5_000.0)
"""Ten times the HU of air and lung: nothing else in a CT is there, what was not scanned included."""

TENTH_OF_HU = (-205.0, 320.0)
"""A tenth of what CTs of 12 bits hold, -2048 for what was not scanned included: no air, and no bone's cortex."""

DENSEST_SURROUND = 400.0
_LEAST_STEP = 300.0
_SAMPLES_PER_AXIS = 96


def unit_faults(values: NDArray[np.float32], name: str) -> list[str]:
    """Says what keeps values (slices, rows, columns) from being HU."""
    finite = np.isfinite(values)
    if not finite.all():
        count = int(finite.size - np.count_nonzero(finite))
        return [f"{name} has {count} values that are NaN or infinite: fill them (air in a CT is -1000 HU)."]
    low, high = float(values.min()), float(values.max())
    if low == high:
        return [f"{name} is constant, all voxels are {low:g}: it shows nothing."]
    if low >= 0 and high <= MOST_GREY:
        return [
            f"{name} has values from {low:g} to {high:g} only: these are grey values, not HU (air -1000, water 0, "
            "bone from 200). Export the CT with its original values."
        ]
    if high - low <= MOST_GREY or (low >= TENTH_OF_HU[0] and high <= TENTH_OF_HU[1]):
        return [
            f"{name} has values from {low:g} to {high:g} only: these are no HU (air -1000, water 0, bone from 200),"
            " perhaps a tenth of them. Export the CT with its original values."
        ]
    if max(abs(low), abs(high)) > LARGEST_HU:
        return [
            f"{name} has values from {low:g} to {high:g}: HU lie from -1024 to some thousand (air -1000, water 0, metal"
            " to 30,000). Export the CT with its original values, or fill what is no measurement with -1000."
        ]
    sample = _sample(values)
    tissue = sample[(sample > SHIFTED_TISSUE[0]) & (sample < SHIFTED_TISSUE[1])]
    if np.percentile(sample, 0.1) >= NO_AIR_FROM and tissue.size >= SHIFTED_SHARE * sample.size:
        return [
            f"{name} has nothing like air (-1000), and {tissue.size / sample.size:.0%} of it around"
            f" {float(np.median(tissue)):.0f}: 1000 or 1024 was added to its HU. Subtract it, or export the CT in HU."
        ]
    tenfold_air = np.count_nonzero((sample >= TENFOLD_AIR[0]) & (sample <= TENFOLD_AIR[1]))
    if tenfold_air >= LEAST_AIR_SHARE * sample.size:
        return [
            f"{name} has values from {low:g} to {high:g}, and air where ten times HU have it. Divide it by 10, or"
            " export the CT in HU (air -1000, water 0, bone from 200)."
        ]
    if is_turned_over(values):
        return [
            f"{name} is denser around the patient ({float(np.median(_rim(sample))):.0f}) than inside: its values are"
            " turned over, or air has become a large number. Export the CT in HU (air -1000, water 0, bone from 200)."
        ]
    return []


def is_turned_over(values: NDArray[np.float32]) -> bool:
    """True where a CT (slices, rows, columns) is as dense as bone around the patient and less dense inside."""
    sample = _sample(values)
    around = float(np.median(_rim(sample)))
    inner = sample[tuple(slice(n // 4, n - n // 4) for n in sample.shape)]
    return around >= DENSEST_SURROUND and float(np.median(inner)) <= around - _LEAST_STEP


def _sample(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values[tuple(slice(None, None, max(1, n // _SAMPLES_PER_AXIS)) for n in values.shape)]


def _rim(sample: NDArray[np.float32]) -> NDArray[np.float32]:
    """The outermost voxels of every slice."""
    sides = (sample[:, 0], sample[:, -1], sample[:, :, 0], sample[:, :, -1])
    return np.concatenate([side.ravel() for side in sides])
