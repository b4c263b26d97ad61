"""The methods that are compared, as settings of a registration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prostreg.choices import evaluated_methods
from prostreg.errors import FaultList, ProSTError
from prostreg.evaluation.protocol import Protocol
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.pipeline import check_method
from prostreg.registration.weights_choice import learned_model

METHOD_SETTINGS: Mapping[str, Mapping[str, Any]] = evaluated_methods()

WEIGHTS_DIGITS = 12
"""Of the SHA256 of weights, in rows and tables."""

REGISTRATION = 100
"""Stream of random numbers of a case that its registrations are seeded from, apart from those that make the case."""


def registration_seed(protocol: Protocol, number: int) -> int:
    """Of the registrations of case ``number``, the same for every method."""
    return int(np.random.default_rng([protocol.seed, number, REGISTRATION]).integers(2**31))


def registration_config(protocol: Protocol, method: str, seed: int) -> RegistrationConfig:
    """The settings of a registration: the protocol's, and what makes the method."""
    return RegistrationConfig.from_dict({**protocol.settings, **METHOD_SETTINGS[method], "seed": seed})


def check_methods(protocol: Protocol, methods: Sequence[str]) -> None:
    """Finds out before anything runs whether every method can.

    Raises:
        InputError: names every method that is unknown, or lacks its weights or its device.
    """
    faults = FaultList()
    for method in methods:
        if method not in METHOD_SETTINGS:
            faults.add(f"There is no method '{method}': choose among {', '.join(METHOD_SETTINGS)}.")
            continue
        try:
            check_method(registration_config(protocol, method, seed=0))
        except ProSTError as error:
            faults.add(str(error))
    faults.raise_if_any()


def weights_by_method(protocol: Protocol, methods: Sequence[str], case: Case) -> dict[str, str]:
    """First digits of the SHA256 of the weights that each method uses on a case; without those that have no network.

    Raises:
        InputError: names every method whose weights are missing or cannot be used.
    """
    faults, digests = FaultList(), {}
    for method in methods:
        try:
            model = learned_model(registration_config(protocol, method, seed=0), case)
        except ProSTError as error:
            faults.add(f"{method}: {error}")
            continue
        if model is not None:
            digests[method] = model.card.sha256[:WEIGHTS_DIGITS]
    faults.raise_if_any()
    return digests
