"""A bone that is dragged in the X-ray goes where the hand goes."""

import numpy as np
import pytest

from prostreg.geometry.frames import invert_rigid, transform_points
from ProSTRegistrationLib.Nodes.CArmNode import cameraFromPixel
from ProSTRegistrationLib.PoseDrag import PoseDrag, deeper
from ProSTRegistrationLib.StartPose import shareInSight, standardViewPose
from ProSTRegistrationLib.Views.MouseGrab import Grip

CENTRE_MM = np.array([12.0, -40.0, 310.0])


@pytest.fixture
def pose(obliqueCarm):
    return standardViewPose(obliqueCarm, "AP", CENTRE_MM, 640.0)


def placeOf(carm, pixel):
    return transform_points(invert_rigid(carm.camera_from_world) @ cameraFromPixel(carm), (*pixel, 0))


def pixelOf(carm, pose, point=CENTRE_MM):
    return carm.project_world(transform_points(pose, point))


def dragged(carm, pose, grip, start, end):
    return PoseDrag(pose, carm, CENTRE_MM, grip, placeOf(carm, start)).at(placeOf(carm, end))


def test_a_shift_keeps_the_bone_under_the_hand(obliqueCarm, pose):
    start = pixelOf(obliqueCarm, pose)
    moved = dragged(obliqueCarm, pose, Grip.SHIFT, start, np.add(start, (9.0, -5.0)))
    assert np.allclose(pixelOf(obliqueCarm, moved), np.add(start, (9.0, -5.0)))
    assert np.allclose(moved[:3, :3], pose[:3, :3])
    depths = [transform_points(obliqueCarm.camera_from_world @ at, CENTRE_MM)[2] for at in (pose, moved)]
    assert np.isclose(*depths)


@pytest.mark.parametrize("way", [(12.0, 0.0), (0.0, 12.0)])
def test_a_tilt_takes_the_near_side_along(obliqueCarm, pose, way):
    near = transform_points(invert_rigid(pose) @ invert_rigid(obliqueCarm.camera_from_world), (0.0, 0.0, 600.0))
    start = pixelOf(obliqueCarm, pose)
    moved = dragged(obliqueCarm, pose, Grip.TILT, start, start + way)
    assert np.allclose(pixelOf(obliqueCarm, moved), start, atol=1e-6)
    assert (pixelOf(obliqueCarm, moved, near) - pixelOf(obliqueCarm, pose, near)) @ way > 1.0


def test_a_turn_follows_the_hand_around_the_bone(obliqueCarm, pose):
    centre, pitch = pixelOf(obliqueCarm, pose), obliqueCarm.detector_spacing_mm
    beside, below = (np.add(centre, np.divide(way, pitch)) for way in ((9.0, 0.0), (0.0, 9.0)))
    moved = dragged(obliqueCarm, pose, Grip.TURN, beside, below)
    above = np.add(CENTRE_MM, (0.0, 0.0, 20.0))
    before, after = ((pixelOf(obliqueCarm, at, above) - centre) * pitch for at in (pose, moved))
    assert np.allclose(after, (-before[1], before[0]), atol=1e-6), "a quarter clockwise"


def test_steps_of_the_wheel_leave_the_place_in_the_picture(obliqueCarm, pose):
    moved = deeper(pose, obliqueCarm, CENTRE_MM, 4)
    assert np.allclose(pixelOf(obliqueCarm, moved), pixelOf(obliqueCarm, pose))
    depth = transform_points(obliqueCarm.camera_from_world @ moved, CENTRE_MM)[2]
    assert np.isclose(depth, 660.0)


def test_the_share_in_sight_counts_points_and_knows_the_source(obliqueCarm, pose):
    inside = CENTRE_MM + np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    aside = np.add(CENTRE_MM, (5000.0, 0.0, 0.0))
    assert shareInSight(obliqueCarm, pose, inside) == 1.0
    assert shareInSight(obliqueCarm, pose, np.vstack([inside, aside])) == 0.75
    assert shareInSight(obliqueCarm, pose, np.vstack([inside, np.add(CENTRE_MM, (0.0, 900.0, 0.0))])) < 0
