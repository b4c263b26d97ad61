"""The card of network weights: what they were trained on, how well they do, and what they are not for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from prostreg.errors import FaultList
from prostreg.json_fields import JsonFields, is_number, json_object

Kind = Literal["shipped", "adapted"]

MOST_STEPS = 10**9


@dataclass(frozen=True)
class DataSource:
    """One volume or collection: its name, where it comes from, and the licence it is under."""

    name: str
    origin: str
    licence: str


@dataclass(frozen=True)
class Training:
    """The training of a network: how long and on what.

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
    """The card of a file of weights.

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
        """True if the weights are for all patients; False if adapted to one."""
        return "shipped" if self.made_for is None else "adapted"


def card_path(weights: Path) -> Path:
    """The path of the card of a file of weights: beside it."""
    return weights.with_suffix(".json") if weights.name else weights / ".json"


def card_text(card: Card, faults: FaultList) -> str:
    """The card as JSON; what JSON cannot hold, or could not be read again, is noted as a fault."""
    try:
        text = json.dumps({"kind": card.kind, **asdict(card)}, indent=1, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        faults.add(f"The card holds what JSON cannot ({error}): use plain texts and finite numbers.")
        return ""
    card_from_content(json.loads(text), "Card", faults)
    return text + "\n"


def read_card(path: Path, faults: FaultList) -> Card | None:
    """Reads a card; None where that cannot be done, with every reason among the faults."""
    hint = "Copy it again from where the weights came from, beside them."
    content = faults.collect(lambda: json_object(path, "card", hint))
    return None if content is None else card_from_content(content, path.name, faults)


def card_from_content(content: object, where: str, faults: FaultList) -> Card | None:
    """Takes a card apart; None where it has faults, all of which are noted.

    Args:
        content: what JSON holds of it.
        where: what the faults begin with, such as the file's name.
        faults: takes the faults.
    """
    fields = JsonFields(content, "the card")
    is_adapted = fields.choice("kind", ("shipped", "adapted")) == "adapted"
    card = Card(
        title=fields.text("title"),
        training_data=_sources(fields, "training_data"),
        held_out_data=_sources(fields, "held_out_data"),
        configuration=fields.mapping("configuration"),
        commit=fields.text("commit"),
        training=_training(fields.inner("training")),
        results=fields.mapping("results"),
        intended_use=fields.text("intended_use"),
        not_for=fields.text("not_for"),
        licence=fields.text("licence"),
        made_for=read_made_for(fields.inner("made_for")) if is_adapted else None,
        network=fields.text("network"),
        parameters=fields.whole("parameters", 1, MOST_STEPS),
        sha256=fields.sha256("sha256"),
    )
    faults.extend(f"{where}: {fault}" for fault in fields.faults.faults)
    return None if fields.faults else card


def read_made_for(fields: JsonFields) -> MadeFor:
    """Reads whom weights were made for."""
    return MadeFor(fields.sha256("ct"), fields.sha256("anatomy"))


def _training(fields: JsonFields) -> Training:
    curve: str | Sequence[float] = fields.checked(
        "loss_curve", _is_curve, "give the name of a file, or a list of numbers", ()
    )
    losses = curve if isinstance(curve, str) else tuple(curve)
    return Training(
        fields.whole("steps", 0, MOST_STEPS), fields.number("seconds", 0, 1e9), fields.text("device"), losses
    )


def _is_curve(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(map(is_number, value)))


def _sources(fields: JsonFields, key: str) -> tuple[DataSource, ...]:
    return tuple(
        DataSource(source.text("name"), source.text("origin"), source.text("licence")) for source in fields.inners(key)
    )
