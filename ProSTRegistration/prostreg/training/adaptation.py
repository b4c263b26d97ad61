"""Adapting a network to one patient: a short training on this CT alone, days before the operation."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prostreg.errors import Stopped
from prostreg.machine import processor_name
from prostreg.prost.card import Card, DataSource, Training
from prostreg.prost.model import LearnedModel, configuration_of_model
from prostreg.prost.weight_cache import patient_of
from prostreg.prost.weights import save_weights
from prostreg.registration.case import Case
from prostreg.simulation.fluoroscopy import FluoroscopySimulator
from prostreg.training.config import TrainingConfig
from prostreg.training.patient_scene import adaptation_config
from prostreg.training.prefetch import Prefetch
from prostreg.training.trainer import PreparedBatch, Trainer, TrainingPatient
from prostreg.training.validation import Validation, validate
from prostreg.training.xray_bank import XrayBank, simulated_bank

SIMULATION_SHARE = 0.15
"""Of the time, for simulating what is learned from; as many as fit, and no more than the settings allow."""

XRAYS_AT_ONCE = 4
VALIDATIONS = 8
PATIENCE = 3
"""Validations in a row without a better one, after which more training would only fit the X-rays at hand."""

TRAINED, VALIDATED, STARTS = range(3)


@dataclass(frozen=True)
class AdaptationProgress:
    """State of an adaptation.

    Attributes:
        stage: ``simulate``, ``learn`` or ``validate``.
        fraction: of the time that was given, 0 to 1.
        message: for people.
        seconds_left: at most.
    """

    stage: str
    fraction: float
    message: str
    seconds_left: float


@dataclass(frozen=True, eq=False)
class Adaptation:
    """The outcome of adapting.

    Attributes:
        path: the weights, with their card beside.
        card: as written.
        before: validation of the weights that it began with.
        after: of those that were kept.
        steps: of the optimiser.
        seconds: wall time.
    """

    path: Path
    card: Card
    before: Validation
    after: Validation
    steps: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values; ``weights`` is their path, ``before`` and ``after`` are validations."""
        return {
            "weights": str(self.path),
            "title": self.card.title,
            "sha256": self.card.sha256,
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
        }


