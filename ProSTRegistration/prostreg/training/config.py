"""The configuration of a training run: a JSON file, checked as a whole before anything is read or written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm_limits import LARGEST_SDD_MM, SMALLEST_SDD_MM
from prostreg.geometry.standard_views import MAIN_VIEWS
from prostreg.json_fields import JsonFields, json_object
from prostreg.prost.networks import NETWORKS
from prostreg.simulation.pose_draws import DEGREES, PoseDraw, read_pose_draw
from prostreg.simulation.presets import read_simulator
from prostreg.simulation.settings import SimulatorSettings

Range = tuple[float, float]
LOSSES = ("whitened", "direction", "distance")
PRECISIONS = ("32-true", "bf16-mixed")


@dataclass(frozen=True)
class ImagingSetup:
    """The imaging of the simulated X-rays; each draws from these.

    Attributes:
        sdd_mm: source-detector distance.
        isocentre_share: distance of the anatomy's centre from the source over the former, before the pose is drawn.
        field_mm: side of the square detector.
        view: standard view around which poses are drawn.
        truth: true poses, in the chart of the standard view.
        starts: start poses, in the chart of the true one; normal, and their spread whitens the parameters.
        start_scale: each start's offset is scaled by a number from this range.
        simulator: settings of the X-ray simulator.
    """

    sdd_mm: Range
    isocentre_share: Range
    field_mm: Range
    view: str
    truth: PoseDraw
    starts: PoseDraw
    start_scale: Range
    simulator: SimulatorSettings

    @property
    def spread(self) -> NDArray[np.float64]:
        """Standard deviations (6,) of the starts in rad and mm."""
        values = np.array([distribution.second for distribution in self.starts.distributions])
        return np.asarray(np.where(DEGREES, np.deg2rad(values), values))


@dataclass(frozen=True)
class Augmentation:
    """The changes of a simulated X-ray each time it is used, each with probability ``share``.

    Attributes:
        gamma: exponent.
        noise: standard deviation of white noise, line integrals being 0 to 1.
        boxes: largest number of boxes of another grey, as instruments and markers make them.
    """

    share: float
    gamma: Range
    noise: Range
    boxes: int


@dataclass(frozen=True)
class TrainingConfig:
    """All settings of a training run.

    Attributes:
        title: one line for people; may be empty.
        network: name in `NETWORKS`.
        options: arguments of the network.
        patients: name of the list of patients, relative to the configuration.
        xrays_per_patient: simulated at a time.
        renew_every_steps: after which they are simulated anew.
        loss: ``whitened``, or the papers' ``direction`` (2020) and ``distance`` (2024).
        estimate_weight: of the error of the pose that the network tells, where it tells one.
        value_weight: of the error of L_N as half the squared distance.
        batch: X-rays per step, one start pose each.
        steps: of the optimiser.
        learning_rate: the highest; it rises over ``warmup_steps`` and falls as a cosine.
        weight_decay: of AdamW.
        clip: largest norm of a step's gradient.
        precision: of the encoders; the projection always has 32 bits.
        validate_every_steps: X-rays of the validation patients are registered by descent.
        validation_xrays: of each of them.
        checkpoint_every_steps: from which an interrupted run goes on.
        seed: of everything.
        content: the JSON object as it stands, for the card.
    """

    title: str
    network: str
    options: Mapping[str, Any]
    patients: str
    scene: ImagingSetup
    augmentation: Augmentation
    xrays_per_patient: int
    renew_every_steps: int
    loss: str
    estimate_weight: float
    value_weight: float
    batch: int
    steps: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    clip: float
    precision: str
    validate_every_steps: int
    validation_xrays: int
    checkpoint_every_steps: int
    seed: int
    content: Mapping[str, Any]


def read_training_config(path: Path) -> TrainingConfig:
    """Reads a configuration.

    Raises:
        InputError: the file cannot be read, or names every fault in it.
    """
    return training_config(json_object(path, "configuration"), f"The configuration {path.name}")


def training_config(content: Mapping[str, Any], where: str) -> TrainingConfig:
    """A configuration from plain values.

    Raises:
        InputError: names every fault; ``where`` says in what.
    """
    fields = JsonFields(content, where)
    network = fields.inner("network")
    name, options = network.choice("name", tuple(NETWORKS)), network.mapping("options", {})
    network.end()
    config = TrainingConfig(
        title=fields.text("title", ""),
        network=name,
        options=options,
        patients=fields.text("patients", ""),
        scene=_read_scene(fields.inner("scene")),
        augmentation=_read_augmentation(fields.inner("augmentation")),
        xrays_per_patient=fields.whole("xrays_per_patient", 1, 100000),
        renew_every_steps=fields.whole("renew_every_steps", 1, 10**9),
        loss=fields.choice("loss", LOSSES, "whitened"),
        estimate_weight=fields.number("estimate_weight", 0.0, 1e6, 1.0),
        value_weight=fields.number("value_weight", 0.0, 1e6, 0.1),
        batch=fields.whole("batch", 1, 4096),
        steps=fields.whole("steps", 1, 10**9),
        learning_rate=fields.number("learning_rate", 1e-9, 1.0),
        warmup_steps=fields.whole("warmup_steps", 0, 10**6, 100),
        weight_decay=fields.number("weight_decay", 0.0, 1.0, 1e-3),
        clip=fields.number("clip", 1e-6, 1e6, 5.0),
        precision=fields.choice("precision", PRECISIONS, "32-true"),
        validate_every_steps=fields.whole("validate_every_steps", 1, 10**9),
        validation_xrays=fields.whole("validation_xrays", 1, 10000, 40),
        checkpoint_every_steps=fields.whole("checkpoint_every_steps", 1, 10**9),
        seed=fields.whole("seed", 0, 2**32 - 1, 0),
        content=content,
    )
    fields.end()
    fields.faults.raise_if_any()
    return config


def _read_scene(fields: JsonFields) -> ImagingSetup:
    scene = ImagingSetup(
        sdd_mm=fields.span("sdd_mm", SMALLEST_SDD_MM, LARGEST_SDD_MM),
        isocentre_share=fields.span("isocentre_share", 0.05, 0.95),
        field_mm=fields.span("field_mm", 1.0, 2000.0),
        view=fields.choice("view", MAIN_VIEWS, "AP"),
        truth=read_pose_draw(fields.inner("truth")),
        starts=_read_starts(fields),
        start_scale=fields.span("start_scale", 0.0, 10.0),
        simulator=read_simulator(fields),
    )
    fields.end()
    return scene


def _read_starts(fields: JsonFields) -> PoseDraw:
    starts = read_pose_draw(fields.inner("starts"))
    if any(d.kind != "normal" or d.first != 0 or d.second <= 0 for d in starts.distributions):
        fields.faults.add('"starts" must be normal with mean 0 and a positive deviation: it whitens the parameters.')
    return starts


def _read_augmentation(fields: JsonFields) -> Augmentation:
    augmentation = Augmentation(
        share=fields.number("share", 0.0, 1.0),
        gamma=fields.span("gamma", 0.2, 5.0),
        noise=fields.span("noise", 0.0, 1.0),
        boxes=fields.whole("boxes", 0, 100),
    )
    fields.end()
    return augmentation
