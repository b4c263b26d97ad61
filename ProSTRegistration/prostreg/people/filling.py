"""From a closed surface to the share of each voxel that lies inside of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.frames import Matrix

Points = NDArray[np.float64]
Block = tuple[slice, slice, slice]

DIVISION = 2
"""Of a voxel along each axis, to tell its share: into halves."""
ASIDE = (1.37e-6, 2.71e-6)
"""Of a step: no column runs through an edge."""


def inside_share(triangles: Points, volume_from_index: Matrix, block: Block) -> NDArray[np.float32]:
    """Share (k, j, i) of each voxel of a block inside of a closed surface; what lies beyond the block is cut off.

    Args:
        triangles: (t, 3, 3) corners in RAS mm, turned either way.
        volume_from_index: a grid along the axes (4, 4).
        block: slices (k, j, i) of the grid.
    """
    lows, size = np.array([part.start for part in block[::-1]]), [part.stop - part.start for part in block[::-1]]
    spacing = np.diag(volume_from_index)[:3]
    step = spacing / DIVISION
    first = volume_from_index[:3, 3] + lows * spacing - (DIVISION - 1) / 2 * step
    fine = np.array(size) * DIVISION
    column, height = _crossings((triangles - first) / step, fine)
    # Above each crossing a column changes sides; crossings beyond the block's ends change all of it or nothing.
    slices = np.clip(np.ceil(height), 0, fine[2]).astype(np.int64)
    changes = np.bincount(slices * (fine[0] * fine[1]) + column, minlength=int((fine[2] + 1) * fine[0] * fine[1]))
    odd = (changes.astype(np.uint8) & 1).reshape(fine[2] + 1, fine[1], fine[0])[:-1]
    inside = np.bitwise_xor.accumulate(odd, axis=0)
    for axis in range(3):  # sums of neighbours: a reduction over three axes takes ten times as long
        first_half, second_half = (inside[(slice(None),) * axis + (slice(n, None, DIVISION),)] for n in range(DIVISION))
        inside = first_half + second_half
    return inside.astype(np.float32) / np.float32(DIVISION**3)


def block_around(triangles: Points, volume_from_index: Matrix, shape: tuple[int, ...], margin: int) -> Block:
    """The part of a grid of ``shape`` (k, j, i) that a surface lies in, ``margin`` voxels wider; may be empty."""
    corners = (triangles.reshape(-1, 3) - volume_from_index[:3, 3]) / np.diag(volume_from_index)[:3]
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - margin, 0, shape[::-1])
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + margin + 1, low, shape[::-1])
    i, j, k = (slice(int(first), int(last)) for first, last in zip(low, high, strict=True))
    return k, j, i


def _crossings(corners: Points, size: NDArray[np.int64]) -> tuple[NDArray[np.int64], Points]:
    """The places where columns of voxels run through triangles: numbers j * size[0] + i of the columns, and heights."""
    low = np.maximum(np.ceil(corners[:, :, :2].min(axis=1) - 1e-3).astype(np.int64), 0)
    high = np.minimum(np.floor(corners[:, :, :2].max(axis=1) + 1e-3).astype(np.int64), size[:2] - 1)
    columns, rows = np.maximum(high - low + 1, 0).T
    which = np.repeat(np.arange(len(corners)), columns * rows)
    place = np.arange(len(which)) - np.repeat(np.cumsum(columns * rows) - columns * rows, columns * rows)
    i = low[which, 0] + place % columns[which]
    j = low[which, 1] + place // columns[which]
    at = np.stack([i + ASIDE[0], j + ASIDE[1]], axis=-1)
    a, b, c = (corners[which, corner, :2] - at for corner in range(3))
    shares = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], axis=-1)
    is_hit = (shares > 0).all(axis=1) | (shares < 0).all(axis=1)
    shares = shares[is_hit] / shares[is_hit].sum(axis=1, keepdims=True)
    return (j * size[0] + i)[is_hit], (shares * corners[which[is_hit], :, 2]).sum(axis=1)


def _cross(first: Points, second: Points) -> Points:
    return np.asarray(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