def adapt_case(
    case: Case,
    model: LearnedModel,
    minutes: float,
    seed: int,
    path: Path,
    on_progress: Callable[[AdaptationProgress], None] = lambda progress: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Adaptation:
    """Trains on simulated X-rays of one patient and keeps the weights that did best on others of the same patient.

    Args:
        case: CT and anatomy; its first C-arm and its start, where it has them, tell which X-rays.
        model: what to begin with; not changed.
        minutes: of wall time, validation and simulation included.
        seed: of everything that is drawn.
        path: where the weights go; nothing is written before the end.
        on_progress: told after every step, also those of a validation's descents, and every few X-rays.
        is_cancelled: asked as often.

    Raises:
        Stopped: cancelled; nothing is written.
        InputError: no usable X-ray can be simulated.
    """
    config = adaptation_config(case, model, seed)
    return _Adapting(case, model, config, minutes, on_progress, is_cancelled).result(path)


class _Adapting:
    """One adaptation under way."""

    def __init__(
        self,
        patient: Case,
        model: LearnedModel,
        config: TrainingConfig,
        minutes: float,
        on_progress: Callable[[AdaptationProgress], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._began, self._seconds = time.monotonic(), 60.0 * minutes
        self._patient, self._model, self._config = patient, model, config
        self._on_progress, self._is_cancelled = on_progress, is_cancelled
        self._network = model.network
        self._simulator = FluoroscopySimulator(patient.ct, config.scene.simulator)
        self._prepared = TrainingPatient(patient, self._network)
        self._trainer = Trainer(self._network, config, [self._prepared])
        self._steps = 0
        self._losses: list[float] = []

    def result(self, path: Path) -> Adaptation:
        original = self._state()
        try:
            return self._adapted(path)
        finally:
            self._network.load_state_dict(original)
            self._network.eval()

    def _adapted(self, path: Path) -> Adaptation:
        seen = self._bank(VALIDATED, self._config.validation_xrays, deadline_s=float("inf"))
        bank = self._bank(TRAINED, self._config.xrays_per_patient, SIMULATION_SHARE * self._seconds)
        before = best = self._validation(seen)
        best_state, since_best = self._state(), 0
        ahead = Prefetch(lambda step: self._trainer.prepared([bank], step))
        try:
            while self._steps == 0 or (self._fraction < 1.0 and since_best < PATIENCE):
                self._train_until(self._next_validation(), ahead)
                now = self._validation(seen)
                since_best += 1
                if (now.arrived, -now.after) >= (best.arrived, -best.after):
                    best, best_state, since_best = now, self._state(), 0
        finally:
            ahead.close()
        self._network.load_state_dict(best_state)
        model = self._model
        card = save_weights(path, self._network, model.card.network, model.options, self._card(before, best))
        return Adaptation(path, card, before, best, self._steps, self._elapsed)

    def _bank(self, use: int, number: int, deadline_s: float) -> XrayBank:
        """Simulated X-rays, fewer than ``number`` where time is short."""
        scene, size = self._config.scene, self._network.image_size
        parts: list[XrayBank] = []
        while len(parts) * XRAYS_AT_ONCE < number and (not parts or self._elapsed < deadline_s):
            count = min(XRAYS_AT_ONCE, number - len(parts) * XRAYS_AT_ONCE)
            self._check("simulate", f"simulating X-rays seen {scene.view} ({len(parts) * XRAYS_AT_ONCE} done)")
            seed = (self._config.seed, use, len(parts))
            parts.append(simulated_bank(self._simulator, self._patient, scene, size, count, seed))
        return XrayBank.joined(parts)

    def _train_until(self, fraction: float, ahead: Prefetch[PreparedBatch]) -> None:
        """Steps up to a share of the time; one at least, however late it is."""
        self._network.train()
        first = self._steps
        while self._steps == first or self._fraction < fraction:
            losses = self._trainer.step(ahead.get(self._steps), self._steps, self._fraction)
            self._losses.append(losses["total"])
            self._steps += 1
            self._check("learn", f"learning, step {self._steps}, loss {np.mean(self._losses[-50:]):.2f}")

    def _next_validation(self) -> float:
        return (int(self._fraction * VALIDATIONS) + 1) / VALIDATIONS

    def _validation(self, bank: XrayBank) -> Validation:
        self._network.eval()
        with torch.no_grad():
            projections = [self._prepared.projection(self._network)]
        seed = int(np.random.default_rng([self._config.seed, STARTS]).integers(2**31))
        centres = [self._prepared.centre_mm]
        return validate(self._network, projections, [bank], centres, self._config.scene, seed, self._validating)

    def _validating(self) -> None:
        self._check("validate", "descending on X-rays that were not trained on")

    def _card(self, before: Validation, after: Validation) -> Card:
        patient = patient_of(self._patient.ct, self._patient.anatomy)
        scene = self._config.scene
        return replace(
            self._model.card,
            title=f"{self._model.card.title}, adapted to {self._patient.name}",
            training_data=(
                *self._model.card.training_data,
                DataSource(self._patient.name, "the user's own CT", "the user's own"),
            ),
            configuration=configuration_of_model(
                scene.spread, np.array(after.residual), self._config.content, scene.view
            ),
            training=Training(self._steps, round(self._elapsed, 1), processor_name(), _thinned(self._losses)),
            results={"before": before.to_dict(), "after": after.to_dict()},
            intended_use=f"Registering {self._patient.name}, and no other patient.",
            made_for=patient,
        )

    def _state(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self._network.state_dict().items()}

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    @property
    def _fraction(self) -> float:
        return self._elapsed / self._seconds

    def _check(self, stage: str, message: str) -> None:
        fraction = min(1.0, self._fraction)
        self._on_progress(AdaptationProgress(stage, fraction, message, max(0.0, self._seconds - self._elapsed)))
        if self._is_cancelled():
            raise Stopped("cancelled")


def _thinned(losses: list[float], most: int = 100) -> tuple[float, ...]:
    """Means over equal stretches of a curve."""
    parts = np.array_split(np.array(losses), min(most, len(losses))) if losses else []
    return tuple(round(float(part.mean()), 4) for part in parts)
