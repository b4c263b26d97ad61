"""The expected error over points, for covariances that couple turns with shifts, against the motion itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import transform_points
from prostreg.geometry.standard_views import standard_view
from prostreg.registration.expected_error import LARGEST_FALL, REDUCTIONS, STEPS, expected_error

CENTRE = np.array([4.0, -6.0, 3.0])
POSE = standard_view("left lateral", CENTRE, 600.0)
POSE[:3, 3] += 40.0, -70.0, 15.0  # away from the middle ray: the chart's axes are not the camera's
CHART = PoseChart(POSE, np.eye(4), CENTRE)
TURN, SHIFT = 1e-4, 1e-2


def moved_mm(parameters: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How far points go when the pose changes (rms over points), by the chart itself."""
    there = transform_points(CHART.world_from_volume_at(parameters)[0], points)
    difference = there - transform_points(CHART.world_from_volume, points)
    return np.sqrt((difference**2).sum(axis=1).mean())


def expected_mm(direction: np.ndarray, points: np.ndarray) -> float:
    """The expected error where the pose can only err along one direction."""
    return expected_error(np.outer(direction, direction), CHART, points).mtre_mm


@pytest.mark.parametrize("signs", list(itertools.product([1, -1], repeat=2)))
@pytest.mark.parametrize(("turn", "shift"), list(itertools.product(range(3), range(3, 6))))
def test_a_turn_coupled_with_a_shift(turn, shift, signs):
    """One point off the centre in one direction: a wrong sign of its lever arm adds where it should cancel."""
    direction = np.zeros(6)
    direction[turn], direction[shift] = signs[0] * TURN, signs[1] * SHIFT
    for offset in 100 * np.vstack([np.eye(3), -np.eye(3)]):
        point = (CENTRE + POSE[:3, :3].T @ CHART.camera_from_axes @ offset)[None]
        assert expected_mm(direction, point) == pytest.approx(moved_mm(direction, point), rel=2e-3, abs=1e-6)


@pytest.mark.parametrize(("one", "other"), [(0, 1), (0, 2), (1, 2)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_turn_coupled_with_another_turn(one, other, sign):
    direction = np.zeros(6)
    direction[one], direction[other] = TURN, sign * TURN
    points = CENTRE + np.random.default_rng(0).normal(0, 60, (7, 3))
    assert expected_mm(direction, points) == pytest.approx(moved_mm(direction, points), rel=2e-3)


def test_a_full_covariance_is_the_sum_over_its_directions():
    rng = np.random.default_rng(2)
    root = rng.normal(0, 1, (6, 6)) * np.array([TURN] * 3 + [SHIFT] * 3)[:, None]
    points = CENTRE + rng.normal(0, 60, (9, 3))
    error = expected_error(root @ root.T, CHART, points)
    moved = [moved_mm(column, points) for column in root.T]
    assert error.mtre_mm == pytest.approx(np.sqrt(np.square(moved).sum()), rel=2e-3)
    deviations = np.sqrt(np.diag(root @ root.T))
    np.testing.assert_allclose(error.rotation_deg, np.rad2deg(deviations[:3]))
    np.testing.assert_allclose(error.translation_mm, deviations[3:])


def test_a_shift_alone_moves_every_point_alike_and_a_turn_leaves_the_centre():
    points = CENTRE + np.random.default_rng(1).normal(0, 60, (5, 3))
    for axis in range(3):
        assert expected_mm(2.5 * np.eye(6)[3 + axis], points) == pytest.approx(2.5)
        assert expected_mm(0.1 * np.eye(6)[axis], CENTRE[None]) == pytest.approx(0, abs=1e-9)


def test_what_numbers_cannot_hold_counts_as_nothing():
    error = expected_error(-1e-12 * np.eye(6), CHART, CENTRE[None])
    assert (error.rotation_deg == 0).all()
    assert (error.translation_mm == 0).all()
    assert error.mtre_mm == 0


def test_the_steps_are_half_a_degree_and_half_a_millimetre_and_shrink_by_thirds():
    np.testing.assert_allclose(STEPS, [np.deg2rad(0.5)] * 3 + [0.5, 0.5, 3.0])
    np.testing.assert_allclose(REDUCTIONS, [1, 1 / 3, 1 / 9, 1 / 27])
    assert LARGEST_FALL == 0.05
