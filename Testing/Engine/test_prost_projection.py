"""The ProST module: the reference's values, right in its first and second derivatives, whatever the chunks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from prostreg.geometry.carm import CArm
from prostreg.geometry.se3 import exp_se3
from prostreg.images.volume import Volume
from prostreg.projector.reference import ReferenceProjector
from prostreg.prost.projection import project_features

CARM = CArm(np.array([[60.0, 0, 2.4], [0, 66.0, 1.7], [0, 0, 1]]), (6, 5))
CAMERA_FROM_PIXEL = torch.from_numpy(np.linalg.inv(CARM.intrinsics))
TWISTS = torch.tensor([[0.3, -0.2, 0.1, 0.3, 0.2, 1.0], [-0.1, 0.4, 0.9, -0.5, 0.1, -2.0], [0.0, 1.5, 0.2, 0.1, 0, 0]])


def oblique_grid(shape: tuple[int, int, int]) -> torch.Tensor:
    """``volume_from_index`` with turned axes and spacings of 0.8, 1.1 and 1.5 mm, centred on the origin."""
    axes = Rotation.from_euler("xyz", [10, 20, 30], degrees=True).as_matrix() @ np.diag([0.8, 1.1, 1.5])
    volume_from_index = np.eye(4)
    volume_from_index[:3, :3] = axes
    volume_from_index[:3, 3] = -axes @ ((np.array(shape[::-1]) - 1) / 2)
    return torch.from_numpy(volume_from_index)


def poses(twists: torch.Tensor) -> torch.Tensor:
    """Poses (m, 4, 4) of twists (m, 6) about the volume's origin, 60 mm in front of the source."""
    base = torch.eye(4, dtype=torch.float64)
    base[:3, 3] = torch.tensor([0.13, -0.21, 60.0])
    return base @ exp_se3(twists.double())


def random_features(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def test_each_pose_sees_its_own_volume_as_the_reference_projector_does():
    features = random_features(2, 3, 6, 5, 7)
    grid = oblique_grid((6, 5, 7))
    images = project_features(features, grid, poses(TWISTS), torch.tensor([1, 0, 1]), CAMERA_FROM_PIXEL, CARM.size)
    assert images.shape == (3, 3, CARM.height, CARM.width)
    assert images.flatten(2).amax(-1).min() > 1
    for image, index, pose in zip(images, [1, 0, 1], poses(TWISTS), strict=True):
        for channel in range(3):
            volume = Volume(features[index, channel].numpy().astype(np.float32), grid.numpy())
            expected = ReferenceProjector(volume).render(pose[None].numpy(), CARM)[0]
            np.testing.assert_allclose(image[channel], expected, rtol=1e-5, atol=1e-6)
    of_one = project_features(features, grid, poses(TWISTS), 1, CAMERA_FROM_PIXEL, CARM.size)
    torch.testing.assert_close(of_one[[0, 2]], images[[0, 2]], atol=0, rtol=0)


def test_first_and_second_derivatives_are_right_in_features_and_pose():
    grid = oblique_grid((2, 3, 2))

    def images(features: torch.Tensor, twist: torch.Tensor) -> torch.Tensor:
        return project_features(features, grid, poses(twist), 0, CAMERA_FROM_PIXEL, (4, 3), rays_per_chunk=5)

    assert images(random_features(1, 2, 2, 3, 2), TWISTS[:1]).count_nonzero() > 8
    inputs = (random_features(1, 2, 2, 3, 2).requires_grad_(), TWISTS[:1].double().requires_grad_())
    assert torch.autograd.gradcheck(images, inputs)
    assert torch.autograd.gradgradcheck(images, inputs)


def derivatives(rays_per_chunk: int) -> tuple[torch.Tensor, ...]:
    """Images, the gradient of their energy in the pose, and the gradient of that gradient's energy in everything."""
    features, twists = random_features(2, 3, 6, 5, 7).requires_grad_(), TWISTS.double().requires_grad_()
    images = project_features(
        features,
        oblique_grid((6, 5, 7)),
        poses(twists),
        torch.tensor([1, 0, 1]),
        CAMERA_FROM_PIXEL,
        CARM.size,
        rays_per_chunk,
    )
    (gradient,) = torch.autograd.grad((images**2).sum(), twists, create_graph=True)
    second = torch.autograd.grad((gradient**2).sum(), (features, twists))
    return images, gradient, *second


@pytest.mark.parametrize("rays_per_chunk", [1, 7, 29, 30])
def test_chunks_change_neither_values_nor_derivatives(rays_per_chunk):
    for found, expected in zip(derivatives(rays_per_chunk), derivatives(10**6), strict=True):
        assert expected.abs().max() > 1
        torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


def test_a_loss_of_the_pose_gradient_has_the_derivative_of_finite_differences():
    features = random_features(1, 3, 6, 5, 7).requires_grad_()
    wanted = torch.tensor([[3.0, -2.0, 1.0, 0.1, 0.2, -0.3]], dtype=torch.float64)

    def loss(values: torch.Tensor) -> torch.Tensor:
        twist = TWISTS[:1].double().requires_grad_()
        images = project_features(values, oblique_grid((6, 5, 7)), poses(twist), 0, CAMERA_FROM_PIXEL, CARM.size)
        (gradient,) = torch.autograd.grad(images.square().mean(), twist, create_graph=True)
        return (gradient - wanted).square().sum()

    (derivative,) = torch.autograd.grad(loss(features), features)
    assert derivative.count_nonzero() > features.numel() / 4
    for place in torch.randint(features.numel(), (8,), generator=torch.Generator().manual_seed(1)):
        step = torch.zeros_like(derivative)
        step.view(-1)[place] = 1e-4
        difference = (loss(features + step) - loss(features - step)).item() / 2e-4
        assert derivative.view(-1)[place].item() == pytest.approx(difference, rel=1e-6, abs=1e-8)


def test_an_image_keeps_no_samples_for_its_derivative():
    features, twists = random_features(1, 3, 20, 20, 20).requires_grad_(), TWISTS[:1].double().requires_grad_()
    kept_bytes: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept_bytes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        project_features(features, oblique_grid((20, 20, 20)), poses(twists), 0, CAMERA_FROM_PIXEL, (32, 32), 100)
    padded_features_bytes, samples_of_one_channel_bytes = 3 * 22**3 * 8, 32 * 32 * 20 * 8
    assert sum(kept_bytes.values()) < padded_features_bytes + samples_of_one_channel_bytes
