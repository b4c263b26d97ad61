"""Many poses at once are the same as one chart after the other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart, moved_poses, parameters_between, twists_from_parameters

CENTRE_MM = np.array([12.0, -35.0, 80.0])
SCALES = np.array([0.4, 0.4, 0.4, 30.0, 30.0, 60.0])


@pytest.fixture
def poses() -> NDArray[np.float64]:
    rng = np.random.default_rng(3)
    base = np.eye(4)
    base[:3, 3] = (5.0, -8.0, 600.0)
    chart = PoseChart(base, np.eye(4), CENTRE_MM)
    on_axis = chart.world_from_volume_at(-chart.parameters_of(base))
    on_axis[0, :3, 3] = (0, 0, 620) - on_axis[0, :3, :3] @ CENTRE_MM
    return np.concatenate([chart.world_from_volume_at(rng.normal(size=(5, 6)) * SCALES), on_axis])


@pytest.fixture
def parameters(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.random.default_rng(4).normal(size=(len(poses), 6)) * SCALES


def test_poses_move_as_in_their_charts(poses: NDArray[np.float64], parameters: NDArray[np.float64]) -> None:
    moved = moved_poses(poses, CENTRE_MM, parameters)
    for pose, values, found in zip(poses, parameters, moved, strict=True):
        expected = PoseChart(pose, np.eye(4), CENTRE_MM).world_from_volume_at(values)[0]
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_parameters_between_poses_are_those_they_were_moved_by(
    poses: NDArray[np.float64], parameters: NDArray[np.float64]
) -> None:
    moved = moved_poses(poses, CENTRE_MM, parameters)
    np.testing.assert_allclose(parameters_between(poses, moved, CENTRE_MM), parameters, atol=1e-8)


def test_each_pose_may_have_a_centre_of_its_own(poses: NDArray[np.float64], parameters: NDArray[np.float64]) -> None:
    centres = CENTRE_MM + np.arange(3.0 * len(poses)).reshape(-1, 3)
    moved = moved_poses(poses, centres, parameters)
    for pose, centre, values, found in zip(poses, centres, parameters, moved, strict=True):
        expected = PoseChart(pose, np.eye(4), centre).world_from_volume_at(values)[0]
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_twists_are_those_of_the_charts_in_any_camera(poses: NDArray[np.float64]) -> None:
    other_from_camera = PoseChart(poses[0], np.eye(4), CENTRE_MM).world_from_volume_at(SCALES)[0]
    for other in (None, other_from_camera):
        found = twists_from_parameters(poses, CENTRE_MM, other)
        for pose, jacobian in zip(poses, found, strict=True):
            chart = PoseChart(pose, np.eye(4), CENTRE_MM)
            expected = chart.twist_from_parameters(np.zeros(6), np.eye(4) if other is None else other)[0]
            np.testing.assert_allclose(jacobian, expected, atol=1e-8)
