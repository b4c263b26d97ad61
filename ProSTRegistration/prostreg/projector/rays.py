"""From pose and C-arm to rays in the index frame of a volume that is padded by one voxel of zeros."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.frames import invert_rigid
from prostreg.images.volume import Volume

PADDING = 1


def padded_values(volume: Volume) -> NDArray[np.float32]:
    """The volume's values with one voxel of zeros on every side, [k, j, i]."""
    return np.pad(np.asarray(volume.values, dtype=np.float32), PADDING)


def padded_index_from_volume(volume: Volume) -> NDArray[np.float64]:
    """(4, 4) from RAS mm to indices (i, j, k) of the padded volume."""
    matrix = np.linalg.inv(volume.volume_from_index)
    matrix[:3, 3] += PADDING
    return np.asarray(matrix)


def index_rays(
    index_from_volume: NDArray[np.float64], camera_from_volume: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ray frames in index coordinates.

    Args:
        index_from_volume: (4, 4).
        camera_from_volume: rigid (n, 4, 4).

    Returns:
        ``index_from_camera`` (n, 3, 3), which turns camera directions into index directions, and
        the source (n, 3) in index coordinates.
    """
    index_from_camera = index_from_volume @ invert_rigid(camera_from_volume)
    return np.ascontiguousarray(index_from_camera[:, :3, :3]), np.ascontiguousarray(index_from_camera[:, :3, 3])
