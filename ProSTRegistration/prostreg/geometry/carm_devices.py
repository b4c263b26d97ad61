"""Usual X-ray devices, for images that do not tell their geometry: to begin with, until the device's own are known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DeviceFacts:
    """The distances and image that devices of a kind have in common.

    Attributes:
        sdd_mm: source to detector.
        sod_mm: source to isocentre, or to the middle of the patient where nothing turns.
        field_mm: the longer side of what the detector sees.
    """

    sdd_mm: float
    sod_mm: float
    field_mm: float

    def pitch_mm(self, size: tuple[int, int]) -> float:
        """The pixel pitch where an image of ``size`` (width, height) shows the whole field."""
        return self.field_mm / max(size)


PRESETS = {
    "Mobile C-arm, 9 inch intensifier, 1024 px": DeviceFacts(1000.0, 600.0, 229.0),
    "Mobile C-arm, 12 inch intensifier, 1024 px": DeviceFacts(1000.0, 600.0, 305.0),
    "Mobile C-arm, flat panel 20 cm, 1024 px": DeviceFacts(1050.0, 600.0, 205.0),
    "Mobile C-arm, flat panel 30 cm, 1536 px": DeviceFacts(1100.0, 620.0, 298.0),
    "Angiography, flat panel 40 cm": DeviceFacts(1200.0, 785.0, 400.0),
    "Radiography, table, SDD 1150": DeviceFacts(1150.0, 1000.0, 430.0),
    "Radiography, wall stand, SDD 1800": DeviceFacts(1800.0, 1600.0, 430.0),
}
