"""The parts of a volume that hold anything: rays skip the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.projector.plane_march import CELL

REACH = CELL // 2 + 1
"""Voxels that a ray can stray from the middle of CELL planes, its interpolation included."""


def occupancy_cells(padded: NDArray[np.float32]) -> NDArray[np.uint8]:
    """1 for each cell of CELL^3 voxels that holds a non-zero voxel within REACH voxels, else 0.

    Args:
        padded: values [k, j, i].

    Returns:
        (cells along k, j, i), one cell more than needed along each axis, so that a ray that has
        just left the volume still finds a cell.
    """
    occupied = padded != 0
    for axis in range(3):
        occupied = _any_within_reach(occupied, axis)
    return np.ascontiguousarray(occupied.astype(np.uint8))


def _any_within_reach(occupied: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    length = occupied.shape[axis]
    cells = -(-length // CELL) + 1
    windows = [range(max(cell * CELL - REACH, 0), min((cell + 1) * CELL + REACH, length)) for cell in range(cells)]
    moved = np.moveaxis(occupied, axis, 0)
    reduced = [moved[window.start : window.stop].any(axis=0) for window in windows]
    return np.moveaxis(np.stack(reduced), 0, axis)
