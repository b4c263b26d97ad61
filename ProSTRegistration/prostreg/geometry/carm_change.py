"""Changes of a C-arm's inner geometry, and the motions of a volume that hide them.

A change is three numbers: the logarithm of the factor on the source-detector distance, and the principal point's shifts
along u and v as shares of the focal length. A longer distance looks like an anatomy that is nearer to the source, a
shifted principal point like a turn about the source: only perspective tells them apart.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, invert_rigid
from prostreg.geometry.rotations import rotation_from_vector

Array = NDArray[np.float64]


def changed_carm(carm: CArm, change: Array) -> CArm:
    """The C-arm after a change (3,); its detector keeps its pixels."""
    intrinsics = carm.intrinsics.copy()
    focal_lengths = np.diag(intrinsics)[:2]
    intrinsics[:2, 2] += change[1:] * focal_lengths
    intrinsics[:2, :2] *= np.exp(change[0])
    return replace(carm, intrinsics=intrinsics)


def hiding_pose(chart: PoseChart, change: Array) -> Matrix:
    """The pose (4, 4) world_from_volume that shows the chart's pose as nearly as can be after a change (3,).

    The anatomy's centre stays where it is in the image of the chart's camera, and keeps its magnification.
    """
    factor = np.exp(change[0])
    centre = chart.centre_camera_mm
    ray = np.append((centre[:2] / centre[2] - change[1:]) / factor, 1.0)
    motion = np.eye(4)
    motion[:3, :3] = _shortest_turn(centre, ray)
    motion[:3, 3] = factor * centre[2] * ray - motion[:3, :3] @ centre
    return np.asarray(invert_rigid(chart.camera_from_world) @ motion @ chart.camera_from_volume)


def _shortest_turn(start: Array, end: Array) -> Array:
    """(3, 3) rotation of one direction (3,) onto another that is less than a quarter turn away."""
    across = np.cross(start, end) / (np.linalg.norm(start) * np.linalg.norm(end))
    sine = float(np.linalg.norm(across))
    scale = np.arcsin(sine) / sine if sine > 0 else 1.0
    return np.asarray(rotation_from_vector((across * scale)[None])[0])
