"""The methods that are compared, as settings of a registration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prostreg.errors import FaultList, ProSTError
from prostreg.evaluation.protocol import Protocol
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.pipeline import check_method

METHOD_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "cmaes": {"method": "cmaes", "restarts": 1},
    "prost": {"method": "prost", "weights": "shipped"},
    "prost-adapted": {"method": "prost", "weights": "adapted"},
    "prost+cmaes": {"method": "prost+cmaes", "restarts": 1, "weights": "shipped"},
    "prost+cmaes-adapted": {"method": "prost+cmaes", "restarts": 1, "weights": "adapted"},
    "auto": {"method": "auto", "weights": "shipped"},
    "auto-adapted": {"method": "auto", "weights": "adapted"},
}
"""``cmaes`` is one CMA-ES run, as in the papers. Where it matters, a method says which weights it has, so that a table
does not depend on what lies in the user's cache."""

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
