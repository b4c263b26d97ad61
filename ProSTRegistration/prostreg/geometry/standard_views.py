"""Poses of the usual radiographs, from the patient's axes."""

from __future__ import annotations

from dataclasses import dataclass

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
FERGUSON_DEG = 30.0
GRASHEY_DEG = 40.0
SCAPULAR_Y_DEG = 60.0
"""From PA, turned so that the shoulder lies at the detector."""

_FRONT, _HEAD = (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_SIDEWAYS, _FORWARD = float(np.sin(np.deg2rad(SCAPULAR_Y_DEG))), float(np.cos(np.deg2rad(SCAPULAR_Y_DEG)))


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


def _along(beam: tuple[float, float, float], up: tuple[float, float, float]) -> NDArray[np.float64]:
    """Axes of a view along a beam, with a direction across it up in the image; both in RAS."""
    forward, down = np.array(beam) / np.linalg.norm(beam), -np.array(up, dtype=np.float64)
    return np.array([np.cross(down, forward), down, forward])


@dataclass(frozen=True, eq=False)
class _View:
    """A standard view: its axes as above, and what people call it."""

    axes_in_ras: NDArray[np.float64]
    label: str


_VIEWS: dict[str, _View] = {
    "AP": _View(np.array(_MAIN_AXES_IN_RAS["AP"], dtype=np.float64), "AP (beam enters at the front)"),
    "PA": _View(np.array(_MAIN_AXES_IN_RAS["PA"], dtype=np.float64), "PA (beam enters at the back)"),
    "left lateral": _View(
        np.array(_MAIN_AXES_IN_RAS["left lateral"], dtype=np.float64), "Left lateral (beam leaves at the left)"
    ),
    "right lateral": _View(
        np.array(_MAIN_AXES_IN_RAS["right lateral"], dtype=np.float64), "Right lateral (beam leaves at the right)"
    ),
    "inlet": _View(_turned_about_right(-PELVIC_TILT_DEG), "Pelvis inlet"),
    "outlet": _View(_turned_about_right(PELVIC_TILT_DEG), "Pelvis outlet"),
    "right obturator oblique": _View(_turned_about_superior(OBLIQUE_DEG), "Right obturator oblique"),
    "left obturator oblique": _View(_turned_about_superior(-OBLIQUE_DEG), "Left obturator oblique"),
    "right iliac oblique": _View(_turned_about_superior(-OBLIQUE_DEG), "Right iliac oblique"),
    "left iliac oblique": _View(_turned_about_superior(OBLIQUE_DEG), "Left iliac oblique"),
    "right posterior oblique": _View(_turned_about_superior(-OBLIQUE_DEG), "Spine, knee: right posterior oblique"),
    "left posterior oblique": _View(_turned_about_superior(OBLIQUE_DEG), "Spine, knee: left posterior oblique"),
    "Ferguson": _View(_turned_about_right(FERGUSON_DEG), "Spine: lumbosacral AP (Ferguson)"),
    "right cross-table hip": _View(_along((1, 0, 1), _FRONT), "Right hip: cross-table lateral"),
    "left cross-table hip": _View(_along((-1, 0, 1), _FRONT), "Left hip: cross-table lateral"),
    "right Grashey": _View(_turned_about_superior(-GRASHEY_DEG), "Right shoulder: Grashey (true AP)"),
    "left Grashey": _View(_turned_about_superior(GRASHEY_DEG), "Left shoulder: Grashey (true AP)"),
    "right scapular Y": _View(_along((_SIDEWAYS, _FORWARD, 0), _HEAD), "Right shoulder: scapular Y"),
    "left scapular Y": _View(_along((-_SIDEWAYS, _FORWARD, 0), _HEAD), "Left shoulder: scapular Y"),
    "axillary": _View(_along(_HEAD, _FRONT), "Shoulder: axillary (beam to the head)"),
    "right PA oblique": _View(_along((1, 1, 0), _HEAD), "Wrist: PA oblique, beam to the right front"),
    "left PA oblique": _View(_along((-1, 1, 0), _HEAD), "Wrist: PA oblique, beam to the left front"),
}
"""All views by their names. The inlet's beam runs from the head's side down to the feet, the outlet's from there up.

A right obturator oblique has the right side raised, so that the beam enters at the right front; a right iliac oblique
has the left side raised (Judet's views of the acetabulum). In a right posterior oblique the right back lies at the
detector. A cross-table lateral's beam runs level, from between the legs to the hip at 45 degrees. A Grashey view looks
along the shoulder's joint, a scapular Y along the blade. Knee and wrist are the main views and these obliques, of limbs
that are straight in the CT.
"""

MAIN_VIEWS = tuple(_MAIN_AXES_IN_RAS)
"""The four that a pose is sorted into, and that networks are trained around."""

STANDARD_VIEWS = tuple(_VIEWS)

VIEW_LABELS = {name: view.label for name, view in _VIEWS.items()}
"""Names for people; the same for every user interface."""


def nearest_standard_view(camera_from_volume: Matrix) -> str:
    """Name of the one of MAIN_VIEWS that a pose is turned least against."""

    def turn(name: str) -> float:
        """Grows with the angle between both: minus the trace of the rotation from one to the other."""
        return -float(np.sum(_VIEWS[name].axes_in_ras * camera_from_volume[:3, :3]))

    return min(MAIN_VIEWS, key=turn)


def standard_view(name: str, centre_mm: ArrayLike, depth_mm: float) -> Matrix:
    """camera_from_volume (4, 4) that shows a point on the central ray in a standard view.

    Args:
        name: one of STANDARD_VIEWS.
        centre_mm: the point (3,) in the volume frame.
        depth_mm: its distance from the source.
    """
    rotation = _VIEWS[name].axes_in_ras
    camera_from_volume = np.eye(4)
    camera_from_volume[:3, :3] = rotation
    camera_from_volume[:3, 3] = (0, 0, depth_mm) - rotation @ np.asarray(centre_mm, dtype=np.float64)
    return camera_from_volume
