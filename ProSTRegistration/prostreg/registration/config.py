"""All settings of a registration in one place: defaults, ranges, and the JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prostreg.choices import AUTO, DEVICES, METHODS, PROJECTORS, SIMILARITIES
from prostreg.json_fields import JsonFields, json_object

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
_WHERE = "The configuration"


@dataclass(frozen=True)
class RegistrationConfig:
    """Settings of a registration.

    Attributes:
        method: ``auto`` restarts until the score convinces; ``cmaes`` is one CMA-ES run as in the
            papers unless ``restarts`` says otherwise; ``prost`` descends on the learned similarity and climbs
            from there; ``prost+cmaes`` puts a CMA-ES run in between.
        restarts: number of CMA-ES runs, or ``auto``: until accepted, ``most_restarts`` are done, or out of time.
        time_limit_s: after which the best pose so far is returned.
        weights: of the ProST network: ``auto`` (adapted to this patient, or else the shipped ones),
            ``shipped``, ``adapted``, or the name of a file.
        foreign_weights: whether weights that were adapted to another patient may be used.
        descents: on the learned similarity, from the start and from around it.
        seed: of every random number; the same seed gives the same result on one machine.
        device: where to compute: ``cuda`` is an NVIDIA GPU, after a check; ``auto`` is the CPU until GPUs were tried.
        projector: which projector renders.
        similarity: which similarity compares DRRs with X-rays.
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
    similarity: str = "patch-gradncc"
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
        fields = JsonFields(asdict(self), _WHERE)
        _read(fields)
        fields.faults.raise_if_any()

    @property
    def until_accepted(self) -> bool:
        """True if the search goes on until its pose convinces."""
        return METHODS[self.method].runs is None and self.restarts == "auto"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; `from_dict` is the way back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = _WHERE) -> RegistrationConfig:
        """Settings from plain values; what is missing keeps its default.

        Raises:
            InputError: names every unknown or invalid setting of ``where``.
        """
        fields = JsonFields({**asdict(cls()), **values}, where)
        read = _read(fields)
        fields.end()
        fields.faults.raise_if_any()
        return cls(**read)

    @classmethod
    def from_json_file(cls, path: Path) -> RegistrationConfig:
        """Settings from a JSON file with one object.

        Raises:
            InputError: the file cannot be read, or names every unknown or invalid setting.
        """
        return cls.from_dict(json_object(path, "configuration"), f"{_WHERE} {path.name}")


def _read(fields: JsonFields) -> dict[str, Any]:
    """Every setting by its name; faults are noted."""
    return {
        "method": fields.choice("method", list(METHODS)),
        "device": fields.choice("device", DEVICES),
        "projector": fields.choice("projector", [AUTO, *PROJECTORS]),
        "similarity": fields.choice("similarity", list(SIMILARITIES)),
        **{name: fields.whole(name, *bounds) for name, bounds in _WHOLE_NUMBERS.items()},
        **{name: fields.number(name, *bounds) for name, bounds in _NUMBERS.items()},
        "weights": fields.text("weights", advice="give auto, shipped, adapted, or the name of a file"),
        "foreign_weights": fields.flag("foreign_weights"),
        "restarts": fields.checked("restarts", _is_restarts, "give a whole number from 1 to 10000, or 'auto'", "auto"),
    }


def _is_restarts(value: object) -> bool:
    return value == "auto" or (type(value) is int and 1 <= value <= 10000)
