"""Registration settings from --config and from single options, which win."""

from __future__ import annotations

import argparse
from typing import Any

from prostreg.registration.config import RegistrationConfig


def configuration(arguments: argparse.Namespace) -> RegistrationConfig:
    """The configuration that the user asked for.

    Raises:
        InputError: names every invalid field of the file, or of the options.
    """
    base = RegistrationConfig() if arguments.config is None else RegistrationConfig.from_json_file(arguments.config)
    options: dict[str, Any] = {
        "method": arguments.method,
        "restarts": arguments.restarts,
        "time_limit_s": arguments.time_limit,
        "seed": arguments.seed,
        "device": arguments.device,
        "weights": arguments.weights,
    }
    chosen = {name: value for name, value in options.items() if value is not None}
    return RegistrationConfig.from_dict({**base.to_dict(), **chosen})
