"""The split of a pose's error, against motions whose parts are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from prostreg.evaluation.pose_error import pose_error
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import invert_rigid
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.registration.case import Case, View

DEPTH_MM = 600.0


def turn(axis: int, degrees: float) -> NDArray[np.float64]:
    """Rotation about a camera axis through the point (0, 0, DEPTH_MM)."""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    rotation = np.eye(4)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    rotation[[first, second], [first, second]] = cosine
    rotation[first, second], rotation[second, first] = -sine, sine
    centre = np.array([0, 0, DEPTH_MM])
    rotation[:3, 3] = centre - rotation[:3, :3] @ centre
    return rotation


def shift(*millimetres: float) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, 3] = millimetres
    return matrix


@pytest.fixture
def case() -> Case:
    """A cube whose centre lies on the central ray; the world is turned against the camera."""
    values = np.zeros((9, 9, 9), dtype=np.float32)
    anatomy = np.zeros(values.shape, dtype=bool)
    anatomy[2:7, 2:7, 2:7] = True
    volume_from_index = np.eye(4)
    volume_from_index[:3, 3] = -4.0
    camera_from_world = turn(1, 40.0) @ shift(5, 6, 7)
    carm = CArm.from_sdd(1000.0, (1.0, 1.0), (32, 32), camera_from_world=camera_from_world)
    truth = invert_rigid(camera_from_world) @ shift(0, 0, DEPTH_MM) @ turn(2, 25.0)
    truth[:3, 3] = (invert_rigid(camera_from_world) @ np.array([0, 0, DEPTH_MM, 1]))[:3]
    xray = XRay(np.zeros((32, 32), dtype=np.float32), np.ones((32, 32), dtype=bool))
    return Case("cube", Volume(values, volume_from_index), anatomy, (View(xray, carm),), None, truth, None)


def moved(case: Case, motion: NDArray[np.float64]) -> NDArray[np.float64]:
    """The true pose moved in the camera's frame."""
    assert case.truth_world_from_volume is not None
    camera_from_world = case.views[0].carm.camera_from_world
    return np.asarray(invert_rigid(camera_from_world) @ motion @ camera_from_world @ case.truth_world_from_volume)


@pytest.mark.parametrize(
    ("motion", "turns_deg", "shifts_mm"),
    [
        (turn(2, 7.0), (0, 0, 7), (0, 0, 0)),
        (turn(0, -4.0), (-4, 0, 0), (0, 0, 0)),
        (shift(0, 0, -30.0), (0, 0, 0), (0, 0, -30)),
        (shift(3.0, 4.0, 0), (0, 0, 0), (3, 4, 0)),
        (shift(3.0, 4.0, 12.0) @ turn(1, 10.0), (0, 10, 0), (3, 4, 12)),
    ],
)
def test_parts_of_known_motions(
    case: Case, motion: NDArray[np.float64], turns_deg: tuple[float, ...], shifts_mm: tuple[float, ...]
) -> None:
    error = pose_error(case, moved(case, motion))
    np.testing.assert_allclose(error.turns_deg, turns_deg, atol=1e-9)
    np.testing.assert_allclose(error.shifts_mm, shifts_mm, atol=1e-9)
    assert error.in_plane_rotation_deg == pytest.approx(abs(turns_deg[2]), abs=1e-9)
    assert error.out_of_plane_rotation_deg == pytest.approx(np.hypot(*turns_deg[:2]), abs=1e-9)
    assert error.in_plane_translation_mm == pytest.approx(np.hypot(*shifts_mm[:2]), abs=1e-9)
    assert error.depth_mm == pytest.approx(abs(shifts_mm[2]), abs=1e-9)
    assert error.rotation_deg == pytest.approx(np.linalg.norm(turns_deg), abs=1e-9)
    assert error.translation_mm == pytest.approx(np.linalg.norm(shifts_mm), abs=1e-9)
