"""The card of network weights: what they were trained on, how well they do, and what they are not for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from prostreg.errors import FaultList
from prostreg.json_fields import JsonFields
from prostreg.value_checks import is_number

Kind = Literal["shipped", "adapted"]

MOST_STEPS = 10**9
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class DataSource:
    """One volume or collection: its name, where it comes from, and the licence it is under."""

    name: str
    origin: str
    licence: str


@dataclass(frozen=True)
class Training:
    """How long and on what the network was trained.

    Attributes:
        steps: updates of the weights.
        seconds: wall time.
        device: the processor or GPU.
        loss_curve: name of a file, or the losses at equal distances of steps.
    """

    steps: int
    seconds: float
    device: str
    loss_curve: str | tuple[float, ...]


@dataclass(frozen=True)
class MadeFor:
    """The patient that weights were adapted to: SHA256 of the CT and of the anatomy mask, in hexadecimal digits."""

    ct: str
    anatomy: str


@dataclass(frozen=True)
class Card:
    """What is known about a file of weights.

    Attributes:
        title: one line for people.
        training_data: what the weights were trained on.
        held_out_data: what they were measured on and never saw.
        configuration: of the training, as JSON can hold it.
        commit: state of the program that trained them.
        training: duration, device and loss.
        results: what was measured with them, as JSON can hold it.
        intended_use: what they are for.
        not_for: what they are not for.
        licence: of the weights.
        made_for: the patient they were adapted to; None for weights that are for all.
        network: name of the network; filled in where the weights are saved, as are the next two.
        parameters: number of trained values.
        sha256: of the file of weights, in hexadecimal digits.
    """

    title: str
    training_data: tuple[DataSource, ...]
    held_out_data: tuple[DataSource, ...]
    configuration: Mapping[str, Any]
    commit: str
    training: Training
    results: Mapping[str, Any]
    intended_use: str
    not_for: str
    licence: str
    made_for: MadeFor | None = None
    network: str = ""
    parameters: int = 0
    sha256: str = ""

    @property
    def kind(self) -> Kind:
        """Whether the weights are for all patients or adapted to one."""
        return "shipped" if self.made_for is None else "adapted"


def card_path(weights: Path) -> Path:
    """Where the card of a file of weights lies: beside it."""
    return weights.with_suffix(".json")


def card_text(card: Card, faults: FaultList) -> str:
    """The card as JSON; what JSON cannot hold, or could not be read again, is noted as a fault."""
    try:
        text = json.dumps({"kind": card.kind, **asdict(card)}, indent=1, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        faults.add(f"The card holds what JSON cannot ({error}): use plain texts and finite numbers.")
        return ""
    card_from_text(text, "Card", faults)
    return text + "\n"


def read_card(path: Path, faults: FaultList) -> Card | None:
    """Reads a card; None where that cannot be done, with every reason among the faults."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        faults.add(f"Their card {path.name} is missing: copy it from where the weights came from, beside them.")
        return None
    except (OSError, UnicodeDecodeError) as error:
        faults.add(f"Their card {path.name} cannot be read ({error}): copy it again from where the weights came from.")
        return None
    return card_from_text(text, path.name, faults)


def card_from_text(text: str, where: str, faults: FaultList) -> Card | None:
    """Takes a card apart; None where it has faults, all of which are noted.

    Args:
        text: JSON.
        where: what the faults begin with, such as the file's name.
        faults: takes the faults.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        faults.add(f"{where}: this is no valid JSON ({error}); copy it again from where the weights came from.")
        return None
    noted = FaultList()
    fields = JsonFields(content, "the card", noted)
    is_adapted = fields.choice("kind", ("shipped", "adapted")) == "adapted"
    card = Card(
        title=fields.text("title"),
        training_data=_sources(fields, "training_data"),
        held_out_data=_sources(fields, "held_out_data"),
        configuration=_mapping(fields, "configuration"),
        commit=fields.text("commit"),
        training=_training(fields.inner("training")),
        results=_mapping(fields, "results"),
        intended_use=fields.text("intended_use"),
        not_for=fields.text("not_for"),
        licence=fields.text("licence"),
        made_for=read_made_for(fields.inner("made_for")) if is_adapted else None,
        network=fields.text("network"),
        parameters=fields.whole("parameters", 1, MOST_STEPS),
        sha256=_digest(fields, "sha256"),
    )
    faults.extend(f"{where}: {fault}" for fault in noted.faults)
    return None if noted else card


def read_made_for(fields: JsonFields) -> MadeFor:
    """Reads whom weights were made for."""
    return MadeFor(_digest(fields, "ct"), _digest(fields, "anatomy"))


def _training(fields: JsonFields) -> Training:
    curve = fields.raw("loss_curve")
    losses: str | tuple[float, ...]
    if isinstance(curve, str):
        losses = curve
    elif isinstance(curve, list) and all(map(is_number, curve)):
        losses = tuple(curve)
    else:
        losses = ()
        if curve is not None:
            fields.faults.add('"loss_curve" must be the name of a file or a list of numbers.')
    return Training(
        fields.whole("steps", 0, MOST_STEPS), fields.number("seconds", 0, 1e9), fields.text("device"), losses
    )


def _sources(fields: JsonFields, key: str) -> tuple[DataSource, ...]:
    return tuple(
        DataSource(source.text("name"), source.text("origin"), source.text("licence")) for source in fields.inners(key)
    )


def _mapping(fields: JsonFields, key: str) -> Mapping[str, Any]:
    value = fields.raw(key)
    if value is not None and not isinstance(value, dict):
        fields.faults.add(f'"{key}" must be an object, {{...}}.')
    return value if isinstance(value, dict) else {}


def _digest(fields: JsonFields, key: str) -> str:
    value = fields.text(key)
    if value and not _DIGEST.fullmatch(value):
        fields.faults.add(f'"{key}" must be a SHA256 of 64 hexadecimal digits, not {value[:70]!r}.')
    return value
