"""Weights whose header, tensors or card were changed; each comes with a card that knows its SHA256."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st
from targets import Target, as_json, changed, damaged, json_files

from prostreg.prost.card import Card, DataSource, MadeFor, Training, card_path
from prostreg.prost.light import ProSTLight
from prostreg.prost.model import configuration_of_model, load_model
from prostreg.prost.safetensors_header import LENGTH_BYTES
from prostreg.prost.weights import METADATA_KEY, save_weights

OPTIONS = {"image_size": 16, "description": 8}


def _card(made_for: MadeFor | None) -> Card:
    sources = (DataSource("pelvis", "made here", "CC0"),)
    usage = configuration_of_model(torch.ones(6).double().numpy(), torch.zeros(6).double().numpy(), {})
    training = Training(1, 1.0, "CPU", (1.0,))
    return Card("Tiny", sources, (), usage, "0", training, {}, "Tests.", "Patients.", "CC0", made_for)


@functools.cache
def _sound(is_adapted: bool) -> tuple[bytes, dict[str, Any]]:
    """A small network's file and the content of its card."""
    torch.manual_seed(1)
    card = _card(MadeFor("a" * 64, "b" * 64) if is_adapted else None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.safetensors"
        save_weights(path, ProSTLight(**OPTIONS), "prost-light", OPTIONS, card)
        return path.read_bytes(), json.loads(card_path(path).read_text(encoding="utf-8"))


CONTENT, CARD = _sound(False)
ADAPTED_CONTENT, ADAPTED_CARD = _sound(True)
HEADER_END = LENGTH_BYTES + int.from_bytes(CONTENT[:LENGTH_BYTES], "little")
HEADER = json.loads(CONTENT[LENGTH_BYTES:HEADER_END])
TENSORS = CONTENT[HEADER_END:]
"""Kept out of the inputs, of which hypothesis remembers many."""
BEGINNINGS = [content[: -len(TENSORS)] for content in (CONTENT, ADAPTED_CONTENT)]
DESCRIPTION = json.loads(HEADER["__metadata__"][METADATA_KEY])
NEEDED = [{"__metadata__": HEADER["__metadata__"], **dict(list(HEADER.items())[:4])}, HEADER]


def _with_header(header: Any) -> bytes:
    text = as_json(header)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def _with_description(description: Any) -> bytes:
    return _with_header({**HEADER, "__metadata__": {METADATA_KEY: json.dumps(description)}})


def _read_weights(path: Path) -> None:
    """A beginning with the tensors behind it, beside a card that names the very file."""
    content = path.read_bytes() + TENSORS
    path.with_suffix(".safetensors").write_bytes(content)
    card = CARD if b"shipped" in content else ADAPTED_CARD
    path.with_suffix(".json").write_bytes(as_json({**card, "sha256": hashlib.sha256(content).hexdigest()}))
    load_model(path.with_suffix(".safetensors"))


def _read_card(path: Path) -> None:
    """Sound weights beside a card."""
    weights = path.with_suffix(".safetensors")
    weights.write_bytes(ADAPTED_CONTENT if b'"adapted"' in path.read_bytes() else CONTENT)
    load_model(weights)


TARGETS = {
    "weights": Target("w/any.bin", _read_weights, damaged(BEGINNINGS, within=HEADER_END)),
    "weights' header": Target("w/header.bin", _read_weights, changed(NEEDED).map(_with_header)),
    "weights' description": Target(
        "w/described.bin",
        _read_weights,
        st.one_of(
            changed([DESCRIPTION]).map(_with_description),
            changed([OPTIONS]).map(lambda options: _with_description({**DESCRIPTION, "options": options})),
        ),
    ),
    "card": Target("w/card.json", _read_card, json_files(CARD, ADAPTED_CARD)),
}
