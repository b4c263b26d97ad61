"""Poses of the usual radiographs, from the patient's axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prostreg.geometry.frames import Matrix

_AXES_IN_RAS = {
    "AP": ((-1, 0, 0), (0, 0, -1), (0, -1, 0)),
    "PA": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "left lateral": ((0, 1, 0), (0, 0, -1), (-1, 0, 0)),
    "right lateral": ((0, -1, 0), (0, 0, -1), (1, 0, 0)),
}
"""Camera x (image right), y (image down) and z (beam) in patient RAS; the head is up in the image.

The beam of an AP view enters at the chest; a left lateral beam leaves at the left side.
"""

STANDARD_VIEWS = tuple(_AXES_IN_RAS)


def nearest_standard_view(camera_from_volume: Matrix) -> str:
    """Name of the standard view that a pose is turned least against."""

    def turn(name: str) -> float:
        """Grows with the angle between both: minus the trace of the rotation from one to the other."""
        return -float(np.sum(np.array(_AXES_IN_RAS[name]) * camera_from_volume[:3, :3]))

    return min(STANDARD_VIEWS, key=turn)


def standard_view(name: str, centre_mm: ArrayLike, depth_mm: float) -> Matrix:
    """camera_from_volume (4, 4) that shows a point on the central ray in a standard view.

    Args:
        name: one of STANDARD_VIEWS.
        centre_mm: the point (3,) in the volume frame.
        depth_mm: its distance from the source.
    """
    rotation: NDArray[np.float64] = np.array(_AXES_IN_RAS[name], dtype=np.float64)
    camera_from_volume = np.eye(4)
    camera_from_volume[:3, :3] = rotation
    camera_from_volume[:3, 3] = (0, 0, depth_mm) - rotation @ np.asarray(centre_mm, dtype=np.float64)
    return camera_from_volume
