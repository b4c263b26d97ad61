"""The demo's case: the usual AP picture, landmarks on the bone, and no contrast agent in the fluoroscopy."""

import numpy as np
import pytest

from prostreg.geometry.frames import rigid_faults, transform_points
from prostreg.images.volume import Volume
from prostreg.samples.demo_case import (
    ISOCENTRE_TO_DETECTOR_MM,
    SDD_MM,
    ap_pose,
    demo_carm,
    rough_start,
    structure_landmarks_mm,
    without_contrast_agent,
)

CENTRE = np.array([10.0, -70.0, -240.0])


def test_the_patients_right_is_on_the_left_and_the_head_above():
    carm, pose = demo_carm(), ap_pose(CENTRE, np.eye(3))
    assert rigid_faults(pose, "pose") == []
    u, v = carm.project(transform_points(pose, CENTRE))
    assert (u, v) == pytest.approx(carm.principal_point)
    right, head = np.add(CENTRE, [30, 0, 0]), np.add(CENTRE, [0, 0, 30])
    pixels_per_mm = carm.intrinsics[0, 0] / (SDD_MM - ISOCENTRE_TO_DETECTOR_MM)
    assert carm.project(transform_points(pose, right)) == pytest.approx((u - 30 * pixels_per_mm, v))
    assert carm.project(transform_points(pose, head)) == pytest.approx((u, v - 30 * pixels_per_mm))


def test_the_beam_enters_at_the_front():
    source_in_patient = np.linalg.inv(ap_pose(CENTRE, np.eye(3)))[:3, 3]
    np.testing.assert_allclose(source_in_patient, np.add(CENTRE, [0, SDD_MM - ISOCENTRE_TO_DETECTOR_MM, 0]), atol=1e-9)


def test_a_rough_start_turns_about_the_anatomy():
    truth = ap_pose(CENTRE, np.eye(3))
    start = rough_start(truth, CENTRE, np.random.default_rng(5))
    assert rigid_faults(start, "start") == []
    cosine = (np.trace(start[:3, :3].T @ truth[:3, :3]) - 1) / 2
    assert np.rad2deg(np.arccos(cosine)) == pytest.approx(15.0)
    assert 20 <= np.linalg.norm(transform_points(start, CENTRE) - transform_points(truth, CENTRE)) <= 40


def test_landmarks_are_centres_and_tips():
    labels = np.zeros((10, 10, 10), dtype=np.int32)
    labels[2:5, 3, 4:9] = 7
    volume = Volume(labels, np.diag([2.0, 2.0, 3.0, 1.0]))
    landmarks = structure_landmarks_mm(volume, [7])
    np.testing.assert_allclose(landmarks[0], [12.0, 6.0, 9.0])
    assert landmarks.shape == (7, 3)
    assert landmarks[1][0] == 8.0
    assert landmarks[2][0] == 16.0
    assert landmarks[5][2] == 6.0
    assert landmarks[6][2] == 12.0


def test_contrast_agent_goes_and_bone_stays():
    hu = np.full((12, 12, 12), 40.0, dtype=np.float32)
    labels = np.zeros(hu.shape, dtype=np.int32)
    hu[2:6, 2:6, 2:6], labels[2:6, 2:6, 2:6] = 370.0, 52
    hu[2:6, 2:6, 6:9], labels[2:6, 2:6, 6:9] = 400.0, 31
    plain = without_contrast_agent(Volume(hu, np.eye(4)), Volume(labels, np.eye(4))).values
    assert plain[labels == 52].max() == 60.0
    assert (plain[labels == 31] == 400.0).all()
    assert (plain[labels == 0] == 40.0).all()
