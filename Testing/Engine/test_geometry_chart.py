"""The pose chart: what its six numbers do to the anatomy in the image, and how twists follow from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import invert_rigid, transform_points
from prostreg.geometry.se3 import exp_se3
from prostreg.geometry.standard_views import STANDARD_VIEWS, standard_view

CENTRE = np.array([20.0, -140.0, 35.0])


def rigid(*twist: float) -> np.ndarray:
    return exp_se3(torch.tensor(twist, dtype=torch.float64)).numpy()


def chart() -> PoseChart:
    camera_from_world = rigid(0.3, -0.2, 0.1, 5, 6, 7)
    camera_from_volume = standard_view("AP", CENTRE, 650.0)
    camera_from_volume[:3, 3] += [40, -25, 0]
    return PoseChart(invert_rigid(camera_from_world) @ camera_from_volume, camera_from_world, CENTRE)


def centre_in_camera(c: PoseChart, parameters: list[float]) -> np.ndarray:
    return transform_points(c.camera_from_world @ c.world_from_volume_at(parameters)[0], c.centre_mm)


def test_zero_parameters_are_the_pose_itself():
    np.testing.assert_allclose(chart().world_from_volume_at(np.zeros(6))[0], chart().world_from_volume, atol=1e-12)


def test_turns_leave_the_anatomys_centre_where_it_is():
    np.testing.assert_allclose(
        centre_in_camera(chart(), [0.5, -0.7, 1.2, 0, 0, 0]), chart().centre_camera_mm, atol=1e-9
    )


def test_depth_leaves_the_centre_on_its_pixel():
    view = CArm.from_sdd(1000.0, (1.0, 1.0), (256, 256))
    before = view.project(chart().centre_camera_mm)
    after = view.project(centre_in_camera(chart(), [0, 0, 0, 0, 0, 80.0]))
    np.testing.assert_allclose(after, before, atol=1e-9)
    assert centre_in_camera(chart(), [0, 0, 0, 0, 0, 80.0])[2] > chart().centre_camera_mm[2]


def test_shifts_move_the_centre_along_columns_and_rows():
    view = CArm.from_sdd(1000.0, (1.0, 1.0), (256, 256))
    before = view.project(chart().centre_camera_mm)
    along_u = view.project(centre_in_camera(chart(), [0, 0, 0, 10.0, 0, 0])) - before
    along_v = view.project(centre_in_camera(chart(), [0, 0, 0, 0, 10.0, 0])) - before
    assert along_u[0] > 14
    assert abs(along_u[1]) < 0.1 * along_u[0]
    assert along_v[1] > 14
    assert abs(along_v[0]) < 0.1 * along_v[1]


def test_parameters_of_a_pose_are_found_again():
    parameters = np.array([0.4, -0.3, 0.9, 12.0, -30.0, 45.0])
    found = chart().parameters_of(chart().world_from_volume_at(parameters)[0])
    np.testing.assert_allclose(found, parameters, atol=1e-9)


@pytest.mark.parametrize("other_camera", [False, True])
def test_jacobian_to_twists_equals_finite_differences(other_camera):
    c = chart()
    camera_from_world = rigid(-0.5, 0.8, 0.2, 50, -20, 300) if other_camera else c.camera_from_world
    parameters = np.array([0.3, -0.5, 0.2, 5.0, 8.0, -20.0])
    jacobian = c.twist_from_parameters(parameters, camera_from_world)[0]
    here = camera_from_world @ c.world_from_volume_at(parameters)[0]
    for index in range(6):
        step = np.zeros(6)
        step[index] = 1e-6
        there = camera_from_world @ c.world_from_volume_at(parameters + step)[0]
        change = (there @ invert_rigid(here) - np.eye(4)) / 1e-6
        twist = [change[2, 1], change[0, 2], change[1, 0], *change[:3, 3]]
        np.testing.assert_allclose(jacobian[:, index], twist, atol=2e-3, rtol=1e-5)


@pytest.mark.parametrize("name", STANDARD_VIEWS)
def test_standard_views_are_proper_and_show_head_or_front_up(name):
    matrix = standard_view(name, CENTRE, 600.0)
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1)
    np.testing.assert_allclose(transform_points(matrix, CENTRE), [0, 0, 600], atol=1e-9)
    is_along_body = name == "axillary" or "hip" in name
    up = (0, 50, 0) if is_along_body else (0, 0, 50)
    assert transform_points(matrix, CENTRE + np.array(up))[1] < 0


def test_frontal_view_seen_from_the_source_has_the_patients_left_on_the_right():
    left_of_centre = transform_points(standard_view("AP", CENTRE, 600.0), CENTRE + np.array([-30, 0, 0]))
    assert left_of_centre[0] > 0
    nearer_to_source = transform_points(standard_view("AP", CENTRE, 600.0), CENTRE + np.array([0, 30, 0]))
    assert nearer_to_source[2] < 600


def test_a_centre_straight_behind_the_source_has_axes_too():
    behind = np.eye(4)
    behind[:3, 3] = (0.0, 0.0, -500.0)
    axes = PoseChart(behind, np.eye(4), np.zeros(3)).camera_from_axes
    np.testing.assert_allclose(axes[:, 2], [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)


@pytest.mark.parametrize("ray", [(0, 0, 1), (3, -4, 12), (1, 0, 0), (-2, 5, -1), (1e-7, 0, 1)])
def test_axes_are_the_cameras_turned_onto_the_ray_by_the_shortest_way(ray):
    pose = np.eye(4)
    pose[:3, 3] = ray
    axes = PoseChart(pose, np.eye(4), np.zeros(3)).camera_from_axes
    direction = np.array(ray) / np.linalg.norm(ray)
    np.testing.assert_allclose(axes[:, 2], direction, atol=1e-12)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.trace(axes) == pytest.approx(1 + 2 * direction[2])
