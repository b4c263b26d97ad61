"""The grid that is rendered: another one than the CT's, and finer, by cubic B-splines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk  # noqa: N813
import torch
from numpy.typing import NDArray

from prostreg.images.pyramid import reduced_volume
from prostreg.images.volume import Volume
from prostreg.simulation.tissue import METAL_HU

MOST_VOXELS = 14_000_000
FINEST_SPACING_MM = 1.0
REFINEMENT = 2.0

Mask = NDArray[np.bool_]


def affordable(ct: Volume, masks: Sequence[Mask]) -> tuple[Volume, list[Mask]]:
    """The CT (HU) and its masks, averaged over blocks where it has more voxels than can be rendered finer."""
    target = float(ct.spacing_mm.min())
    reduced = ct
    while reduced.values.size > MOST_VOXELS / 2:
        target *= 1.1
        positive = reduced_volume(ct.with_values(ct.values + np.float32(1000.0)), target)
        reduced = positive.with_values(positive.values - np.float32(1000.0))
    if reduced is ct:
        return ct, [np.asarray(mask, dtype=bool) for mask in masks]
    shares = (reduced_volume(ct.with_values(np.asarray(mask, dtype=np.float32)), target).values for mask in masks)
    return reduced, [share >= 0.5 for share in shares]


def refined(ct: Volume, finest_mm: float = FINEST_SPACING_MM) -> Volume:
    """The CT on a grid of up to half the spacing, as MOST_VOXELS and ``finest_mm`` allow, by cubic B-splines."""
    affordable_factor = (MOST_VOXELS / ct.values.size) ** (1 / 3)
    factors = np.clip(ct.spacing_mm / finest_mm, 1.0, max(1.0, min(REFINEMENT, affordable_factor)))
    size = np.ceil(np.array(ct.size) * factors).astype(int)
    # Both grids are aligned, so that one matrix per axis does it; each product leaves the voxels in their order.
    i, j, k = (
        torch.from_numpy(_spline_matrix(n, int(fine_n), float(factor)).astype(np.float32))
        for n, fine_n, factor in zip(ct.size, size, factors, strict=True)
    )
    values = torch.from_numpy(np.ascontiguousarray(ct.values))
    values = torch.matmul(j, values @ i.T)
    values = (k @ values.flatten(1)).view(len(k), *values.shape[1:])
    # The spline overshoots at steps; dense bone must not become metal by that.
    values.clamp_(max=max(float(ct.values.max()), METAL_HU - 1.0))
    return Volume(values.numpy(), ct.volume_from_index @ _index_from_fine(1 / factors))


def _spline_matrix(n: int, fine_n: int, factor: float) -> NDArray[np.float64]:
    """(fine_n, n): a cubic spline through n values, read at fine voxel centres; the border values go on beyond it.

    M. Unser, A. Aldroubi, M. Eden: B-spline signal processing, IEEE Transactions on Signal Processing 41, 1993.
    """
    reach = 2  # values repeated at both ends, so that no fine centre lies beyond the spline
    knots = np.arange(n + 2 * reach)
    places = np.clip((np.arange(fine_n) + 0.5) / factor - 0.5 + reach, 0, knots[-1])
    through = _cubic(knots[:, None] - knots[None, :])
    repeated = np.clip(knots - reach, 0, n - 1)[:, None] == np.arange(n)[None, :]
    return np.asarray(_cubic(places[:, None] - knots[None, :]) @ np.linalg.solve(through, repeated.astype(np.float64)))


def _cubic(x: NDArray[np.generic]) -> NDArray[np.float64]:
    """The cubic B-spline."""
    distance = np.abs(np.asarray(x, dtype=np.float64))
    near = 2 / 3 - distance**2 * (1 - distance / 2)
    return np.where(distance < 1, near, np.maximum(2 - distance, 0.0) ** 3 / 6)


def refined_mask(mask: Mask, ct: Volume, fine: Volume) -> NDArray[np.float32]:
    """Share of a mask of ``ct``'s grid at the voxels of ``fine``, linearly interpolated."""
    index_from_fine = np.linalg.inv(ct.volume_from_index) @ fine.volume_from_index
    step, first = np.diag(index_from_fine)[:3], index_from_fine[:3, 3]
    grid = {"size": list(fine.size), "outputSpacing": step.tolist(), "outputOrigin": first.tolist()}
    padded = sitk.ZeroFluxNeumannPad(sitk.GetImageFromArray(mask.astype(np.float32)), [1, 1, 1], [1, 1, 1])
    return np.asarray(sitk.GetArrayFromImage(sitk.Resample(padded, interpolator=sitk.sitkLinear, **grid)))


def _index_from_fine(step: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.diag([*step, 1.0])
    matrix[:3, 3] = step / 2 - 0.5
    return matrix
