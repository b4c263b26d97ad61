"""A trained network with what is needed to use it: how its parameters are whitened, and how far its descents stray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import WeightsError
from prostreg.geometry.chart import PARAMETERS
from prostreg.geometry.standard_views import MAIN_VIEWS
from prostreg.json_fields import JsonFields
from prostreg.prost.card import Card
from prostreg.prost.network import ProSTNetwork
from prostreg.prost.weights import load_weights, network_of

SPREAD, RESIDUAL, VIEW = "spread_rad_mm", "residual_spreads", "view"


@dataclass(frozen=True, eq=False)
class Usage:
    """The use of weights, as their card states it; attributes as those of a `LearnedModel`."""

    spread: NDArray[np.float64]
    residual: NDArray[np.float64]
    view: str


@dataclass(frozen=True, eq=False)
class LearnedModel:
    """A network ready to be used.

    Attributes:
        network: in evaluation mode.
        options: arguments that the network was made with.
        card: what is known about its weights.
        spread: (6,) what whitens the pose parameters, rad and mm.
        residual: (6,) what its descents left of each parameter on X-rays never trained on, in spreads.
        view: standard view around which it was trained.
    """

    network: ProSTNetwork
    options: Mapping[str, Any]
    card: Card
    spread: NDArray[np.float64]
    residual: NDArray[np.float64]
    view: str


def configuration_of_model(
    spread: NDArray[np.float64], residual: NDArray[np.float64], training: Mapping[str, Any], view: str = "AP"
) -> dict[str, Any]:
    """The keys of a card's configuration that `load_model` needs."""
    return {
        "parameters": list(PARAMETERS),
        SPREAD: [float(value) for value in spread],
        RESIDUAL: [float(value) for value in residual],
        VIEW: view,
        "training": dict(training),
    }


def load_model(path: Path) -> LearnedModel:
    """Reads weights that a training run or an adaptation wrote.

    Raises:
        WeightsError: as `load_network`, or the card does not say how to use them.
    """
    loaded = load_weights(path)
    network, usage = network_of(loaded, path), usage_of(loaded.card, path)
    return LearnedModel(network, loaded.options, loaded.card, usage.spread, usage.residual, usage.view)


def usage_of(card: Card, path: Path) -> Usage:
    """Reads from a card how its weights are used.

    Raises:
        WeightsError: the card does not say so.
    """
    fields = JsonFields(card.configuration, '"configuration"')
    faults = fields.faults
    spread, residual = (np.array(fields.numbers(key, len(PARAMETERS))) for key in (SPREAD, RESIDUAL))
    view = fields.choice(VIEW, MAIN_VIEWS, "AP")
    if not faults and not ((spread > 0).all() and (residual >= 0).all()):
        faults.add(f'"{SPREAD}" must be positive and "{RESIDUAL}" not negative.')
    if faults:
        raise WeightsError(
            f"The card of the weights {path} does not say how to use them: {' '.join(faults.faults)} Get both files"
            " again, or train or adapt again."
        )
    return Usage(spread, residual, view)
