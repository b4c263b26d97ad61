"""The weights that a training run ends with, and the card that says what they are."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import prostreg
from prostreg.machine import processor_name
from prostreg.prost.card import Card, DataSource, Training
from prostreg.prost.model import configuration_of_model
from prostreg.prost.network import ProSTNetwork
from prostreg.prost.weights import save_weights
from prostreg.training.config import TrainingConfig
from prostreg.training.patients import PatientEntry
from prostreg.training.run_folder import TRAINING_CURVE
from prostreg.training.validation import Validation

INTENDED_USE = (
    "The rough part of 2D/3D registration: bringing a CT's anatomy near to where one or more X-rays show it, from a"
    " start pose as uncertain as those of the training, before a search on the images themselves ends it and judges it."
)
NOT_FOR = (
    "Clinical use: it is no medical device. Anatomies, projections and modalities that the training data does not have."
    " Judging whether a registration is right: its value is no measure of that."
)
LICENCE = "Apache-2.0; the licences of the training data hold besides"


def save_finished_weights(
    path: Path,
    network: ProSTNetwork,
    config: TrainingConfig,
    entries: Sequence[PatientEntry],
    training: Training,
    validation: Validation,
    convexity: Mapping[str, Any],
) -> Card:
    """Writes the weights of a run with their card.

    Args:
        path: ends in ``.safetensors``.
        network: at the end of the run.
        config: of the run.
        entries: patients of both uses.
        training: how long and on what it was trained.
        validation: what it did there on X-rays of patients that it was not trained on.
        convexity: share of the range that leads downhill to the truth, by similarity and parameter.

    Raises:
        WeightsError: as `save_weights`.
    """
    card = Card(
        title=config.title or f"{config.network}, trained on {len(_sources(entries, 'training'))} volumes",
        training_data=_sources(entries, "training"),
        held_out_data=_sources(entries, "validation") + _sources(entries, "measurement"),
        configuration=configuration_of_model(
            config.scene.spread, np.array(validation.residual), config.content, config.scene.view
        ),
        commit=program_state(),
        training=training,
        results={"validation": validation.to_dict(), "right_share_around_the_truth": dict(convexity)},
        intended_use=INTENDED_USE,
        not_for=NOT_FOR,
        licence=LICENCE,
    )
    return save_weights(path, network, config.network, config.options, card)


def training_of(steps: int, seconds: float, device: torch.device, processes: int) -> Training:
    """A card's words on the duration and the hardware."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()
    return Training(steps, round(seconds, 1), name if processes == 1 else f"{processes} x {name}", TRAINING_CURVE)


def program_state() -> str:
    """The commit of the program where it runs from its repository, and whether that has changes; else the version."""
    folder = Path(prostreg.__file__).resolve().parent
    if _git(folder, "ls-files", "--error-unmatch", Path(prostreg.__file__).name) is not None:
        commit, changes = _git(folder, "rev-parse", "HEAD"), _git(folder, "status", "--porcelain", "--", ".")
        if commit:
            return f"{commit} with changes" if changes else commit
    return f"prostreg {prostreg.__version__}"


def _git(folder: Path, *arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run([git, "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _sources(entries: Sequence[PatientEntry], use: str) -> tuple[DataSource, ...]:
    """One for each volume, with the names of all patients that were made of it."""
    of_volume: dict[Path, list[PatientEntry]] = {}
    for entry in entries:
        if entry.use == use:
            of_volume.setdefault(entry.ct, []).append(entry)
    return tuple(
        DataSource(", ".join(entry.name for entry in group), group[0].origin, group[0].licence)
        for group in of_volume.values()
    )
