"""The networks there are, by the names that files of weights and configurations use."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from prostreg.errors import InputError, WeightsError
from prostreg.json_fields import likely_meant
from prostreg.prost.cnn import ProSTCnn
from prostreg.prost.crossvit import ProSTCrossVit
from prostreg.prost.light import ProSTLight
from prostreg.prost.network import ProSTNetwork

NetworkMaker = Callable[..., ProSTNetwork]

NETWORKS: dict[str, NetworkMaker] = {
    "prost-light": ProSTLight,
    "prost-cnn": ProSTCnn,
    "prost-crossvit": ProSTCrossVit,
}


def make_network(
    name: str, options: Mapping[str, Any], networks: Mapping[str, NetworkMaker] = NETWORKS
) -> ProSTNetwork:
    """A network with fresh weights.

    Args:
        name: one of ``networks``.
        options: arguments of its maker, by name.
        networks: makers by name.

    Raises:
        WeightsError: there is no such network, or it does not take these options.
    """
    if name not in networks:
        raise WeightsError(
            f"There is no network '{name}': {likely_meant(name, networks)} A newer prostreg may have it."
        )
    maker = networks[name]
    try:
        inspect.signature(maker).bind(**options)
        return maker(**options)
    except (InputError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        reason = " ".join(error.faults) if isinstance(error, InputError) else f"{error}."
        shown = ", ".join(f"{key}={value!r}" for key, value in options.items()) or "none"
        raise WeightsError(
            f"The network '{name}' cannot be made with these options ({shown}): {reason} They were written for another"
            " version of prostreg: use that one, or weights that were made with this one."
        ) from error
