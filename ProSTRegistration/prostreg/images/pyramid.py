"""Coarser volumes and images by block averaging, with exact geometry at every level.

A block of f voxels has its centre at ``i = f i' + (f - 1) / 2``, so that ``i' = (i + 0.5) / f - 0.5``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay


def reduction_factors(volume: Volume, target_spacing_mm: float) -> tuple[int, ...]:
    """Voxels that `reduced_volume` averages along i, j and k."""
    return tuple(max(1, round(target_spacing_mm / float(s))) for s in volume.spacing_mm)


def reduced_volume(volume: Volume, target_spacing_mm: float) -> Volume:
    """Averages blocks of voxels so that the spacing comes as near to the target as whole factors allow.

    The last block of an axis is filled up with zeros: give attenuation, not HU. So no
    attenuation is lost, and the sum of values times voxel volume stays as it was.
    """
    factors = reduction_factors(volume, target_spacing_mm)
    if factors == (1, 1, 1):
        return volume
    volume_from_index = volume.volume_from_index.copy()
    volume_from_index[:3, :3] *= factors
    volume_from_index[:3, 3] += volume.volume_from_index[:3, :3] @ ((np.array(factors) - 1) / 2)
    return Volume(_zero_filled_means(volume.values, factors[::-1]), volume_from_index)


def reduced_xray(xray: XRay, carm: CArm, factor: int) -> tuple[XRay, CArm]:
    """Averages blocks of factor x factor pixels; rows and columns that fill no block are cut off.

    Only valid pixels enter the average; a reduced pixel is valid where at least half of its
    block is.
    """
    if factor == 1:
        return xray, carm
    other = None if xray.other is None else reduced_xray(xray.other, carm, factor)[0]
    reduced_carm = carm.downsampled(factor)
    rows, columns = reduced_carm.height * factor, reduced_carm.width * factor
    values = xray.line_integrals[:rows, :columns]
    weights = xray.mask[:rows, :columns].astype(np.float32)
    share = _zero_filled_means(weights, (factor, factor))
    weighted = _zero_filled_means(values * weights, (factor, factor))
    plain = _zero_filled_means(values, (factor, factor))
    means = np.divide(weighted, share, out=plain, where=share > 0)
    return XRay(means, share >= 0.5, xray.polarity, other), reduced_carm


def block_means(image: NDArray[np.floating[Any]], factor: int) -> NDArray[np.float64]:
    """Means (rows, columns) over blocks of factor x factor pixels; the last ones repeat the image's border."""
    padded = np.pad(image, [(0, -n % factor) for n in image.shape], mode="edge")
    rows, columns = padded.shape[0] // factor, padded.shape[1] // factor
    return np.asarray(padded.reshape(rows, factor, columns, factor).mean(axis=(1, 3)))


def _zero_filled_means(values: NDArray[Any], factors: Sequence[int]) -> NDArray[np.float32]:
    """Means over blocks, ``factors`` along each axis; the remainder is filled up with zeros."""
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        lines = np.moveaxis(values, axis, 0)
        sums = lines[::factor].astype(np.float32)
        for place in range(1, factor):
            more = lines[place::factor]
            sums[: len(more)] += more
        values = np.moveaxis(sums / np.float32(factor), 0, axis)
    return np.ascontiguousarray(values, dtype=np.float32)
