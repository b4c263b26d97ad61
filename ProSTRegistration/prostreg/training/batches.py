"""Batches of a training step: X-rays, start poses, and where the truth lies from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import moved_poses, parameters_between, twists_from_parameters
from prostreg.training.augmentation import augmented
from prostreg.training.config import TrainingConfig
from prostreg.training.xray_bank import XrayBank


@dataclass(frozen=True, eq=False)
class Batch:
    """n X-rays, each with a start pose.

    Attributes:
        patients: (n,) which patient each shows.
        xrays: (n, 1, s, s).
        carms: of the X-rays.
        camera_from_volume: start poses (n, 4, 4).
        twist_from_whitened: (n, 6, 6).
        to_truth: (n, 6) whitened parameters of the true pose in the chart at the start.
        true_pose: (n, 6) whitened parameters of the true pose in the chart of the standard view.
        start_pose: (n, 6) the same of the start.
    """

    patients: NDArray[np.int64]
    xrays: Tensor
    carms: tuple[CArm, ...]
    camera_from_volume: NDArray[np.float64]
    twist_from_whitened: Tensor
    to_truth: Tensor
    true_pose: Tensor
    start_pose: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch with its tensors on a device."""
        return replace(
            self,
            xrays=self.xrays.to(device),
            twist_from_whitened=self.twist_from_whitened.to(device),
            to_truth=self.to_truth.to(device),
            true_pose=self.true_pose.to(device),
            start_pose=self.start_pose.to(device),
        )


def drawn_batch(
    config: TrainingConfig,
    banks: Sequence[XrayBank],
    centres_mm: Sequence[NDArray[np.float64]],
    rng: np.random.Generator,
) -> Batch:
    """A batch for training: any X-rays of any patients, augmented."""
    patients = rng.integers(len(banks), size=config.batch)
    numbers = [int(rng.integers(len(banks[patient].images))) for patient in patients]
    scales = rng.uniform(*config.scene.start_scale, size=config.batch)
    offsets = np.array([scale * config.scene.starts.parameters(rng) for scale in scales])
    batch = batch_of(config.scene.spread, banks, centres_mm, patients, numbers, offsets)
    images = augmented(batch.xrays.numpy()[:, 0], config.augmentation, rng)
    return replace(batch, xrays=torch.from_numpy(images[:, None]))


def batch_of(
    spread: NDArray[np.float64],
    banks: Sequence[XrayBank],
    centres_mm: Sequence[NDArray[np.float64]],
    patients: NDArray[np.int64],
    numbers: Sequence[int],
    offsets: NDArray[np.float64],
) -> Batch:
    """A batch of chosen X-rays with starts at ``offsets`` (n, 6) from their truth, in rad and mm."""
    chosen = list(zip(patients, numbers, strict=True))
    truth = np.array([banks[patient].camera_from_volume[number] for patient, number in chosen])
    base = np.array([banks[patient].base[number] for patient, number in chosen])
    centres = np.array([centres_mm[patient] for patient in patients])
    starts = moved_poses(truth, centres, offsets)
    return Batch(
        patients=patients,
        xrays=torch.from_numpy(np.stack([banks[patient].images[number] for patient, number in chosen])[:, None]),
        carms=tuple(banks[patient].carm(number) for patient, number in chosen),
        camera_from_volume=starts,
        twist_from_whitened=_tensor(twists_from_parameters(starts, centres) * spread),
        to_truth=_tensor(parameters_between(starts, truth, centres) / spread),
        true_pose=_tensor(parameters_between(base, truth, centres) / spread),
        start_pose=_tensor(parameters_between(base, starts, centres) / spread),
    )


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
