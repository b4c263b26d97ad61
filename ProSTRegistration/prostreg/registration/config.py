"""All settings of a registration in one place: defaults, ranges, and the JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from prostreg.errors import InputError
from prostreg.projector.selection import PROJECTORS
from prostreg.value_checks import is_number, is_whole, unknown_setting

METHODS = ("auto", "cmaes", "prost", "prost+cmaes")
DEVICES = ("auto", "cpu", "cuda")

_CHOICES = {"method": METHODS, "device": DEVICES, "projector": PROJECTORS}
_WHOLE_NUMBERS = {
    "seed": (0, 2**32 - 1),
    "population": (8, 2000),
    "generations": (1, 2000),
    "descents": (1, 256),
    "restarts_per_round": (1, 64),
    "most_restarts": (1, 10000),
    "search_pixels": (16, 1024),
    "judge_pixels": (16, 2048),
    "polish_pixels": (16, 4096),
    "patch_radius_px": (1, 64),
}
_NUMBERS = {
    "time_limit_s": (0.1, 86400.0),
    "spread_rotation_deg": (0.1, 180.0),
    "spread_shift_mm": (0.1, 1000.0),
    "spread_depth_mm": (0.1, 2000.0),
}


@dataclass(frozen=True)
class RegistrationConfig:
    """Settings of a registration.

    Attributes:
        method: ``auto`` restarts until the score convinces; ``cmaes`` is one CMA-ES run as in the
            papers unless ``restarts`` says otherwise; ``prost`` descends on the learned similarity and climbs
            from there; ``prost+cmaes`` puts a CMA-ES run in between.
        restarts: number of CMA-ES runs, or ``auto``: until accepted, ``most_restarts`` are done, or out of time.
        time_limit_s: after which the best pose so far is returned.
        weights: of the ProST network: ``auto`` (adapted to this patient, or else those that came along),
            ``shipped``, ``adapted``, or the name of a file.
        foreign_weights: whether weights that were adapted to another patient may be used.
        descents: on the learned similarity, from the start and from around it.
        seed: of every random number; the same seed gives the same result on one machine.
        device: where to compute.
        projector: which projector renders.
        spread_rotation_deg: standard deviation of the start's rotation error about each axis.
        spread_shift_mm: the same for shifts in the image plane.
        spread_depth_mm: the same along the viewing ray.
        population: poses per CMA-ES generation.
        generations: most generations of one CMA-ES run.
        restarts_per_round: CMA-ES runs that are rendered together.
        most_restarts: CMA-ES runs after which ``auto`` gives up.
        search_pixels: longer side of the image in the global search.
        judge_pixels: longer side of the image in which poses are refined, compared and judged.
        polish_pixels: longer side of the image in the final gradient polish.
        patch_radius_px: radius of the similarity's patches in the search image.
    """

    method: str = "auto"
    restarts: int | str = "auto"
    time_limit_s: float = 60.0
    weights: str = "auto"
    foreign_weights: bool = False
    descents: int = 8
    seed: int = 0
    device: str = "auto"
    projector: str = "auto"
    spread_rotation_deg: float = 20.0
    spread_shift_mm: float = 30.0
    spread_depth_mm: float = 60.0
    population: int = 80
    generations: int = 40
    restarts_per_round: int = 2
    most_restarts: int = 64
    search_pixels: int = 40
    judge_pixels: int = 128
    polish_pixels: int = 256
    patch_radius_px: int = 5

    def __post_init__(self) -> None:
        faults = _faults(asdict(self))
        if faults:
            raise InputError(faults)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; `from_dict` is the way back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RegistrationConfig:
        """Settings from plain values; what is missing keeps its default.

        Raises:
            InputError: names every unknown or invalid setting.
        """
        known = {field.name for field in fields(cls)}
        faults = [unknown_setting(name, known) for name in values if name not in known]
        faults += _faults({name: value for name, value in values.items() if name in known})
        if faults:
            raise InputError(faults)
        return cls(**values)

    @classmethod
    def from_json_file(cls, path: Path) -> RegistrationConfig:
        """Settings from a JSON file with one object.

        Raises:
            InputError: the file cannot be read, or names every unknown or invalid setting.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"The configuration {path} cannot be read: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"The configuration {path} is not valid JSON: {error}.") from error
        if not isinstance(values, dict):
            raise InputError(f"The configuration {path} must hold one JSON object with settings.")
        return cls.from_dict(values)


def _faults(values: Mapping[str, Any]) -> list[str]:
    """One sentence for each value that is not valid."""
    faults = []
    for name, value in values.items():
        if name in _CHOICES and value not in _CHOICES[name]:
            faults.append(f"The setting '{name}' is {value!r}: choose one of {', '.join(_CHOICES[name])}.")
        elif name in _WHOLE_NUMBERS and not is_whole(value, *_WHOLE_NUMBERS[name]):
            bounds = "{} to {}".format(*_WHOLE_NUMBERS[name])
            faults.append(f"The setting '{name}' is {value!r}: give a whole number from {bounds}.")
        elif name in _NUMBERS and not _is_in_range(value, *_NUMBERS[name]):
            bounds = "{:g} to {:g}".format(*_NUMBERS[name])
            faults.append(f"The setting '{name}' is {value!r}: give a number from {bounds}.")
        elif name == "weights" and (not isinstance(value, str) or not value.strip()):
            faults.append(f"The setting 'weights' is {value!r}: give auto, shipped, adapted, or the name of a file.")
        elif name == "foreign_weights" and not isinstance(value, bool):
            faults.append(f"The setting 'foreign_weights' is {value!r}: give true or false.")
        elif name == "restarts" and value != "auto" and not is_whole(value, 1, 10000):
            faults.append(f"The setting 'restarts' is {value!r}: give a whole number from 1 to 10000, or 'auto'.")
    return faults


def _is_in_range(value: Any, low: float, high: float) -> bool:
    return is_number(value) and low <= value <= high
