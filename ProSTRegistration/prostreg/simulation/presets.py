"""Settings with a name: what an image is meant to be like."""

from __future__ import annotations

from collections.abc import Mapping

from prostreg.errors import InputError
from prostreg.json_fields import JsonFields
from prostreg.simulation.settings import SimulatorSettings

_SETTINGS = {
    "clean": SimulatorSettings(clipped_share=(0.05, 0.05)),
    "paper": SimulatorSettings(
        kilovolt=(65, 100),
        photons_per_mm2=(4e3, 4e4),
        scatter_fraction=(0.1, 0.3),
        scatter_width_mm=(15, 40),
        scatter_evenness=(0.1, 0.4),
        focal_spot_mm=(0.3, 0.6),
        detector_blur_mm=(0.15, 0.35),
        heel=(0.0, 0.15),
        vignetting=(0.0, 0.1),
        log_share=0.5,
        clipped_share=(0.02, 0.08),
        soft_tissue_shift_mm=(0.0, 4.0),
        bodies=4,
    ),
    "hard": SimulatorSettings(
        kilovolt=(60, 110),
        photons_per_mm2=(6e2, 6e3),
        scatter_fraction=(0.25, 0.55),
        scatter_width_mm=(15, 50),
        scatter_evenness=(0.1, 0.5),
        focal_spot_mm=(0.3, 1.2),
        detector_blur_mm=(0.15, 0.6),
        heel=(0.0, 0.3),
        vignetting=(0.0, 0.25),
        log_share=0.6,
        inverted_share=0.5,
        clipped_share=(0.02, 0.1),
        eight_bit_share=0.7,
        window_low_percentile=(0.0, 2.0),
        window_high_percentile=(97.0, 100.0),
        gamma=(0.7, 1.5),
        local_contrast=(0.0, 0.7),
        collimation_share=0.5,
        collimator_opening=(0.65, 1.0),
        table_share=0.3,
        instruments=(0, 5),
        drape_share=0.5,
        drape_mm=(1.0, 8.0),
        soft_tissue_shift_mm=(2.0, 10.0),
        femur_turn_deg=(0.0, 15.0),
        bodies=4,
    ),
}

PRESETS: tuple[str, ...] = tuple(_SETTINGS)
"""``clean`` has a spectrum and nothing else; ``paper`` is like the simulated images of the papers, with noise, scatter
and blur; ``hard`` has all that an operating room adds."""


def preset(name: str) -> SimulatorSettings:
    """The settings called ``name``.

    Raises:
        InputError: there is none of this name.
    """
    if name not in _SETTINGS:
        raise InputError(f"There is no simulator preset '{name}': choose one of {', '.join(PRESETS)}.")
    return _SETTINGS[name]


def read_simulator(fields: JsonFields) -> SimulatorSettings:
    """Reads "simulator": the name of a preset, or an object with settings; ``paper`` where it is missing."""
    given = fields.raw("simulator", "paper")
    if isinstance(given, Mapping):
        settings = fields.faults.collect(lambda: SimulatorSettings.from_dict(given, '"simulator"'))
        return settings or _SETTINGS["paper"]
    advice = f"choose one of {', '.join(PRESETS)}, or give an object with settings"
    return _SETTINGS[fields.checked("simulator", lambda name: name in PRESETS, advice, "paper", "paper")]
