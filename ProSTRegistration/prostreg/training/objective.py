"""The loss of a batch: how far the gradient of L_N is from the one that leads to the truth."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor

from prostreg.prost.losses import gradient_direction_loss, gradient_distance_loss
from prostreg.prost.network import ProSTNetwork, gradient_of
from prostreg.training.batches import Batch
from prostreg.training.config import TrainingConfig

VALUE_SCALE = 10.0
"""Half the squared distance of starts at their spread is 3; its square is divided by this."""


class Losses(NamedTuple):
    """Parts of a loss, each a scalar.

    Attributes:
        total: what is minimised.
        gradient: of the chosen kind.
        value: of L_N against half the squared whitened distance.
        estimate: of the poses that the network tells of both sides; 0 where it tells none.
    """

    total: Tensor
    gradient: Tensor
    value: Tensor
    estimate: Tensor


def gradient_losses(
    network: ProSTNetwork,
    moved: Callable[[Tensor], Tensor],
    batch: Batch,
    config: TrainingConfig,
    autocast: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Losses:
    """The losses at a batch's starts, which can be differentiated by the weights.

    Args:
        moved: projected features (n, C, s, s) at the starts, moved by twists (n, 6).
        autocast: precision of the network; projection, derivatives and losses keep theirs.
    """
    whitened = torch.zeros(len(batch.xrays), 6, device=batch.xrays.device, requires_grad=True)
    twists = (batch.twist_from_whitened @ whitened[..., None])[..., 0]
    with autocast():
        fixed = network.fixed_features(batch.xrays)
    moving = moved(twists)
    with autocast():
        comparison = network.compare(moving, fixed)
        of_fixed = network.fixed_pose_estimate(fixed)
    gradient = gradient_of(comparison, whitened, create_graph=True)
    of_gradient = _gradient_loss(config.loss, gradient, -batch.to_truth)
    half_squared = 0.5 * (batch.to_truth**2).sum(dim=-1)
    of_value = ((comparison.similarity - half_squared) ** 2).mean() / VALUE_SCALE
    of_estimate = torch.zeros_like(of_value)
    if comparison.pose_estimate is not None and of_fixed is not None:
        of_estimate = ((of_fixed - batch.true_pose) ** 2).mean()
        of_estimate = of_estimate + ((comparison.pose_estimate - batch.start_pose) ** 2).mean()
    total = of_gradient + config.value_weight * of_value + config.estimate_weight * of_estimate
    return Losses(total, of_gradient, of_value, of_estimate)


def _gradient_loss(kind: str, gradient: Tensor, target: Tensor) -> Tensor:
    if kind == "direction":
        return gradient_direction_loss(gradient, target).mean()
    if kind == "distance":
        return gradient_distance_loss(gradient, target).mean()
    return ((gradient - target) ** 2).mean()
