"""The start of a registration, and its faults."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig

SIGHT_MARGIN = 0.1
"""How far inside the image, as a share of its size, a start is moved that lies outside of it."""

MOST_MOVES = 10

LEAST_SHARE = 0.02
"""An anatomy that covers less than this share of the image's longer side is too far away to be searched from there."""

ISOCENTRE_SHARE = 0.61
"""Usual distance of the patient from the source, as a share of the source-detector distance."""

MOVED = "the start put the anatomy outside of an image: the search began at the nearest place inside"
NO_START = "no start was given; views tried as starts: "
ON_STARTS = (MOVED, NO_START)
"""Beginnings of the reasons that tell how a pose was found, whatever is said of it later."""


def anatomy_points_mm(case: Case) -> NDArray[np.float64]:
    """Voxel centres (n, 3) of the anatomy in the volume frame, thinned to a few thousand."""
    places = np.flatnonzero(case.anatomy)
    thinned = np.unravel_index(places[:: max(1, len(places) // 4000)], case.anatomy.shape)
    return transform_points(case.ct.volume_from_index, np.stack(thinned[::-1], axis=1))


def anatomy_centre_mm(points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre (3,) of the box around points (n, 3)."""
    return np.asarray((points_mm.min(axis=0) + points_mm.max(axis=0)) / 2)


def start_pose(case: Case) -> Matrix:
    """The case's initial pose.

    Raises:
        InputError: there is none, or it puts a part of the anatomy behind a source.
    """
    if case.initial_world_from_volume is None:
        raise InputError('The case has no start pose: give one as "initial", or search everywhere.')
    points = anatomy_points_mm(case)
    faults = []
    for number, view in enumerate(case.views, start=1):
        points_camera = transform_points(view.carm.camera_from_world @ case.initial_world_from_volume, points)
        nearest = float(points_camera[:, 2].min())
        if nearest <= 0:
            faults.append(
                f"The start pose puts the anatomy behind the X-ray source of view {number} (its nearest point lies"
                f" {nearest:.0f} mm along the beam): check the direction of the matrix (world_from_volume, mm) and the"
                " axes of the camera (z from the source to the detector)."
            )
    if faults:
        raise InputError(faults)
    return case.initial_world_from_volume


def start_in_sight(case: Case) -> Matrix | None:
    """The start, moved along the detectors until all images show the anatomy's centre, if they do not already.

    One so far away that nothing of the anatomy is to be seen comes nearer first. None where the C-arms contradict each
    other so much that no move along them does.

    Raises:
        InputError: as `start_pose`.
    """
    points_mm = anatomy_points_mm(case)
    centre_mm = anatomy_centre_mm(points_mm)
    pose = _brought_near(case.views[0].carm, start_pose(case), centre_mm, float(np.ptp(points_mm, axis=0).max()))
    for _ in range(MOST_MOVES):
        outside = [view.carm for view in case.views if not _shows(view.carm, pose, centre_mm)]
        if not outside:
            return pose
        for carm in outside:
            pose = _moved_into(carm, pose, centre_mm)
    return None


def shows_start(case: Case, world_from_volume: Matrix) -> bool:
    """True if every image shows the anatomy's centre at a pose, and nothing of the anatomy lies behind a source."""
    centre_mm = anatomy_centre_mm(anatomy_points_mm(case))
    try:
        start_pose(replace(case, initial_world_from_volume=world_from_volume))
    except InputError:
        return False
    return all(_shows(view.carm, world_from_volume, centre_mm) for view in case.views)


def _shows(carm: CArm, world_from_volume: Matrix, centre_mm: NDArray[np.float64]) -> bool:
    return bool(carm.shows(carm.project_world(transform_points(world_from_volume, centre_mm))))


def _brought_near(carm: CArm, world_from_volume: Matrix, centre_mm: NDArray[np.float64], size_mm: float) -> Matrix:
    """The pose moved along the ray to its centre until the anatomy is more than a dot in the image."""
    camera_from_volume = carm.camera_from_world @ world_from_volume
    centre = transform_points(camera_from_volume, centre_mm)
    share = size_mm * carm.intrinsics[0, 0] / centre[2] / max(carm.size)
    if share >= LEAST_SHARE:
        return world_from_volume
    camera_from_volume[:3, 3] += centre * (share / LEAST_SHARE - 1)
    return np.asarray(invert_rigid(carm.camera_from_world) @ camera_from_volume)


def _moved_into(carm: CArm, world_from_volume: Matrix, centre_mm: NDArray[np.float64]) -> Matrix:
    """The pose shifted parallel to a detector, so that the centre falls a little inside its image."""
    camera_from_volume = carm.camera_from_world @ world_from_volume
    centre = transform_points(camera_from_volume, centre_mm)
    size = np.array(carm.size)
    pixel = np.clip(carm.project(centre), SIGHT_MARGIN * size, (1 - SIGHT_MARGIN) * size)
    ray = np.linalg.solve(carm.intrinsics, np.append(pixel, 1.0))
    camera_from_volume[:3, 3] += ray * centre[2] - centre
    return np.asarray(invert_rigid(carm.camera_from_world) @ camera_from_volume)


def start_spread(config: RegistrationConfig) -> NDArray[np.float64]:
    """Uncertainty (6,) of the start in the chart's parameters, rad and mm."""
    rotation, shift, depth = config.spread_rotation_deg, config.spread_shift_mm, config.spread_depth_mm
    return np.array([np.deg2rad(rotation)] * 3 + [shift] * 2 + [depth])
