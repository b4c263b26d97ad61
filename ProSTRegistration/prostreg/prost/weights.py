"""Files of network weights: safetensors, nothing that could run a program, with a card beside each.

The metadata of a safetensors file comes in no fixed order. Ours is one entry, JSON with sorted keys, so that the same
weights give the same file and the same SHA256.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from prostreg.errors import FaultList, WeightsError, first_named
from prostreg.json_fields import JsonFields, parsed_json
from prostreg.prost.card import Card, MadeFor, card_path, card_text, read_card, read_made_for
from prostreg.prost.network import ProSTNetwork
from prostreg.prost.networks import NETWORKS, NetworkMaker, make_network
from prostreg.prost.safetensors_header import read_metadata
from prostreg.scratch import scratch_folder
from prostreg.undisturbed import undisturbed

SUFFIX = ".safetensors"
METADATA_KEY = "prostreg"
FORMAT_VERSION = 1


@dataclass(frozen=True, eq=False)
class LoadedWeights:
    """The content of a file of weights and its card.

    Attributes:
        network_name: which network they belong to.
        options: arguments that the network was made with.
        state: tensors by name, on the CPU; all numbers finite.
        card: what is known about them.
    """

    network_name: str
    options: Mapping[str, Any]
    state: Mapping[str, Tensor]
    card: Card


@dataclass(frozen=True)
class _Description:
    """The file's own words on its weights."""

    network: str
    options: Mapping[str, Any]
    made_for: MadeFor | None


def save_weights(path: Path, network: ProSTNetwork, network_name: str, options: Mapping[str, Any], card: Card) -> Card:
    """Writes ``<name>.safetensors`` and its card ``<name>.json``; a crash leaves no half-written file.

    Args:
        path: ends in ``.safetensors``; its folder is made where it is missing.
        network: whose parameters and buffers are written.
        network_name: its name in `NETWORKS`.
        options: the arguments it was made with.
        card: network, parameters and sha256 in it are filled in.

    Returns:
        The card as it was written.

    Raises:
        WeightsError: numbers that are not finite, options or a card that JSON cannot hold, a folder not to be written.
    """
    faults = FaultList()
    if path.suffix != SUFFIX:
        faults.add(f"The file's name must end in {SUFFIX}.")
    state = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in network.state_dict().items()}
    faults.extend(_not_finite(state))
    content = save(state, metadata={METADATA_KEY: _description_text(network_name, options, card.made_for, faults)})
    complete = replace(
        card,
        network=network_name,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    text = card_text(complete, faults)
    if faults:
        raise _weights_error(f"The weights {path} cannot be saved", faults.faults)
    _write_both(path, content, text)
    return complete


def load_weights(path: Path) -> LoadedWeights:
    """Reads weights and their card and checks both.

    Raises:
        WeightsError: one of them is missing, damaged, of a newer format or not prostreg's, or they do not belong
            together, or the weights are not all finite; lists all that is wrong.
    """
    faults = FaultList()
    loaded = None
    try:
        loaded = _read(path, faults)
    except FileNotFoundError:
        faults.add("There is no such file: check the name and the folder.")
    except OSError as error:
        faults.add(f"The file cannot be read ({error.strerror}): check that it is a file, and one you may read.")
    if faults or loaded is None:
        raise _weights_error(f"The weights {path} cannot be used", faults.faults)
    return loaded


def load_network(path: Path, networks: Mapping[str, NetworkMaker] = NETWORKS) -> tuple[ProSTNetwork, Card]:
    """Makes the network that a file of weights belongs to, with these weights, on the CPU, for evaluation.

    Args:
        path: the ``.safetensors`` file.
        networks: makers by name.

    Raises:
        WeightsError: as `load_weights`, or the network is unknown, or the weights do not fit it.
    """
    loaded = load_weights(path)
    return network_of(loaded, path, networks), loaded.card


def network_of(loaded: LoadedWeights, path: Path, networks: Mapping[str, NetworkMaker] = NETWORKS) -> ProSTNetwork:
    """The network of weights read from ``path``, as `load_network` makes it.

    Raises:
        WeightsError: the network is unknown, or the weights do not fit it.
    """
    # Compared on an outline without memory first: a few bytes of options can ask for any amount of it.
    misfits = _misfits(_made("meta", loaded, path, networks).state_dict(), loaded.state)
    if misfits:
        raise _weights_error(f"The weights {path} do not fit the network '{loaded.network_name}'", misfits)
    # Initial weights are overwritten: drawing them must leave the caller's random numbers alone.
    with torch.random.fork_rng(devices=[]):
        network = _made("cpu", loaded, path, networks)
    network.load_state_dict(dict(loaded.state))
    return network.eval()


def _description_text(network: str, options: Mapping[str, Any], made_for: MadeFor | None, faults: FaultList) -> str:
    description = {
        "format": FORMAT_VERSION,
        "network": network,
        "options": dict(options),
        "kind": "shipped" if made_for is None else "adapted",
        "made_for": None if made_for is None else asdict(made_for),
    }
    try:
        return json.dumps(description, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        faults.add(f"The network's options hold what JSON cannot ({error}): use plain texts and finite numbers.")
        return ""


def _read(path: Path, faults: FaultList) -> LoadedWeights | None:
    metadata = read_metadata(path, faults)
    description = None if metadata is None else _read_description(metadata, faults)
    card = read_card(card_path(path), faults)
    if description is None:
        return None
    # Read once, so that what is checked is what is used.
    content = path.read_bytes()
    state = _tensors(content, faults)
    if card is None:
        return None
    _check_belong_together(description, content, card, faults)
    return LoadedWeights(description.network, description.options, state, card)


def _read_description(metadata: Mapping[str, str], faults: FaultList) -> _Description | None:
    if METADATA_KEY not in metadata:
        faults.add("It is a safetensors file, but not one of prostreg's: it does not say for which ProST network.")
        return None
    noted = FaultList()
    try:
        fields = JsonFields(parsed_json(metadata[METADATA_KEY]), "the file's metadata", noted)
    except (ValueError, RecursionError):
        faults.add("The file's metadata is damaged. Copy or download it again.")
        return None
    version = fields.whole("format", 1, 10**6)
    if version > FORMAT_VERSION:
        faults.add(
            f"The file has format {version}, and this prostreg knows formats up to {FORMAT_VERSION}: update prostreg,"
            " or use older weights."
        )
        return None
    options = fields.mapping("options")
    is_adapted = fields.choice("kind", ("shipped", "adapted")) == "adapted"
    description = _Description(
        fields.text("network"), options, read_made_for(fields.inner("made_for")) if is_adapted else None
    )
    faults.extend(noted.faults)
    return None if noted else description


def _tensors(content: bytes, faults: FaultList) -> dict[str, Tensor]:
    try:
        state = load(content)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        faults.add(f"The tensors in the file are damaged ({error}). Copy or download it again.")
        return {}
    faults.extend(_not_finite(state))
    return state


def _not_finite(state: Mapping[str, Tensor]) -> list[str]:
    bad = [name for name, tensor in sorted(state.items()) if tensor.is_floating_point() and not _is_finite(tensor)]
    return [f"Some numbers are not finite, in {first_named(bad)}: the training went astray, use others."] if bad else []


def _is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor.double()).all())


