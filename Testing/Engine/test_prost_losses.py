"""Losses of the gradient: closed forms, and what they teach the weights against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from prostreg.geometry.geodesic import squared_geodesic_distance, squared_geodesic_gradient
from prostreg.geometry.se3 import exp_so3, log_so3, rigid_matrix
from prostreg.prost.cnn import ProSTCnn
from prostreg.prost.crossvit import ProSTCrossVit
from prostreg.prost.losses import gradient_direction_loss, gradient_distance_loss
from prostreg.prost.network import ProSTNetwork
from prostreg.prost.projection import project_features

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

MM_PER_RADIAN = 10.0


def rows(*values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_direction_loss_adds_what_the_angles_of_both_parts_cost():
    target = rows([2, 0, 0, 0, 3, 0], [2, 0, 0, 0, 3, 0], [2, 0, 0, 0, 3, 0], [2, 0, 0, 0, 3, 0])
    sixty = [math.cos(math.pi / 3), math.sin(math.pi / 3), 0]
    gradient = rows([0.1, 0, 0, 0, 9, 0], [0, 0, 5, 0, 1, 0], [-7, 0, 0, 0, -1, 0], [*sixty, 0, 1, 0])
    expected = [0.0, 2.0, 8.0, 2 - 2 * math.cos(math.pi / 3)]
    np.testing.assert_allclose(gradient_direction_loss(gradient, target), expected, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_direction_loss_of_no_gradient_is_finite_and_so_is_its_derivative(dtype):
    gradient = torch.zeros(2, 6, dtype=dtype)
    gradient[1, 3:] = torch.tensor([0.0, 0.0, 1e-12])
    gradient.requires_grad_()
    target = rows([1, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1]).to(dtype)
    losses = gradient_direction_loss(gradient, target)
    np.testing.assert_allclose(losses.detach(), [2.0, 0.0], atol=1e-6)
    (derivative,) = torch.autograd.grad(losses.sum(), gradient)
    assert derivative.isfinite().all()
    assert not derivative[0].any()


def test_distance_loss_is_the_angle_between_rotations_and_the_distance_between_translations():
    about_one_axis = gradient_distance_loss(rows([0, 0.9, 0, 1, 2, 3]), rows([0, 0.4, 0, 1, 4, 2]))
    np.testing.assert_allclose(about_one_axis, [0.5**2 + 5], atol=1e-14)
    gradient, target = rows([0.4, -1.1, 0.3, 0, 0, 0]), rows([-0.2, 0.5, 0.9, 0, 0, 0])
    between = exp_so3(gradient[0, :3]).T @ exp_so3(target[0, :3])
    angle = math.acos((between.trace().item() - 1) / 2)
    np.testing.assert_allclose(gradient_distance_loss(gradient, target), [angle**2], atol=1e-13)


@pytest.mark.parametrize("loss", [gradient_direction_loss, gradient_distance_loss])
def test_losses_have_right_derivatives_and_vanish_only_at_the_target(loss: Loss):
    generator = torch.Generator().manual_seed(8)
    gradient = torch.randn(5, 6, generator=generator, dtype=torch.float64).requires_grad_()
    target = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda values: loss(values, target), gradient)
    assert loss(gradient.detach(), target).min() > 0.1
    at_target = target.clone().requires_grad_()
    (derivative,) = torch.autograd.grad(loss(at_target, target).sum(), at_target)
    np.testing.assert_allclose(loss(target, target), np.zeros(5), atol=1e-20)
    np.testing.assert_allclose(derivative, np.zeros((5, 6)), atol=1e-12)


def random_volumes() -> torch.Tensor:
    return 0.05 * torch.rand(2, 1, 7, 6, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def pose_gradient(network: ProSTNetwork, pose: torch.Tensor) -> torch.Tensor:
    """Gradient (n, 6) of L_N in poses (n, 6) of small volumes, differentiable in the weights."""
    size = network.image_size
    volume_from_index = torch.diag(torch.tensor([1.2, 0.9, 1.0, 1.0], dtype=torch.float64))
    volume_from_index[:3, 3] = torch.tensor([-2.4, -2.2, -3.0])
    pixel_from_camera = torch.tensor([[100.0, 0, 7.2], [0, 100, 7.9], [0, 0, 1]], dtype=torch.float64)
    pose = pose.clone().requires_grad_()
    place_mm = pose[:, 3:] * MM_PER_RADIAN + torch.tensor([0.0, 0, 60], dtype=torch.float64)
    camera_from_volume = rigid_matrix(exp_so3(pose[:, :3]), place_mm)
    moving = project_features(
        network.volume_features(random_volumes()),
        volume_from_index,
        camera_from_volume,
        torch.arange(2),
        torch.linalg.inv(pixel_from_camera),
        (size, size),
    )
    xray = torch.rand(2, 1, size, size, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    similarity = network.similarity(moving, network.fixed_features(xray))
    (gradient,) = torch.autograd.grad(similarity.sum(), pose, create_graph=True)
    return gradient


@contextmanager
def swapped_in(weight: torch.Tensor, values: torch.Tensor) -> Iterator[None]:
    kept = weight.detach().clone()
    weight.data.copy_(values)
    yield
    weight.data.copy_(kept)


@pytest.mark.parametrize("loss", [gradient_direction_loss, gradient_distance_loss])
@pytest.mark.parametrize(("maker", "is_training"), [(ProSTCnn, True), (ProSTCnn, False), (ProSTCrossVit, False)])
def test_weights_are_taught_by_the_derivative_of_finite_differences(maker, is_training, loss: Loss):
    torch.manual_seed(6)
    network = maker(image_size=16).double().train(is_training)
    pose = rows([0.2, -0.1, 0.3, 0.1, -0.05, 0.2], [-0.3, 0.2, 0.5, -0.1, 0.1, -0.3])
    target = squared_geodesic_gradient(pose, torch.zeros_like(pose), mm_per_radian=1.0)
    loss(pose_gradient(network, pose), target).sum().backward()
    taught = [weight for weight in network.parameters() if weight.grad is not None and weight.grad.abs().max() > 1e-6]
    assert taught[0] is next(network.volume_cnn.parameters())
    for weight in taught[:: len(taught) // 5]:
        place = weight.grad.abs().argmax()
        values = []
        for change in (1e-6, -1e-6):
            moved = weight.detach().clone()
            moved.view(-1)[place] += change
            with swapped_in(weight, moved):
                values.append(loss(pose_gradient(network, pose), target).sum().item())
        assert weight.grad.view(-1)[place].item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-4)


def test_the_target_leads_downhill_to_the_true_pose_when_both_are_in_units_of_one_radian():
    generator = torch.Generator().manual_seed(9)
    pose, truth = 0.5 * torch.randn(2, 8, 6, generator=generator, dtype=torch.float64)
    target = squared_geodesic_gradient(pose, truth, mm_per_radian=1.0)
    closer = pose - 0.1 * target
    before, after = (squared_geodesic_distance(p, truth, 1.0) for p in (pose, closer))
    assert (after < before).all()
    towards = log_so3(exp_so3(pose[:, :3]).transpose(-1, -2) @ exp_so3(truth[:, :3]))
    np.testing.assert_allclose(target[:, :3].norm(dim=-1) / towards.norm(dim=-1), np.full(8, 2.0), rtol=0.3)
