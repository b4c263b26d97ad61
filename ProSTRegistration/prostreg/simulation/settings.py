"""Settings of a simulated fluoroscopy's effects: ranges to draw from, checks, JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prostreg.json_fields import JsonFields, json_object

Range = tuple[float, float]

_RANGE_BOUNDS: dict[str, Range] = {
    "kilovolt": (60.0, 120.0),
    "photons_per_mm2": (10.0, 1e9),
    "scatter_fraction": (0.0, 0.8),
    "scatter_width_mm": (1.0, 200.0),
    "scatter_evenness": (0.0, 1.0),
    "focal_spot_mm": (0.0, 5.0),
    "detector_blur_mm": (0.0, 5.0),
    "heel": (0.0, 0.8),
    "vignetting": (0.0, 0.8),
    "clipped_share": (0.0, 0.5),
    "window_low_percentile": (0.0, 40.0),
    "window_high_percentile": (60.0, 100.0),
    "gamma": (0.2, 5.0),
    "local_contrast": (0.0, 3.0),
    "collimator_opening": (0.2, 1.5),
    "instruments": (0.0, 20.0),
    "drape_mm": (0.0, 20.0),
    "soft_tissue_shift_mm": (0.0, 30.0),
    "femur_turn_deg": (0.0, 60.0),
}
_SHARES = ("log_share", "inverted_share", "eight_bit_share", "collimation_share", "table_share", "drape_share")
_WHOLE_NUMBERS = {"bodies": (1, 64), "first_body": (0, 10**6)}
_WHERE = "The simulator"


@dataclass(frozen=True)
class SimulatorSettings:
    """Ranges (low, high) that each image draws from, and shares (0 to 1) of the images that show an effect.

    The defaults switch every effect off that can be.

    Attributes:
        kilovolt: tube voltage.
        photons_per_mm2: per detector area behind the patient, at the median of the image; drawn evenly on a log scale.
        scatter_fraction: scattered share of what arrives, where the patient is typical.
        scatter_width_mm: standard deviation of the scatter's spread on the detector.
        scatter_evenness: share of the scatter that is the same everywhere.
        focal_spot_mm: width of the source; blurs with the magnification of what it shows.
        detector_blur_mm: standard deviation on the detector.
        heel: how much weaker the beam is at one side of the image than at the other.
        vignetting: how much weaker it is in the corners.
        log_share: of images that show line integrals (bone bright) instead of intensity (bone dark).
        inverted_share: of the line integral images, those shown inverted, as monitors do (bone dark).
        clipped_share: of the pixels, those that reach white; air does.
        eight_bit_share: of images made for a monitor: logarithmic, the next four settings, 256 grey levels.
        window_low_percentile: of the pixels that becomes black.
        window_high_percentile: of the pixels that becomes white.
        gamma: exponent of the grey scale.
        local_contrast: how much fine structure is raised above coarse.
        collimation_share: of images with a collimator, round or rectangular.
        collimator_opening: its width over the image's smaller side.
        table_share: of images with the edge of a table.
        instruments: number of wires, screws, clamps and tubes.
        drape_share: of images with a drape.
        drape_mm: its water-equivalent thickness.
        soft_tissue_shift_mm: largest displacement between CT and X-ray; bones do not move.
        femur_turn_deg: of each femur about the centre of its hip joint; needs the masks of the femora.
        bodies: differently deformed bodies per CT; each image shows one of them.
        first_body: number of the first of them; equal numbers deform in equal ways, and images that are to be
            independent of others need other bodies as well as another seed.

    Raises:
        InputError: lists every setting that is not valid.
    """

    kilovolt: Range = (80.0, 80.0)
    photons_per_mm2: Range = (1e7, 1e7)
    scatter_fraction: Range = (0.0, 0.0)
    scatter_width_mm: Range = (25.0, 25.0)
    scatter_evenness: Range = (0.0, 0.0)
    focal_spot_mm: Range = (0.0, 0.0)
    detector_blur_mm: Range = (0.0, 0.0)
    heel: Range = (0.0, 0.0)
    vignetting: Range = (0.0, 0.0)
    log_share: float = 0.0
    inverted_share: float = 0.0
    clipped_share: Range = (0.0, 0.0)
    eight_bit_share: float = 0.0
    window_low_percentile: Range = (0.0, 0.0)
    window_high_percentile: Range = (100.0, 100.0)
    gamma: Range = (1.0, 1.0)
    local_contrast: Range = (0.0, 0.0)
    collimation_share: float = 0.0
    collimator_opening: Range = (0.8, 1.0)
    table_share: float = 0.0
    instruments: Range = (0, 0)
    drape_share: float = 0.0
    drape_mm: Range = (1.0, 1.0)
    soft_tissue_shift_mm: Range = (0.0, 0.0)
    femur_turn_deg: Range = (0.0, 0.0)
    bodies: int = 1
    first_body: int = 0

    def __post_init__(self) -> None:
        fields = JsonFields(asdict(self), _WHERE)
        _read(fields)
        fields.faults.raise_if_any()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; `from_dict` is the way back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = _WHERE) -> SimulatorSettings:
        """Settings from plain values; a range may be one number, what is missing keeps its default.

        Raises:
            InputError: names every unknown or invalid setting of ``where``.
        """
        fields = JsonFields({**asdict(cls()), **values}, where)
        read = _read(fields)
        fields.end()
        fields.faults.raise_if_any()
        return cls(**read)

    @classmethod
    def from_json_file(cls, path: Path, base: SimulatorSettings | None = None) -> SimulatorSettings:
        """Settings from a JSON file with one object; what it does not name is as in ``base`` (None: the defaults).

        Raises:
            InputError: the file cannot be read, or names every unknown or invalid setting.
        """
        values = json_object(path, "file of simulator settings")
        return cls.from_dict({**({} if base is None else base.to_dict()), **values}, f"{_WHERE} in {path.name}")


def _read(fields: JsonFields) -> dict[str, Any]:
    """Every setting by its name; faults are noted."""
    return {
        **{name: fields.span(name, *bounds) for name, bounds in _RANGE_BOUNDS.items()},
        **{name: fields.number(name, 0, 1) for name in _SHARES},
        **{name: fields.whole(name, *bounds) for name, bounds in _WHOLE_NUMBERS.items()},
    }
