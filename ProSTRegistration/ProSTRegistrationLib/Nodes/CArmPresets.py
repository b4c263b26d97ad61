"""Settings of usual X-ray devices, for images that do not tell their geometry."""

from __future__ import annotations

import contextlib

from prostreg.errors import InputError
from prostreg.geometry.carm_accuracy import GUESSED
from prostreg.geometry.carm_devices import PRESETS
from ProSTRegistrationLib.Nodes.CArmSettings import CArmSettings


def presetSettings(name: str, size: tuple[int, int]) -> CArmSettings:
    """CArmSettings of a usual device at angles 0/0 for an image of ``size`` (width, height) that shows its whole field.

    Raises:
        InputError: there is no preset of this name, or an image of this size makes no sense with it.
    """
    if name not in PRESETS:
        raise InputError(f"There is no C-arm preset '{name}': choose one of {', '.join(PRESETS)}.")
    facts = PRESETS[name]
    pixelMm = facts.pitch_mm(size)
    return CArmSettings(facts.sdd_mm, facts.sod_mm, (pixelMm, pixelMm), accuracy=GUESSED)


def presetsFor(size: tuple[int, int]) -> dict[str, CArmSettings]:
    """The settings of every usual device that an image of ``size`` (width, height) makes sense with, by name."""
    found = {}
    for name in PRESETS:
        with contextlib.suppress(InputError):
            found[name] = presetSettings(name, size)
    return found
