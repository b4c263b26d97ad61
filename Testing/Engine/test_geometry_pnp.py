"""Poses from paired landmarks: exact without noise, told apart from mirror images, and honest about what is wrong."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from Patience import PATIENCE_S
from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import invert_rigid, transform_points
from prostreg.geometry.pnp import pose_from_landmarks
from prostreg.geometry.standard_views import standard_view

PELVIS = np.array(
    [
        [120, 20, 60], [-120, 20, 60], [30, 60, -40], [-30, 60, -40], [60, -60, 10], [-60, -60, 10], [0, -70, 40],
        [90, 10, -20],
    ],
    dtype=float,
)  # fmt: skip
LEFT_FOR_RIGHT = [1, 0, 3, 2, 5, 4, 6, 7]
CARM = CArm.from_sdd(1020.0, (0.6, 0.6), (512, 480))
AP = standard_view("AP", PELVIS.mean(axis=0), 650.0)


def random_pose(rng: np.random.Generator, centre_mm: np.ndarray) -> np.ndarray:
    """A pose with any rotation that puts a point somewhere between source and detector."""
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    pose = np.eye(4)
    pose[:3, :3] = rotation * np.linalg.det(rotation)
    pose[:3, 3] = rng.uniform([-60, -60, 500], [60, 60, 800]) - pose[:3, :3] @ centre_mm
    return pose


def random_case(seed: int, landmarks: int, views: int, flat: bool = False):
    """Landmarks, the true pose, and for each view a C-arm that stands anywhere, with the exact marks."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-100, 100, (landmarks, 3))
    points[:, 1] *= not flat
    points = transform_points(random_pose(rng, np.zeros(3)), points)
    centre = points.mean(axis=0)
    truth = random_pose(rng, centre)
    seen = []
    for _ in range(views):
        camera_from_world = random_pose(rng, centre) @ invert_rigid(truth)
        carm = CArm.from_sdd(1020.0, (0.6, 0.5), (512, 480), (300.0, 190.0), camera_from_world)
        seen.append((carm, carm.project_world(transform_points(truth, points))))
    return points, truth, seen


def error_mm(found: np.ndarray, truth: np.ndarray, points: np.ndarray) -> float:
    return float(np.linalg.norm(transform_points(found, points) - transform_points(truth, points), axis=1).mean())


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("landmarks", "views", "flat"), [(4, 1, False), (7, 1, False), (6, 1, True), (3, 2, False)])
def test_exact_marks_give_the_exact_pose_without_any_start(seed, landmarks, views, flat):
    points, truth, seen = random_case(seed, landmarks, views, flat)
    found = pose_from_landmarks(points, seen)
    assert error_mm(found.world_from_volume, truth, points) < 1e-6
    assert found.rms_mm < 1e-6
    assert found.warning is None
    assert np.linalg.det(found.world_from_volume[:3, :3]) == pytest.approx(1, abs=1e-9)


def test_noise_of_a_pixel_costs_millimetres_and_a_second_view_takes_them_back():
    rng = np.random.default_rng(8)
    errors = {1: [], 2: []}
    for seed in range(10):
        points, truth, seen = random_case(seed, 8, 2)
        noisy = [(carm, pixels + rng.normal(size=pixels.shape)) for carm, pixels in seen]
        for views in errors:
            found = pose_from_landmarks(points, noisy[:views])
            errors[views].append(error_mm(found.world_from_volume, truth, points))
            assert 0.05 < found.rms_mm < 1.0
    assert np.median(errors[1]) < 10
    assert np.median(errors[2]) < 0.5 * np.median(errors[1])


def test_landmarks_may_be_marked_in_some_views_only():
    points, truth, seen = random_case(3, 6, 2)
    (first, in_first), (second, in_second) = seen
    in_first[[0, 1, 5]], in_second[[2, 5]] = np.nan, np.nan
    found = pose_from_landmarks(points, [(first, in_first), (second, in_second)])
    assert error_mm(found.world_from_volume, truth, points) < 1e-6
    assert np.isnan(found.residuals_px[0]).tolist() == [True, True, False, False, False, True]
    assert np.isnan(found.residuals_mm[1]).tolist() == [False, False, True, False, False, True]