def _check_belong_together(description: _Description, content: bytes, card: Card, faults: FaultList) -> None:
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != card.sha256:
        faults.add(
            f"The file is not the one that its card describes: its SHA256 is {sha256[:12]}..., the card says"
            f" {card.sha256[:12]}.... One of the two was changed or damaged: get both again, or adapt again."
        )
    if description.network != card.network:
        faults.add(
            f"The file is for the network '{description.network}', its card for '{card.network}': get both again."
        )
    if description.made_for != card.made_for:
        faults.add("The file and its card do not name the same patient: get both again, or adapt again.")


def _made(device: str, loaded: LoadedWeights, path: Path, networks: Mapping[str, NetworkMaker]) -> ProSTNetwork:
    try:
        with torch.device(device):
            return make_network(loaded.network_name, loaded.options, networks)
    except WeightsError as error:
        raise _weights_error(f"The weights {path} cannot be used", [str(error)]) from error


def _misfits(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    faults = []
    if missing := sorted(expected.keys() - given.keys()):
        faults.append(f"They lack {first_named(missing)}.")
    if foreign := sorted(given.keys() - expected.keys()):
        faults.append(f"The network has no {first_named(foreign)}.")
    shapes = [
        f"{name} ({'x'.join(map(str, given[name].shape))} instead of {'x'.join(map(str, tensor.shape))})"
        for name, tensor in expected.items()
        if name in given and given[name].shape != tensor.shape
    ]
    if shapes:
        faults.append(f"Of another shape: {first_named(shapes)}.")
    if faults:
        faults.append("They were made with another version of the network: use weights that were made with this one.")
    return faults


def _write_both(path: Path, content: bytes, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(path.parent) as folder:
            unfinished = folder / path.name
            for file, data in ((unfinished, content), (card_path(unfinished), text.encode())):
                _write_to_disk(file, data)
            with undisturbed():
                unfinished.replace(path)
                card_path(unfinished).replace(card_path(path))
    except OSError as error:
        raise WeightsError(
            f"The weights {path} cannot be saved ({error.strerror or error}): choose another folder, or make room."
        ) from error


def _write_to_disk(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _weights_error(what: str, faults: Iterable[str]) -> WeightsError:
    return WeightsError(f"{what}: {' '.join(faults)}")
