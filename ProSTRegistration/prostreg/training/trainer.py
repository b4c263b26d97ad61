"""The steps of a training run: a batch, its loss by double backward, the optimiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prostreg.images.volume import Volume
from prostreg.prost.feature_projection import FeatureProjection, feature_projection
from prostreg.prost.network import ProSTNetwork
from prostreg.prost.network_volume import network_volume
from prostreg.training.batches import drawn_batch
from prostreg.training.config import TrainingConfig
from prostreg.training.objective import gradient_and_losses
from prostreg.training.patients import Patient
from prostreg.training.schedule import learning_rate_share
from prostreg.training.xray_bank import XrayBank, anatomy_centre_mm

BATCHES, DROPOUT = range(2)
"""Independent streams of random numbers of a run."""


class TrainingPatient:
    """A patient as the steps need it: volume channels, their projection, and the anatomy's centre.

    Args:
        patient: CT and anatomy; not kept.
        network: decides which channels there are.
    """

    def __init__(self, patient: Patient, network: ProSTNetwork) -> None:
        self.name = patient.name
        self.centre_mm = anatomy_centre_mm(patient)
        self._channels: list[Volume] = network_volume(patient.ct, patient.anatomy, network.volume_channels)
        self._given = None if network.learns_volume_features else feature_projection(network, self._channels)

    def projection(self, network: ProSTNetwork) -> FeatureProjection:
        """With features as the network makes them at present."""
        return self._given or feature_projection(network, self._channels)


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

    def step(self, banks: Sequence[XrayBank], step: int, fraction: float, rank: int = 0) -> dict[str, float]:
        """One step of the optimiser; what is drawn depends on the seed, the step and the rank alone.

        Args:
            banks: X-rays of each patient.
            step: counted from 0.
            fraction: of the run that is over, for the learning rate.
            rank: of this process among those that share the work.

        Returns:
            The parts of the loss by name.
        """
        config = self.config
        rng = np.random.default_rng([config.seed, BATCHES, step, rank])
        torch.manual_seed(int(np.random.default_rng([config.seed, DROPOUT, step, rank]).integers(2**31)))
        batch = drawn_batch(config, banks, self.centres_mm, rng).to(next(self.network.parameters()).device)
        projections = {index: self.patients[index].projection(self.network) for index in set(batch.patients.tolist())}
        with self._autocast():
            _, losses = gradient_and_losses(self.network, projections, batch, config)
        self.optimiser.zero_grad()
        self._backward(losses.total)
        self._reduce_gradients(self.network)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate * learning_rate_share(step, config.warmup_steps, fraction)
        self.optimiser.step()
        return {name: float(value.detach()) for name, value in losses._asdict().items()}

    @property
    def centres_mm(self) -> list[NDArray[np.float64]]:
        """The anatomies' centres, one for each patient."""
        return [patient.centre_mm for patient in self.patients]
