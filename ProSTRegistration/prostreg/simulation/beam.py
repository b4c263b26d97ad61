"""The X-ray beam: tube spectra, what materials attenuate, and what a detector sees of it.

The numbers are in xray_tables.json, which docs/tables/xray_tables.py makes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TABLES = Path(__file__).with_name("xray_tables.json")
ENERGY_BINS = 12
SCINTILLATOR_MM = 0.45
"""Thickness of solid caesium iodide; a detector's 0.6 mm are packed to three quarters."""


@cache
def _tables() -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(TABLES.read_text(encoding="utf-8"))
    return content


def energies_kev() -> NDArray[np.float64]:
    """The table's energies, one per keV."""
    return np.array(_tables()["energies_kev"], dtype=np.float64)


def attenuation_per_mm(material: str) -> NDArray[np.float64]:
    """Linear attenuation at ``energies_kev``, 1/mm, of a material of the table at its usual density."""
    entry = _tables()["materials"][material]
    coefficients = np.array(entry["mass_attenuation_cm2_per_g"], dtype=np.float64)
    return coefficients * (float(entry["density_g_per_cm3"]) / 10.0)


def attenuation_at(material: str, energy_kev: float) -> float:
    """Linear attenuation in 1/mm at one energy."""
    return float(np.interp(energy_kev, energies_kev(), attenuation_per_mm(material)))


def spectrum(kilovolt: float) -> NDArray[np.float64]:
    """Photons per keV of a tube voltage, summing to 1; between the table's voltages by linear interpolation."""
    spectra = _tables()["spectra"]
    voltages = sorted(float(voltage) for voltage in spectra)
    values = np.array([spectra[f"{voltage:g}"] for voltage in voltages])
    shares = np.array([np.interp(kilovolt, voltages, column) for column in values.T])
    return np.asarray(shares / shares.sum())


def detected_energy() -> NDArray[np.float64]:
    """Mean energy in keV that the scintillator absorbs of a photon, at ``energies_kev``."""
    return np.asarray(energies_kev() * -np.expm1(-attenuation_per_mm("caesium iodide") * SCINTILLATOR_MM))


@dataclass(frozen=True, eq=False)
class Beam:
    """A spectrum in a few energy bins, as the detector weights it.

    Attributes:
        weights: (bins,) share of each bin in the open beam's signal, summing to 1.
        bins: (bins, energies) share of each energy in its bin, rows summing to 1.
    """

    weights: NDArray[np.float64]
    bins: NDArray[np.float64]

    @classmethod
    def of_tube(cls, kilovolt: float) -> Beam:
        """The beam of a tube voltage from 60 to 120 kV, in bins of about equal signal."""
        signal = spectrum(kilovolt) * detected_energy()
        signal /= signal.sum()
        middle = np.cumsum(signal) - signal / 2
        numbers = np.minimum((middle * ENERGY_BINS).astype(int), ENERGY_BINS - 1)
        bins = np.array([signal * (numbers == number) for number in range(ENERGY_BINS)])
        weights = bins.sum(axis=1)
        filled = weights > 0
        return cls(weights[filled], bins[filled] / weights[filled, None])

    def per_mm(self, material: str) -> NDArray[np.float64]:
        """Linear attenuation (bins,) of a material, 1/mm."""
        return np.asarray(self.bins @ attenuation_per_mm(material))

    def transmitted(self, lengths_mm: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Share of the open beam's signal that is left (height, width): Beer and Lambert's law, bin by bin.

        Args:
            lengths_mm: for each material its length along every ray (height, width), mm at its usual density.
        """
        coefficients = {material: self.per_mm(material).astype(np.float32) for material in lengths_mm}
        shape = np.broadcast_shapes(*(length.shape for length in lengths_mm.values()))
        total = np.zeros(shape, dtype=np.float32)
        exponent, term = np.empty_like(total), np.empty_like(total)
        for number, weight in enumerate(self.weights.astype(np.float32)):
            exponent.fill(0)
            for material, length in lengths_mm.items():
                exponent -= np.multiply(length, coefficients[material][number], out=term)
            total += weight * np.exp(exponent, out=term)
        return total
