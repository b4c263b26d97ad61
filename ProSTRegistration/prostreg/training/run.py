"""A training run from its configuration to a trained network, with checkpoints; goes on exactly where it was killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prostreg.errors import Stopped
from prostreg.prost.network import ProSTNetwork
from prostreg.training.config import TrainingConfig
from prostreg.training.patient_supply import Patients, PatientSupply
from prostreg.training.patients import NEEDED, PatientEntry
from prostreg.training.prefetch import Prefetch
from prostreg.training.run_folder import TRAINING_CURVE, VALIDATION_CURVE, RunFolder
from prostreg.training.trainer import PreparedBatch, Trainer, TrainingPatient
from prostreg.training.validation import Validation, validate
from prostreg.training.xray_bank import XrayBank

VALIDATION_STARTS = 11
"""Stream of random numbers of a run, apart from the trainer's and the supply's."""

STEPS_PER_ROW = 20


@dataclass(frozen=True)
class Execution:
    """The execution of steps on the hardware at hand; the default is this process alone.

    Attributes:
        rank: of this process; the first one, 0, writes.
        backward: how a loss is derived.
        autocast: precision of the network's forward pass.
        reduce_gradients: makes the gradients of all processes their mean.
        barrier: waits for all processes.
    """

    rank: int = 0
    backward: Callable[[Tensor], None] = torch.Tensor.backward
    autocast: Callable[[], AbstractContextManager[None]] = nullcontext
    reduce_gradients: Callable[[ProSTNetwork], None] = lambda network: None
    barrier: Callable[[], None] = lambda: None


class TrainingRun:
    """One run.

    Args:
        network: with fresh weights.
        config: settings.
        entries: patients, of both uses.
        folder: for checkpoints and curves.
        execution: of its steps on the hardware.
        say: told what is going on, in lines for people.
        on_row: told every row of a curve after it was written, by the first process.
    """

    def __init__(
        self,
        network: ProSTNetwork,
        config: TrainingConfig,
        entries: Sequence[PatientEntry],
        folder: RunFolder,
        execution: Execution,
        say: Callable[[str], None],
        on_row: Callable[[str, Mapping[str, Any]], None] = lambda curve, row: None,
    ) -> None:
        self.network, self._config, self._folder, self._execution, self._say = network, config, folder, execution, say
        self._on_row = on_row
        self._is_cancelled: Callable[[], bool] = lambda: False
        self._is_over = False
        self._supplies = {
            use: PatientSupply(
                [entry for entry in entries if entry.use == use], use, network, config, folder, execution.rank == 0, say
            )
            for use in NEEDED
        }
        self._trainer = Trainer(network, config, [], execution.backward, execution.autocast, execution.reduce_gradients)
        self.step, self.seconds = 0, 0.0
        self.validation: Validation | None = None

    def go_on(self, is_cancelled: Callable[[], bool]) -> bool:
        """Trains to the end, or until told to stop; whether it came to the end. Either way the last step is saved.

        Raises:
            InputError: files of patients or the checkpoint cannot be used, or the settings lead nowhere.
        """
        self._restore()
        self._is_cancelled = is_cancelled
        try:
            seen, banks = self.validation_set
            if self.step < self._config.steps:
                self._train(seen, banks)
        except Stopped:
            self._save()
            return False
        return True

    @cached_property
    def validation_set(self) -> tuple[list[TrainingPatient], list[XrayBank]]:
        """The patients that are never trained on, and their X-rays."""
        supply = self._supplies["validation"]
        return self._received(supply.made(-1, self._stop_if_asked))

    def _train(self, seen: Sequence[TrainingPatient], seen_banks: Sequence[XrayBank]) -> None:
        made = self._supplies["training"].made(self._renewal, self._stop_if_asked)
        self._trainer.patients, banks = self._received(made)
        renewals = Prefetch(self._renewed)
        renewals.begin(self._renewal + 1)
        began, before = time.monotonic(), self.seconds
        rows: list[dict[str, float]] = []
        ahead = self._prefetch(banks)
        try:
            while self.step < self._config.steps:
                fraction = self.step / self._config.steps
                rows.append(self._trainer.step(ahead.get(self.step), self.step, fraction, self._execution.rank))
                self.step += 1
                self.seconds = before + time.monotonic() - began
                if self.step % STEPS_PER_ROW == 0:
                    self._note(TRAINING_CURVE, _mean(rows))
                    rows = []
                is_last = self.step == self._config.steps
                if self.step % self._config.validate_every_steps == 0 or is_last:
                    self._validate(seen, seen_banks)
                if self.step % self._config.checkpoint_every_steps == 0 or is_last:
                    self._save()
                if is_last:
                    return
                self._stop_if_asked()
                if self.step % self._config.renew_every_steps == 0:
                    ahead.close()
                    self._trainer.patients, banks = self._received(renewals.get(self._renewal))
                    ahead = self._prefetch(banks)
        finally:
            self._is_over = True
            ahead.close()
            renewals.close()

    def _stop_if_asked(self) -> None:
        if self._is_cancelled():
            raise Stopped("The training was stopped.")

    def _prefetch(self, banks: Sequence[XrayBank]) -> Prefetch[PreparedBatch]:
        return Prefetch(lambda step: self._trainer.prepared(banks, step, self._execution.rank))

    @property
    def _renewal(self) -> int:
        return self.step // self._config.renew_every_steps

    def _renewed(self, renewal: int) -> Patients:
        """The patients of a renewal, none beyond the last step; made while the steps before are trained."""
        if renewal * self._config.renew_every_steps >= self._config.steps:
            return []
        return self._supplies["training"].made(renewal, self._stop_if_over)

    def _stop_if_over(self) -> None:
        """Ends the making of patients on its thread, which must not ask the other processes."""
        if self._is_over:
            raise Stopped("The training is over.")

    def _received(self, patients: Patients) -> tuple[list[TrainingPatient], list[XrayBank]]:
        """The patients, and their X-rays from the folder, where the first process put them."""
        self._execution.barrier()
        return [patient for patient, _ in patients], [XrayBank.load(file) for _, file in patients]

    def _validate(self, patients: Sequence[TrainingPatient], banks: Sequence[XrayBank]) -> None:
        self.network.eval()
        with torch.no_grad():
            projections = [patient.projection(self.network) for patient in patients]
        seed = int(np.random.default_rng([self._config.seed, VALIDATION_STARTS]).integers(2**31))
        centres = [patient.centre_mm for patient in patients]
        result = validate(self.network, projections, banks, centres, self._config.scene, seed)
        self.validation = result
        self._note(VALIDATION_CURVE, {k: v for k, v in result.to_dict().items() if k != "residual"})
        self._say(
            f"Step {self.step} of {self._config.steps}, {self.seconds / 60:.0f} min: a descent goes from"
            f" {result.before:.2f} to {result.after:.2f} spreads, {100 * result.arrived:.0f} % arrive,"
            f" {100 * result.right_direction:.0f} % of directions right"
        )

    def _note(self, curve: str, values: dict[str, Any]) -> None:
        if self._execution.rank == 0:
            row = {"step": self.step, "seconds": round(self.seconds, 1), **values}
            self._folder.add_row(curve, row)
            self._on_row(curve, row)

    def _save(self) -> None:
        if self._execution.rank == 0:
            self._folder.save_checkpoint(
                {
                    "step": self.step,
                    "seconds": self.seconds,
                    "network": self.network.state_dict(),
                    "optimiser": self._trainer.optimiser.state_dict(),
                    "validation": None if self.validation is None else dict(self.validation.__dict__),
                }
            )

    def _restore(self) -> None:
        state = self._folder.load_checkpoint()
        if self._execution.rank == 0:
            self._folder.forget_after(0 if state is None else state["step"])
        if state is None:
            return
        self.step, self.seconds = state["step"], state["seconds"]
        self.network.load_state_dict(state["network"])
        self._trainer.optimiser.load_state_dict(state["optimiser"])
        self.validation = None if state["validation"] is None else Validation(**state["validation"])
        self._say(f"Going on after step {self.step}")


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
