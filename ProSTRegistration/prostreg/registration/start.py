"""The start of a registration, and its faults."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix, transform_points
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig

ISOCENTRE_SHARE = 0.61
"""Usual distance of the patient from the source, as a share of the source-detector distance."""


def anatomy_points_mm(case: Case) -> NDArray[np.float64]:
    """Voxel centres (n, 3) of the anatomy in the volume frame, thinned to a few thousand."""
    places = np.argwhere(case.anatomy)
    thinned = places[:: max(1, len(places) // 4000)]
    return transform_points(case.ct.volume_from_index, thinned[:, ::-1])


def anatomy_centre_mm(points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre (3,) of the box around points (n, 3)."""
    return np.asarray((points_mm.min(axis=0) + points_mm.max(axis=0)) / 2)


def start_pose(case: Case) -> Matrix:
    """The case's initial pose.

    Raises:
        InputError: there is none, or it puts the anatomy behind the source or outside an image.
    """
    if case.initial_world_from_volume is None:
        raise InputError('The case has no start pose: give one as "initial", or search everywhere.')
    points = anatomy_points_mm(case)
    faults = [
        fault
        for number, view in enumerate(case.views, start=1)
        for fault in _visibility_faults(view.carm, case.initial_world_from_volume, points, number)
    ]
    if faults:
        raise InputError(faults)
    return case.initial_world_from_volume


def _visibility_faults(carm: CArm, world_from_volume: Matrix, points_mm: NDArray[np.float64], number: int) -> list[str]:
    points_camera = transform_points(carm.camera_from_world @ world_from_volume, points_mm)
    if (points_camera[:, 2] <= 0).any():
        nearest = points_camera[:, 2].min()
        return [
            f"The start pose puts the anatomy behind the X-ray source of view {number} (its nearest point lies"
            f" {nearest:.0f} mm along the beam): check the direction of the matrix (world_from_volume, mm) and the"
            " axes of the camera (z from the source to the detector)."
        ]
    pixels = carm.project(points_camera)
    is_inside = ((pixels > -0.5) & (pixels < np.array(carm.size) - 0.5)).all(axis=1)
    centre = carm.project(anatomy_centre_mm(points_camera))
    centre_inside = bool(((centre > -0.5) & (centre < np.array(carm.size) - 0.5)).all())
    if not is_inside.any() or not centre_inside:
        return [
            f"The start pose puts the anatomy outside the image of view {number} (its centre falls on pixel"
            f" {centre[0]:.0f}, {centre[1]:.0f} of {carm.width} x {carm.height}): move it closer, or leave the"
            " start pose out to search everywhere."
        ]
    return []


def start_spread(config: RegistrationConfig) -> NDArray[np.float64]:
    """Uncertainty (6,) of the start in the chart's parameters, rad and mm."""
    rotation, shift, depth = config.spread_rotation_deg, config.spread_shift_mm, config.spread_depth_mm
    return np.array([np.deg2rad(rotation)] * 3 + [shift] * 2 + [depth])
