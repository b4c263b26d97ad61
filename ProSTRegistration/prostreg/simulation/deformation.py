"""Soft tissue that lies otherwise than in the CT, around bones that stay as they are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import SimpleITK as sitk  # noqa: N813
import torch
from numpy.typing import NDArray
from torch import Tensor

from prostreg.images.volume import Volume
from prostreg.simulation.smoothing import smoothed

BONE_HU = 150.0
NODE_SPACING_MM = 5.0
STRETCH_MM = 25.0
"""Standard deviation of the smoothing that makes neighbouring tissue move alike."""
STEEPNESS = 0.4
"""Of its distance from bone, what tissue may move at most: nothing folds, and no bone is reached."""
SLICES_AT_ONCE = 16


class SoftTissue:
    """Displaces the soft tissue of one body, each time otherwise.

    The displacement is a smooth random field, held on nodes that are interpolated trilinearly. At no node is it
    larger than STEEPNESS times the distance to bone minus a margin, so that it vanishes in all
    of the bone.

    Args:
        whole: the body in HU, on the CT's grid.
        bones: mask in the same grid of what must not move; added to all that is as dense as bone.
    """

    def __init__(self, whole: Volume, bones: NDArray[np.bool_] | None) -> None:
        self._step = np.maximum(1, np.round(NODE_SPACING_MM / whole.spacing_mm)).astype(int)
        self._index_from_volume = np.linalg.inv(whole.volume_from_index)
        node_spacing = whole.spacing_mm * self._step
        rigid = whole.values > BONE_HU
        if bones is not None:
            rigid |= bones
        distance_mm = _distance_mm(rigid, whole.spacing_mm)
        # Nodes reach beyond the last voxel, so that every voxel lies between nodes.
        padded = np.pad(
            distance_mm, [(0, -(n - 1) % s) for n, s in zip(rigid.shape, self._step[::-1], strict=True)], mode="edge"
        )
        nodes = padded[:: self._step[2], :: self._step[1], :: self._step[0]]
        # A node may lie a cell's diagonal off, and bone fill a part of the voxels next to it.
        margin_mm = float(np.linalg.norm(node_spacing) + np.linalg.norm(whole.spacing_mm))
        self._limit_mm = STEEPNESS * np.maximum(nodes - margin_mm, 0.0)
        self._sigma_nodes = STRETCH_MM / node_spacing

    def displaced(self, hu: Volume, largest_mm: float, rng: np.random.Generator) -> Volume:
        """The body with its soft tissue displaced by up to ``largest_mm``, on the (finer) grid of ``hu``."""
        field_mm = self._field_mm(largest_mm, rng)
        # In grid_sample's coordinates of ``hu``, which run from -1 to 1 from its first to its last voxel.
        half_size = np.maximum(np.array(hu.size) - 1, 1) / 2
        steps_per_mm = np.linalg.inv(hu.volume_from_index[:3, :3]) / half_size[:, None]
        steps = torch.from_numpy(np.tensordot(steps_per_mm, field_mm, axes=1).astype(np.float32))
        nodes_from_fine = self._index_from_volume @ hu.volume_from_index
        # Both grids are aligned: one matrix per axis interpolates the steps.
        k_weights, j_weights, i_weights = (
            _linear_weights(n, (nodes_from_fine[axis, axis] * np.arange(size) + nodes_from_fine[axis, 3]) / step)
            for axis, n, size, step in zip((2, 1, 0), field_mm.shape[1:], hu.size[::-1], self._step[::-1], strict=True)
        )
        k, j, i = (
            torch.arange(n, dtype=torch.float32) / half - 1
            for n, half in zip(hu.size[::-1], half_size[::-1], strict=True)
        )
        steps = torch.matmul(j_weights, steps @ i_weights.T).flatten(2)
        source = torch.from_numpy(hu.values)[None, None]
        values = np.empty_like(hu.values)
        for part in _slabs(hu.values.shape[0]):
            places = torch.matmul(k_weights[part], steps).view(3, -1, len(j), len(i))
            places[0] += i
            places[1] += j[:, None]
            places[2] += k[part, None, None]
            values[part] = _sampled(source, places)
        return hu.with_values(values)

    def _field_mm(self, largest_mm: float, rng: np.random.Generator) -> NDArray[np.float64]:
        """Displacement (3, nodes k, j, i) in RAS mm."""
        shape, sigma = self._limit_mm.shape, self._sigma_nodes.tolist()
        field = np.stack([smoothed(rng.normal(size=shape), sigma) for _ in range(3)])
        size = np.linalg.norm(field, axis=0)
        field *= largest_mm / max(float(size.max()), 1e-12)
        size = np.linalg.norm(field, axis=0)
        return np.asarray(field * np.minimum(1.0, self._limit_mm / np.maximum(size, 1e-9)))


def _distance_mm(mask: NDArray[np.bool_], spacing_mm: NDArray[np.float64]) -> NDArray[np.float32]:
    """Distance of each voxel from the mask, 0 inside; large where there is no mask."""
    if not mask.any():
        return np.full(mask.shape, 1e3, dtype=np.float32)
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing_mm.tolist())
    distance = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    return np.asarray(np.maximum(sitk.GetArrayFromImage(distance), 0.0), dtype=np.float32)


def _slabs(slices: int) -> Iterator[slice]:
    for first in range(0, slices, SLICES_AT_ONCE):
        yield slice(first, min(first + SLICES_AT_ONCE, slices))


def _linear_weights(n: int, places: NDArray[np.float64]) -> Tensor:
    """(m, n): what n values count for at m places between them, linearly interpolated; the border goes on beyond it."""
    distance = np.abs(np.clip(places, 0, n - 1)[:, None] - np.arange(n))
    return torch.from_numpy(np.maximum(1.0 - distance, 0.0).astype(np.float32))


def _sampled(volume: Tensor, places: Tensor) -> NDArray[np.float32]:
    """Values (k', j', i') of a volume (1, 1, k, j, i) at places (3, k', j', i'), trilinear, the border repeated."""
    grid = places.permute(1, 2, 3, 0)[None]
    sampled = torch.nn.functional.grid_sample(volume, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return np.asarray(sampled[0, 0])
