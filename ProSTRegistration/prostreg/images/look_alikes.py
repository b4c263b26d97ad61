"""Places in a CT that look like the anatomy: other vertebrae, ribs, bones of a hand.

The CT is compared with its own part around the anatomy by normalised cross-correlation, for all shifts at once (D.
Padfield, "Masked object registration in the Fourier domain", IEEE Transactions on Image Processing 2012).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.images.anatomy import anatomy_bounds
from prostreg.images.pyramid import reduced_volume
from prostreg.images.volume import Volume

GRID_MM = 6.0
LEAST_SHARE = 0.1
"""Voxels of the grid that are anatomy by this much count as such, and one more all around it: what lies beside a bone
shows its edge."""

SOFT_HU, HARD_HU = 0.0, 500.0
"""Values beyond these count as these."""

LEAST_OVERLAP = 0.6
"""Share of the anatomy that must lie in the CT at a place that is compared."""

LEAST_CONTRAST = 0.05
"""A place whose values vary by less than this share of the CT's variance looks like nothing."""

LEAST_CORRELATION = 0.35
"""Neighbours of vertebrae reached 0.4 to 0.75, anything beside a pelvis at most 0.3."""

APART_MM = 20.0
"""Places that lie nearer to each other, or to the anatomy, are one."""

MOST = 4

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LookAlike:
    """A place that looks like the anatomy.

    Attributes:
        offset_mm: (3,), RAS: from the anatomy to it, to about 15 mm.
        correlation: with the anatomy, at most 1.
    """

    offset_mm: NDArray[np.float64]
    correlation: float


def look_alikes(ct: Volume, anatomy: NDArray[np.bool_]) -> list[LookAlike]:
    """The places of a CT that look most like the anatomy, best first; mostly none.

    Args:
        ct: HU.
        anatomy: not empty, in the CT's grid.
    """
    hu = reduced_volume(ct, GRID_MM)
    share = reduced_volume(ct.with_values(anatomy.view(np.uint8)), GRID_MM).values
    grown = sitk.BinaryDilate(sitk.GetImageFromArray((share > LEAST_SHARE).astype(np.uint8)), (1, 1, 1))
    mask = np.asarray(sitk.GetArrayFromImage(grown), dtype=bool)
    values = np.clip(hu.values, SOFT_HU, HARD_HU)
    correlation, steps = _correlations(values - values.mean(), mask)
    offsets_mm = steps[..., ::-1] @ hu.volume_from_index[:3, :3].T
    correlation[np.linalg.norm(offsets_mm, axis=-1) < APART_MM] = -1.0
    found: list[LookAlike] = []
    while len(found) < MOST and correlation.max() >= LEAST_CORRELATION:
        best = np.unravel_index(correlation.argmax(), correlation.shape)
        found.append(LookAlike(offsets_mm[best], float(correlation[best])))
        correlation[np.linalg.norm(offsets_mm - offsets_mm[best], axis=-1) < APART_MM] = -1.0
    return found


def _correlations(values: Array, mask: NDArray[np.bool_]) -> tuple[Array, NDArray[np.int64]]:
    """Correlations of the part under a mask with the rest, and the steps (..., 3) along (k, j, i) of each."""
    (i, j, k), (columns, rows, slices) = anatomy_bounds(mask)
    box = (slice(k, k + slices), slice(j, j + rows), slice(i, i + columns))
    weights = mask[box].astype(np.float32)
    part = (values[box] - values[mask].mean()) * weights
    shape = [whole + own - 1 for whole, own in zip(values.shape, weights.shape, strict=True)]

    def spectrum(grid: Array) -> NDArray[np.complexfloating]:
        return np.fft.rfftn(grid, shape, axes=(0, 1, 2))

    def sums(of: Array, times: NDArray[np.complexfloating]) -> Array:
        return np.asarray(np.fft.irfftn(np.conj(spectrum(of)) * times, shape, axes=(0, 1, 2)), dtype=np.float32)

    inside, whole, squares = spectrum(np.ones_like(values)), spectrum(values), spectrum(values**2)
    count, least = sums(weights, inside), LEAST_OVERLAP * float(weights.sum())
    seen = np.maximum(count, least)
    total, own_total = sums(weights, whole), sums(part, inside)
    product = sums(part, whole) - own_total * total / seen
    power = np.maximum(sums(weights, squares) - total**2 / seen, LEAST_CONTRAST * float(values.var()) * seen)
    own_power = sums(part**2, inside) - own_total**2 / seen
    scale = np.sqrt(np.maximum(power * own_power, np.finfo(np.float32).tiny))
    steps = [
        np.where(np.arange(size) < own, np.arange(size), np.arange(size) - size) - first
        for size, own, first in zip(shape, values.shape, (k, j, i), strict=True)
    ]
    correlation = np.where(count >= least, product / scale, np.float32(-1.0))
    return correlation, np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1)
