"""Lists of what people choose by a name, each once. A place is "module:name" of the chosen thing; none is loaded here.

A new method, projector or similarity is a file of its own and a line here: see docs/extending.md.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Literal, get_args

AUTO = "auto"


@dataclass(frozen=True)
class Method:
    """A method of registration.

    Attributes:
        stages: place of its stages, a function of a `registration.stages.Run`.
        meaning: one line for tables and help.
        runs: CMA-ES runs unless the user says otherwise; None for as many as it takes to convince.
        network: whether it can do without the learned similarity.
    """

    stages: str
    meaning: str
    runs: int | None
    network: Literal["none", "optional", "needed"]


METHODS: dict[str, Method] = {
    "auto": Method(
        "prostreg.registration.stages:until_convinced",
        "what the program does by itself: descents, then restarts until its score convinces", None, "optional",
    ),
    "cmaes": Method("prostreg.registration.stages:cmaes", "one CMA-ES run, as in the papers", 1, "none"),
    "prost": Method(
        "prostreg.registration.stages:descents", "descents along the network's gradient, no global search", 0, "needed"
    ),
    "prost+cmaes": Method(
        "prostreg.registration.stages:descents_then_cmaes",
        "those descents, then one CMA-ES run from the best end", 1, "needed",
    ),
}  # fmt: skip

PROJECTORS = {
    "fused-cpu": "prostreg.projector.fused_cpu:FusedCpuProjector",
    "reference": "prostreg.projector.reference:ReferenceProjector",
}
"""Each is made from a volume; "auto" is the first that can run here."""

SIMILARITIES = {"patch-gradncc": "prostreg.similarity.correlation:PatchGradNcc"}
"""Each is made from an X-ray, its mask, and the radius and stride of patches in pixels."""

Polarity = Literal["bone-dark", "bone-bright"]
"""Whether bone is dark or bright in an X-ray: grey values grow with the beam's intensity, or with what it lost."""

PolarityChoice = Literal["auto", Polarity]
POLARITIES: tuple[PolarityChoice, ...] = get_args(PolarityChoice)
DEVICES = ("auto", "cpu", "cuda")
SIMULATOR_PRESETS = ("clean", "paper", "hard")
ADAPTED = "-adapted"


def evaluated_methods() -> dict[str, dict[str, Any]]:
    """Methods as evaluations compare them, with their settings: those with a network twice, as shipped and adapted.

    The settings say which weights a method has, so that a table does not depend on what lies in the user's cache.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, method in METHODS.items():
        settings: dict[str, Any] = {"method": name, **({"restarts": method.runs} if method.runs else {})}
        if method.network == "none":
            found[name] = settings
        else:
            found[name] = {**settings, "weights": "shipped"}
            found[name + ADAPTED] = {**settings, "weights": "adapted"}
    return found


def loaded(place: str) -> Any:
    """The object at a place."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
