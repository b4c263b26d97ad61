"""What a step minimises: the loss of the gradient in closed form, batches, augmentation, projection; the descent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from prostreg.errors import InputError, Stopped
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.prost.feature_projection import FusedFeatures, TorchFeatures
from prostreg.prost.network import Comparison, ProSTNetwork
from prostreg.search.learned_descent import STEPS, STILL, learned_descent
from prostreg.training.augmentation import augmented
from prostreg.training.batches import Batch, batch_of, drawn_batch
from prostreg.training.config import Augmentation, TrainingConfig, training_config
from prostreg.training.objective import VALUE_SCALE, gradient_losses
from prostreg.training.trainer import PreparedBatch, Trainer
from prostreg.training.xray_bank import XrayBank

SPREAD = np.array([0.3, 0.25, 0.2, 20.0, 25.0, 50.0])
CENTRES = [np.array([5.0, -12.0, 30.0]), np.array([-3.0, 4.0, 0.0])]


def configuration(**changes: Any) -> TrainingConfig:
    """Settings of which a test needs but a few."""
    deviations = [*np.rad2deg(SPREAD[:3]), *SPREAD[3:]]
    names = ("tilt_u_deg", "tilt_v_deg", "in_plane_deg", "shift_u_mm", "shift_v_mm", "depth_mm")
    draws = {name: {"normal": [0, float(deviation)]} for name, deviation in zip(names, deviations, strict=True)}
    scene = {"sdd_mm": [1000, 1000], "isocentre_share": [0.6, 0.6], "field_mm": [300, 300], "start_scale": [1, 1]}
    content = {
        "network": {"name": "prost-light"},
        "patients": "none.json",
        "scene": {**scene, "truth": draws, "starts": draws, "simulator": "clean"},
        "augmentation": {"share": 0.5, "gamma": [0.7, 1.3], "noise": [0, 0.06], "boxes": 2},
        "xrays_per_patient": 1, "renew_every_steps": 1, "batch": 5, "steps": 1, "learning_rate": 0.01,
        "validate_every_steps": 1, "checkpoint_every_steps": 1,
    }  # fmt: skip
    return training_config({**content, **changes}, "The test")


def bank(seed: int, xrays: int = 4) -> XrayBank:
    """X-rays of noise with poses near AP."""
    rng = np.random.default_rng(seed)
    base = np.array([standard_view("AP", CENTRES[seed], 620.0)] * xrays)
    offsets = SPREAD * rng.normal(0, 0.5, (xrays, 6))
    poses = [
        PoseChart(view, np.eye(4), CENTRES[seed]).world_from_volume_at(o)[0]
        for view, o in zip(base, offsets, strict=True)
    ]
    images = rng.random((xrays, 8, 8), dtype=np.float32)
    return XrayBank(images, np.array(poses), base, np.full(xrays, 1000.0), np.full(xrays, 300.0))


class Bowl(ProSTNetwork):
    """L_N is half the squared length of the projection, times a weight."""

    feature_channels, image_size = 1, 1

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(0.7))

    def volume_features(self, attenuation: torch.Tensor) -> torch.Tensor:
        return attenuation

    def fixed_features(self, xray: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (xray,)

    def similarity(self, moving: torch.Tensor, fixed: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return 0.5 * self.weight * (moving**2).flatten(1).sum(dim=1)


class BowlWithPoses(Bowl):
    """Also tells poses: the weight for the moving side, twice the weight for the fixed one."""

    def compare(self, moving: torch.Tensor, fixed: tuple[torch.Tensor, ...]) -> Comparison:
        return Comparison(self.similarity(moving, fixed), self.weight.expand(len(moving), 6))

    def fixed_pose_estimate(self, fixed: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return 2 * self.weight.expand(len(fixed[0]), 6)


def random_batch(count: int = 3) -> Batch:
    generator = torch.Generator().manual_seed(5)
    parts = {name: torch.randn(count, 6, generator=generator) for name in ("to_truth", "true_pose", "start_pose")}
    return Batch(
        patients=np.zeros(count, dtype=np.int64),
        xrays=torch.zeros(count, 1, 1, 6),
        carms=(),
        camera_from_volume=np.tile(np.eye(4), (count, 1, 1)),
        twist_from_whitened=torch.randn(count, 6, 6, generator=generator),
        **parts,
    )


def test_the_whitened_loss_and_its_derivative_have_their_closed_forms() -> None:
    batch, network, config = random_batch(), Bowl(), configuration(loss="whitened", value_weight=0.25)
    at_start = torch.randn(3, 1, 1, 6, generator=torch.Generator().manual_seed(6))
    losses = gradient_losses(network, lambda twists: at_start + twists[:, None, None], batch, config)
    weight = network.weight.item()
    pull = torch.einsum("nij,ni->nj", batch.twist_from_whitened, at_start[:, 0, 0])
    left = weight * pull + batch.to_truth
    squares = (at_start**2).sum(dim=(1, 2, 3))
    value_left = 0.5 * weight * squares - 0.5 * (batch.to_truth**2).sum(dim=1)
    assert losses.gradient.item() == pytest.approx((left**2).mean().item(), rel=1e-5)
    assert losses.value.item() == pytest.approx((value_left**2).mean().item() / VALUE_SCALE, rel=1e-5)
    assert losses.estimate.item() == 0.0
    assert losses.total.item() == pytest.approx(losses.gradient.item() + 0.25 * losses.value.item(), rel=1e-6)
    losses.total.backward()
    of_gradient, of_value = (2 * left * pull).mean(), (value_left * squares).mean() / VALUE_SCALE
    assert network.weight.grad.item() == pytest.approx((of_gradient + 0.25 * of_value).item(), rel=1e-4)


def test_poses_that_a_network_tells_are_held_to_the_true_ones() -> None:
    batch, network, config = random_batch(), BowlWithPoses(), configuration()
    losses = gradient_losses(network, lambda twists: twists[:, None, None], batch, config)
    weight = network.weight.detach()
    expected = ((2 * weight - batch.true_pose) ** 2).mean() + ((weight - batch.start_pose) ** 2).mean()
    assert losses.estimate.item() == pytest.approx(expected.item(), rel=1e-5)


def test_half_precision_is_for_the_network_alone() -> None:
    seen: list[tuple[bool, torch.dtype]] = []

    def moved(twists: torch.Tensor) -> torch.Tensor:
        seen.append((torch.is_autocast_enabled("cpu"), twists.dtype))
        return twists[:, None, None]

    autocast = lambda: torch.autocast("cpu", dtype=torch.bfloat16)  # noqa: E731
    losses = gradient_losses(Bowl(), moved, random_batch(), configuration(), autocast)
    assert seen == [(False, torch.float32)]
    assert losses.total.dtype == torch.float32


def test_a_gradient_that_is_not_finite_ends_the_training_and_spares_the_weights() -> None:
    network, batch = Bowl(), random_batch()
    trainer = Trainer(network, configuration(), [])
    rendered = type("Images", (), {"moved": staticmethod(lambda twists: twists[:, None, None] / 0.0)})()
    with pytest.raises(InputError, match=r"step 4.*not finite"):
        trainer.step(PreparedBatch(batch, rendered), 3, 0.5)
    assert network.weight.item() == pytest.approx(0.7)


def test_a_step_to_the_truth_ends_exactly_there() -> None:
    banks, patients, numbers = [bank(0), bank(1)], np.array([0, 1, 1, 0]), [3, 0, 2, 1]
    offsets = SPREAD * np.random.default_rng(3).normal(0, 1.2, (4, 6))
    batch = batch_of(SPREAD, banks, CENTRES, patients, numbers, offsets)
    for n, (patient, number) in enumerate(zip(patients, numbers, strict=True)):
        truth, start, centre = banks[patient].camera_from_volume[number], batch.camera_from_volume[n], CENTRES[patient]
        np.testing.assert_allclose(PoseChart(truth, np.eye(4), centre).parameters_of(start), offsets[n], atol=1e-9)
        ended = PoseChart(start, np.eye(4), centre).world_from_volume_at(batch.to_truth[n].double().numpy() * SPREAD)
        np.testing.assert_allclose(ended[0], truth, atol=2e-5)
        base = PoseChart(banks[patient].base[number], np.eye(4), centre)
        for pose, told in ((truth, batch.true_pose[n]), (start, batch.start_pose[n])):
            np.testing.assert_allclose(base.world_from_volume_at(told.double().numpy() * SPREAD)[0], pose, atol=2e-5)
        jacobian = PoseChart(start, np.eye(4), centre).twist_from_parameters(np.zeros(6), np.eye(4))[0] * SPREAD
        np.testing.assert_allclose(batch.twist_from_whitened[n], jacobian, rtol=1e-5, atol=1e-4)
        np.testing.assert_array_equal(batch.xrays[n, 0], banks[patient].images[number])


def test_batches_depend_on_their_seed_and_on_nothing_else() -> None:
    banks, config = [bank(0), bank(1)], configuration()
    first, again, other = (drawn_batch(config, banks, CENTRES, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.xrays, again.xrays)
    np.testing.assert_array_equal(first.camera_from_volume, again.camera_from_volume)
    assert not np.array_equal(first.camera_from_volume, other.camera_from_volume)


def test_augmentations_come_from_the_seed_and_leave_the_bank_alone() -> None:
    images = np.random.default_rng(0).random((40, 16, 16), dtype=np.float32)
    kept = images.copy()
    settings = Augmentation(0.5, (0.7, 1.3), (0.0, 0.06), 2)
    first, again, other = (augmented(images, settings, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(images, kept)
    assert not np.array_equal(first, other)
    untouched = (first == images).all(axis=(1, 2)).sum()
    assert 1 <= untouched <= 15  # an eighth of 40 is expected
    never = Augmentation(0.0, (0.7, 1.3), (0.0, 0.06), 2)
    np.testing.assert_array_equal(augmented(images, never, np.random.default_rng(1)), images)
    only_gamma = augmented(images, Augmentation(1.0, (2.0, 2.0), (0.0, 0.0), 0), np.random.default_rng(1))
    np.testing.assert_allclose(only_gamma, images**2, rtol=1e-5)


def test_both_projections_of_features_move_alike() -> None:
    rng = np.random.default_rng(2)
    k, j, i = np.indices((20, 22, 24), dtype=float)
    channels = []
    for centre, width in (((10, 9, 12), 4.0), ((8, 13, 10), 3.0)):
        squares = (k - centre[0]) ** 2 + (j - centre[1]) ** 2 + (i - centre[2]) ** 2
        volume_from_index = np.diag([4.0, 4.0, 4.0, 1.0])
        volume_from_index[:3, 3] = -40.0, -40.0, -35.0
        channels.append(Volume((0.03 * np.exp(-squares / (2 * width**2))).astype(np.float32), volume_from_index))
    carm = CArm.from_sdd(1000.0, (12.0, 12.0), (16, 16))
    pose = PoseChart(standard_view("AP", np.zeros(3), 620.0), np.eye(4), np.zeros(3)).world_from_volume_at(
        rng.normal(0, 1, (2, 6)) * [0.2, 0.2, 0.2, 10, 10, 10]
    )
    features = torch.from_numpy(np.stack([volume.values for volume in channels]))
    images, derivatives = [], []
    for projection in (FusedFeatures(channels), TorchFeatures(features, channels[0].volume_from_index)):
        twists = torch.zeros(2, 6, requires_grad=True)
        images.append(projection.moving(pose, twists, carm).detach())
        weights = torch.randn(2, 2, 16, 16, generator=torch.Generator().manual_seed(1))
        (derivative,) = torch.autograd.grad((projection.moving(pose, twists, carm) * weights).sum(), twists)
        derivatives.append(derivative)
    assert images[1].max() > 0.5
    np.testing.assert_allclose(images[0], images[1], atol=2e-4)
    scale = derivatives[1].abs().amax(dim=0)
    np.testing.assert_allclose(derivatives[0] / scale, derivatives[1] / scale, atol=2e-3)


class Quadratic:
    """L_N as it should be: half the squared whitened distance to the truth."""

    camera_from_world, centre_mm, spread = np.eye(4), CENTRES[0], SPREAD

    def __init__(self) -> None:
        self.truth = standard_view("AP", CENTRES[0], 600.0)

    def left(self, pose: np.ndarray) -> np.ndarray:
        return PoseChart(pose, np.eye(4), self.centre_mm).parameters_of(self.truth) / self.spread

    def values_and_gradients(self, world_from_volume: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gradients = np.array([-self.left(pose) for pose in world_from_volume])
        return 0.5 * (gradients**2).sum(axis=1), gradients


def test_a_descent_on_what_training_aims_at_arrives() -> None:
    objective = Quadratic()
    offsets = SPREAD * np.random.default_rng(4).normal(0, 1.5, (6, 6))
    starts = PoseChart(objective.truth, np.eye(4), CENTRES[0]).world_from_volume_at(offsets)
    kept = starts.copy()
    descent = learned_descent(objective, starts)
    assert max(np.abs(objective.left(pose)).max() for pose in descent.world_from_volume) < 5 * STILL
    assert descent.steps < STEPS
    assert descent.values.max() < 0.01
    np.testing.assert_array_equal(starts, kept)


def test_a_descent_tells_its_steps_and_can_be_ended() -> None:
    objective, told = Quadratic(), []

    def on_step(step: int, poses: np.ndarray, values: np.ndarray) -> None:
        told.append((step, float(values[0])))
        if step == 3:
            raise Stopped("enough")

    start = PoseChart(objective.truth, np.eye(4), CENTRES[0]).world_from_volume_at(SPREAD)
    with pytest.raises(Stopped):
        learned_descent(objective, start, on_step)
    assert [step for step, _ in told] == [0, 1, 2, 3]
    assert told[-1][1] < told[0][1]
