"""Poses of the usual radiographs, from the patient's axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prostreg.geometry.frames import Matrix

_MAIN_AXES_IN_RAS = {
    "AP": ((-1, 0, 0), (0, 0, -1), (0, -1, 0)),
    "PA": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "left lateral": ((0, 1, 0), (0, 0, -1), (-1, 0, 0)),
    "right lateral": ((0, -1, 0), (0, 0, -1), (1, 0, 0)),
}
"""Camera x (image right), y (image down) and z (beam) in patient RAS; the head is up in the image.

The beam of an AP view enters at the chest; a left lateral beam leaves at the left side.
"""

PELVIC_TILT_DEG = 40.0
OBLIQUE_DEG = 45.0


def _turned_about_right(degrees: float) -> NDArray[np.float64]:
    """AP axes of a patient turned about the axis to the right; a positive turn raises the feet towards the source."""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    return np.asarray(np.array(_MAIN_AXES_IN_RAS["AP"]) @ turn)


def _turned_about_superior(degrees: float) -> NDArray[np.float64]:
    """AP axes of a patient turned about the long axis; a positive turn raises the right side towards the source."""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    return np.asarray(np.array(_MAIN_AXES_IN_RAS["AP"]) @ turn)


_AXES_IN_RAS: dict[str, NDArray[np.float64]] = {
    **{name: np.array(axes, dtype=np.float64) for name, axes in _MAIN_AXES_IN_RAS.items()},
    "inlet": _turned_about_right(-PELVIC_TILT_DEG),
    "outlet": _turned_about_right(PELVIC_TILT_DEG),
    "right obturator oblique": _turned_about_superior(OBLIQUE_DEG),
    "left obturator oblique": _turned_about_superior(-OBLIQUE_DEG),
    "right iliac oblique": _turned_about_superior(-OBLIQUE_DEG),
    "left iliac oblique": _turned_about_superior(OBLIQUE_DEG),
}
"""All views, as above. The inlet's beam runs from the head's side down to the feet, the outlet's from there up.

A right obturator oblique has the right side raised, so that the beam enters at the right front; a right iliac oblique
has the left side raised (Judet's views of the acetabulum).
"""

MAIN_VIEWS = tuple(_MAIN_AXES_IN_RAS)
"""The four that a pose is sorted into, and that networks are trained around."""

STANDARD_VIEWS = tuple(_AXES_IN_RAS)


def nearest_standard_view(camera_from_volume: Matrix) -> str:
    """Name of the one of MAIN_VIEWS that a pose is turned least against."""

    def turn(name: str) -> float:
        """Grows with the angle between both: minus the trace of the rotation from one to the other."""
        return -float(np.sum(_AXES_IN_RAS[name] * camera_from_volume[:3, :3]))

    return min(MAIN_VIEWS, key=turn)


def standard_view(name: str, centre_mm: ArrayLike, depth_mm: float) -> Matrix:
    """camera_from_volume (4, 4) that shows a point on the central ray in a standard view.

    Args:
        name: one of STANDARD_VIEWS.
        centre_mm: the point (3,) in the volume frame.
        depth_mm: its distance from the source.
    """
    rotation = _AXES_IN_RAS[name]
    camera_from_volume = np.eye(4)
    camera_from_volume[:3, :3] = rotation
    camera_from_volume[:3, 3] = (0, 0, depth_mm) - rotation @ np.asarray(centre_mm, dtype=np.float64)
    return camera_from_volume
