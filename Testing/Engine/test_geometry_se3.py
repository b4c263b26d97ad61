"""Rigid motions: values and derivatives, at zero, near pi and in between."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from prostreg.geometry.geodesic import squared_geodesic_distance, squared_geodesic_gradient
from prostreg.geometry.se3 import exp_se3, exp_so3, left_jacobian_so3, log_so3

ANGLES = [0.0, 1e-12, 1e-6, 1e-3, 0.1, 0.7, 0.71, 2.0, 3.0, math.pi - 1e-3, math.pi - 1e-7]
AXES = [(1.0, 0.0, 0.0), (0.6, 0.0, -0.8), (-0.48, 0.6, 0.64), (0.0, 0.0, -1.0)]


def rotation_vectors() -> list[torch.Tensor]:
    return [angle * torch.tensor(axis, dtype=torch.float64) for angle in ANGLES for axis in AXES]


@pytest.mark.parametrize("vector", rotation_vectors())
def test_exponential_equals_an_independent_implementation(vector):
    expected = Rotation.from_rotvec(vector.numpy()).as_matrix()
    np.testing.assert_allclose(exp_so3(vector).numpy(), expected, atol=1e-14)


@pytest.mark.parametrize("vector", rotation_vectors())
def test_logarithm_undoes_the_exponential_up_to_pi(vector):
    torch.testing.assert_close(log_so3(exp_so3(vector)), vector, atol=1e-8, rtol=1e-9)


def test_rotation_by_exactly_pi_has_a_logarithm_of_length_pi():
    for axis in AXES:
        rotation = exp_so3(math.pi * torch.tensor(axis, dtype=torch.float64))
        vector = log_so3(rotation)
        assert float(vector.norm()) == pytest.approx(math.pi, abs=1e-7)
        torch.testing.assert_close(exp_so3(vector), rotation, atol=1e-7, rtol=0)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-3, 0.5, 2.0, math.pi - 1e-3])
def test_first_and_second_derivatives_are_right_everywhere(angle):
    vector = (angle * torch.tensor([0.48, -0.6, 0.64], dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(exp_so3, vector)
    assert torch.autograd.gradgradcheck(exp_so3, vector)
    assert torch.autograd.gradcheck(lambda v: log_so3(exp_so3(v)), vector, atol=1e-4)
    assert torch.autograd.gradgradcheck(lambda v: log_so3(exp_so3(v)), vector, atol=1e-4)


def test_rigid_motions_match_the_matrix_exponential():
    generator = torch.Generator().manual_seed(3)
    twists = torch.randn(50, 6, generator=generator, dtype=torch.float64) * torch.tensor([1.0] * 3 + [100.0] * 3)
    matrices = exp_se3(twists)
    algebra = torch.zeros(50, 4, 4, dtype=torch.float64)
    for row, column, index, sign in [(0, 1, 2, -1), (0, 2, 1, 1), (1, 2, 0, -1)]:
        algebra[:, row, column], algebra[:, column, row] = sign * twists[:, index], -sign * twists[:, index]
    algebra[:, :3, 3] = twists[:, 3:]
    torch.testing.assert_close(matrices, torch.linalg.matrix_exp(algebra), atol=1e-8, rtol=1e-8)


def test_left_jacobian_predicts_small_changes():
    vector, change = torch.tensor([0.4, -1.1, 0.7]).double(), 1e-6 * torch.tensor([0.3, 0.5, -0.8]).double()
    moved = exp_so3(vector + change) @ exp_so3(vector).T
    torch.testing.assert_close(log_so3(moved), left_jacobian_so3(vector) @ change, atol=1e-11, rtol=0)


def test_geodesic_distance_counts_angle_and_scaled_translation():
    pose = torch.tensor([0.0, 0.0, 0.0, 10.0, 0.0, 0.0], dtype=torch.float64)
    target = torch.tensor([0.0, 0.3, 0.0, 10.0, 40.0, -30.0], dtype=torch.float64)
    assert float(squared_geodesic_distance(pose, target, 100.0)) == pytest.approx(0.3**2 + 0.5**2)


def test_geodesic_gradient_in_closed_form_equals_automatic_differentiation():
    generator = torch.Generator().manual_seed(5)
    scale = torch.tensor([0.8] * 3 + [60.0] * 3, dtype=torch.float64)
    pose = (torch.randn(40, 6, generator=generator, dtype=torch.float64) * scale).requires_grad_()
    target = torch.randn(40, 6, generator=generator, dtype=torch.float64) * scale
    with torch.no_grad():
        pose[0, :3] = 0
    (expected,) = torch.autograd.grad(squared_geodesic_distance(pose, target, 149.25).sum(), pose)
    torch.testing.assert_close(squared_geodesic_gradient(pose.detach(), target, 149.25), expected, atol=1e-9, rtol=1e-7)