def test_residuals_are_the_distances_to_marks_and_rays():
    """One mark 10 pixels off among many exact ones: that one stands out, by what it is off at its depth."""
    rng = np.random.default_rng(1)
    points = np.concatenate([PELVIS, rng.uniform(-90, 90, (40, 3))])
    marks = CARM.project(transform_points(AP, points))
    marks[3] += [0.0, 10.0]
    found = pose_from_landmarks(points, [(CARM, marks)])
    assert found.residuals_px[0].argmax() == found.residuals_mm[0].argmax() == 3
    assert found.residuals_px[0][3] == pytest.approx(10.0, rel=0.1)
    depth = transform_points(AP, points[3])[2]
    assert found.residuals_mm[0][3] == pytest.approx(10.0 * 0.6 * depth / 1020.0, rel=0.15)
    assert found.rms_mm == pytest.approx(np.sqrt(np.mean(found.residuals_mm[0] ** 2)))


def test_a_wrong_pair_has_the_largest_residual():
    marks = CARM.project(transform_points(AP, PELVIS))
    marks[6] += [60.0, -30.0]
    found = pose_from_landmarks(PELVIS, [(CARM, marks)])
    assert found.residuals_mm[0].argmax() == 6
    assert found.rms_mm > 3
    assert not found.mirrored


@pytest.mark.parametrize("cause", ["flipped", "swapped"])
def test_a_flipped_picture_and_swapped_sides_are_recognised(cause):
    marks = CARM.project(transform_points(AP, PELVIS))
    if cause == "flipped":
        marks[:, 0] = CARM.width - 1 - marks[:, 0]
    else:
        marks = marks[LEFT_FOR_RIGHT]
    keep = slice(0, 7)
    found = pose_from_landmarks(PELVIS[keep], [(CARM, marks[keep])])
    assert found.mirrored
    assert "flipped left-right" in found.warning
    assert "swapped" in found.warning


def faults_of(points, *views) -> str:
    with pytest.raises(InputError) as caught:
        pose_from_landmarks(points, views)
    return str(caught.value)


class TestFaults:
    marks = CARM.project(transform_points(AP, PELVIS))

    def test_too_few_marks_are_counted(self):
        few, fewer = self.marks.copy(), self.marks.copy()
        few[3:], fewer[2:] = np.nan, np.nan
        text = faults_of(PELVIS, (CARM, few), (CARM, fewer))
        assert "3 in view 1 and 2 in view 2" in text
        assert "4 or more in one X-ray" in text
        assert "there is no view" in faults_of(PELVIS)
        assert "0 in view 1" in faults_of([], (CARM, []))

    def test_all_faults_come_at_once_and_name_landmarks(self):
        points, marks = PELVIS.copy(), self.marks.copy()
        points[1, 2] = np.nan
        points[4] = points[2] + 0.1
        marks[5, 0], marks[7, 1] = np.inf, np.nan
        text = faults_of(points, (CARM, marks))
        assert "Landmark 2 has no finite place" in text
        assert "Landmarks 3 and 5 lie at the same place" in text
        assert "mark of landmark 6 in view 1" in text
        assert "mark of landmark 8 in view 1" in text

    def test_landmarks_on_a_line_determine_no_turn(self):
        points = np.arange(5)[:, None] * [10.0, 5.0, 30.0] + [[0.5, 0, 0], [0, 0, 0], [0, 0.5, 0], [0, 0, 0], [0, 0, 0]]
        text = faults_of(points, (CARM, self.marks[:5]))
        assert "Landmarks 1, 2, 3, 4 and 5 lie nearly on one line" in text

    def test_a_landmark_that_is_nowhere_marked_is_no_fault(self):
        points, marks = PELVIS.copy(), self.marks.copy()
        points[0], marks[0] = points[1], np.nan
        assert pose_from_landmarks(points, [(CARM, marks)]).rms_mm < 1e-6

    def test_tables_of_another_shape(self):
        assert "shape 8x2" in faults_of(PELVIS[:, :2], (CARM, self.marks))
        assert "View 1 has 7 marks for 8 landmarks" in faults_of(PELVIS, (CARM, self.marks[:7]))
        assert "no table of numbers" in faults_of(PELVIS, (CARM, [["a", "b"]]))


def test_it_needs_neither_torch_nor_scipy():
    code = "import sys; sys.modules.update(torch=None, scipy=None); import prostreg.geometry.pnp"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE_S)
