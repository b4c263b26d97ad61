"""The steps of a training run: a batch, its loss by double backward, the optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prostreg.errors import InputError
from prostreg.prost.feature_projection import FeatureProjection, FusedFeatures, RenderedFeatures, feature_projection
from prostreg.prost.network import ProSTNetwork
from prostreg.prost.network_volume import network_volume
from prostreg.registration.case import Case
from prostreg.training.batches import Batch, drawn_batch
from prostreg.training.config import TrainingConfig
from prostreg.training.objective import gradient_losses
from prostreg.training.xray_bank import XrayBank, trained_centre_mm

LAST_RATE_SHARE = 0.02
BATCHES, DROPOUT = range(2)
"""Independent streams of random numbers of a run."""


class TrainingPatient:
    """A patient as the steps need it: volume channels, their projection, and the anatomy's centre.

    Args:
        patient: CT and anatomy; not kept.
        network: decides which channels there are.
    """

    def __init__(self, patient: Case, network: ProSTNetwork) -> None:
        self.name = patient.name
        self.centre_mm = trained_centre_mm(patient)
        self.channels = network_volume(patient.ct, patient.anatomy, network.volume_channels)
        self._given: FusedFeatures | None = None

    @property
    def given(self) -> FusedFeatures:
        """The projection of channels as they are, made once."""
        if self._given is None:
            self._given = FusedFeatures(self.channels)
        return self._given

    def projection(self, network: ProSTNetwork) -> FeatureProjection:
        """With features as the network makes them at present."""
        return feature_projection(network, self.channels) if network.learns_volume_features else self.given


def learning_rate_share(step: int, warmup_steps: int, fraction: float) -> float:
    """Share of the highest learning rate: a linear rise, then half a cosine down to 2 %.

    Args:
        step: counted from 0.
        fraction: of the run that is over, by steps or by time.
    """
    rise = min(1.0, (step + 1) / (warmup_steps + 1))
    fall = LAST_RATE_SHARE + (1 - LAST_RATE_SHARE) * 0.5 * (1 + math.cos(math.pi * min(1.0, fraction)))
    return rise * fall


class PreparedBatch(NamedTuple):
    """A batch, and its projected features where they depend on no weights."""

    batch: Batch
    rendered: RenderedFeatures | None


class Trainer:
    """A network and its optimiser.

    Args:
        network: on the device where it is trained.
        config: settings.
        patients: that are trained on.
        backward: how a loss is derived; Fabric brings its own.
        autocast: precision of the network's forward pass.
        reduce_gradients: called between backward and step, where several processes share the work.
    """

    def __init__(
        self,
        network: ProSTNetwork,
        config: TrainingConfig,
        patients: Sequence[TrainingPatient],
        backward: Callable[[Tensor], None] = torch.Tensor.backward,
        autocast: Callable[[], AbstractContextManager[None]] = nullcontext,
        reduce_gradients: Callable[[ProSTNetwork], None] = lambda network: None,
    ) -> None:
        self.network, self.config, self.patients = network, config, patients
        self._backward, self._autocast, self._reduce_gradients = backward, autocast, reduce_gradients
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )

    def prepared(self, banks: Sequence[XrayBank], step: int, rank: int = 0) -> PreparedBatch:
        """The batch of a step; it depends on the seed, the step and the rank alone, and not on the weights.

        Args:
            banks: X-rays of each patient.
            step: counted from 0.
            rank: of this process among those that share the work.
        """
        rng = np.random.default_rng([self.config.seed, BATCHES, step, rank])
        batch = drawn_batch(self.config, banks, self.centres_mm, rng)
        if self.network.learns_volume_features:
            return PreparedBatch(batch, None)
        parts = [
            self.patients[patient].given.rendered(batch.camera_from_volume[n : n + 1], batch.carms[n])
            for n, patient in enumerate(batch.patients)
        ]
        images, derivatives = zip(*parts, strict=True)
        return PreparedBatch(batch, RenderedFeatures(torch.cat(images), torch.cat(derivatives)))

    def step(self, prepared: PreparedBatch, step: int, fraction: float, rank: int = 0) -> dict[str, float]:
        """One step of the optimiser.

        Args:
            prepared: for this step and rank.
            step: counted from 0.
            fraction: of the run that is over, for the learning rate.
            rank: of this process among those that share the work.

        Returns:
            The parts of the loss by name.

        Raises:
            InputError: the settings led to weights that give no finite gradient; they are left as they were.
        """
        config = self.config
        torch.manual_seed(int(np.random.default_rng([config.seed, DROPOUT, step, rank]).integers(2**31)))
        batch = prepared.batch.to(next(self.network.parameters()).device)
        losses = gradient_losses(self.network, self._moved(prepared, batch), batch, config, self._autocast)
        self.optimiser.zero_grad()
        self._backward(losses.total)
        self._reduce_gradients(self.network)
        length = torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.clip)
        if not torch.isfinite(length):
            raise InputError(
                f"The training went astray at step {step + 1}: the gradient of its loss is not finite. Give a lower"
                ' "learning_rate" and begin anew.'
            )
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate * learning_rate_share(step, config.warmup_steps, fraction)
        self.optimiser.step()
        return {name: float(value.detach()) for name, value in losses._asdict().items()}

    def _moved(self, prepared: PreparedBatch, batch: Batch) -> Callable[[Tensor], Tensor]:
        if prepared.rendered is not None:
            return prepared.rendered.moved
        with self._autocast():
            numbers = {int(patient) for patient in batch.patients}
            projections = {number: self.patients[number].projection(self.network) for number in sorted(numbers)}

        def moved(twists: Tensor) -> Tensor:
            poses, carms = batch.camera_from_volume, batch.carms
            images = [
                projections[int(patient)].moving(poses[n : n + 1], twists[n : n + 1], carms[n])
                for n, patient in enumerate(batch.patients)
            ]
            return torch.cat(images)

        return moved

    @property
    def centres_mm(self) -> list[NDArray[np.float64]]:
        """The anatomies' centres, one for each patient."""
        return [patient.centre_mm for patient in self.patients]
