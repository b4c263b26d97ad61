"""Makes the simulator's table of X-ray spectra and attenuation: python docs/tables/xray_tables.py

Needs the extra `tables` (spekpy, xraydb), best in an environment of its own. The table is part of the package,
so that neither is needed to simulate.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import spekpy
import xraydb

REPOSITORY = Path(__file__).resolve().parents[2]
OUTPUT = REPOSITORY / "ProSTRegistration" / "prostreg" / "simulation" / "xray_tables.json"

FIRST_KEV, LAST_KEV = 15, 120
KILOVOLTS = (60, 70, 80, 90, 100, 110, 120)
ANODE_ANGLE_DEG = 12.0
FILTERS_MM = {"Al": 3.0, "Cu": 0.1}

MATERIALS = {
    "water": (1.0, {"H": 0.1119, "O": 0.8881}),
    "adipose": (
        0.95,
        {"H": 0.114, "C": 0.598, "N": 0.007, "O": 0.278, "Na": 0.001, "S": 0.001, "Cl": 0.001},
    ),
    "muscle": (
        1.05,
        {
            "H": 0.102, "C": 0.143, "N": 0.034, "O": 0.710, "Na": 0.001, "P": 0.002, "S": 0.003, "Cl": 0.001,
            "K": 0.004,
        },
    ),
    "bone": (
        1.92,
        {
            "H": 0.034, "C": 0.155, "N": 0.042, "O": 0.435, "Na": 0.001, "Mg": 0.002, "P": 0.103, "S": 0.003,
            "Ca": 0.225,
        },
    ),
    "aluminium": (2.699, {"Al": 1.0}),
    "titanium": (4.43, {"Ti": 0.90, "Al": 0.06, "V": 0.04}),
    "steel": (8.0, {"Fe": 0.655, "Cr": 0.17, "Ni": 0.12, "Mo": 0.025, "Mn": 0.02, "Si": 0.01}),
    "caesium iodide": (4.51, {"Cs": 0.5115, "I": 0.4885}),
}  # fmt: skip
"""Density in g/cm3 and mass fractions. Tissues: ICRU report 44; titanium: Ti-6Al-4V; steel: 316L."""


def mass_attenuation(fractions: dict[str, float], energies_kev: np.ndarray) -> list[float]:
    """Total mass attenuation coefficient in cm2/g at each energy, by the mixture rule."""
    total = sum(share * xraydb.mu_elam(element, energies_kev * 1000.0) for element, share in fractions.items())
    return [float(f"{value:.5g}") for value in total / sum(fractions.values())]


def spectrum(kilovolt: int, energies_kev: np.ndarray) -> list[float]:
    """Photons per keV behind the filters, summing to 1."""
    tube = spekpy.Spek(kvp=kilovolt, th=ANODE_ANGLE_DEG, dk=1.0, shift=0.5)
    for element, thickness_mm in FILTERS_MM.items():
        tube.filter(element, thickness_mm)
    centres, fluence = tube.get_spectrum(edges=False)
    values = np.interp(energies_kev, centres, fluence, left=0.0, right=0.0)
    return [float(f"{value:.4g}") for value in values / values.sum()]


def main() -> None:
    """Writes the table."""
    energies = np.arange(FIRST_KEV, LAST_KEV + 1, dtype=float)
    table = {
        "source": "Spectra: spekpy (tungsten, anode 12 degrees, 3 mm Al and 0.1 mm Cu). Attenuation: xraydb, Elam.",
        "energies_kev": energies.astype(int).tolist(),
        "spectra": {str(kilovolt): spectrum(kilovolt, energies) for kilovolt in KILOVOLTS},
        "materials": {
            name: {"density_g_per_cm3": density, "mass_attenuation_cm2_per_g": mass_attenuation(fractions, energies)}
            for name, (density, fractions) in MATERIALS.items()
        },
    }
    text = json.dumps(table).replace('}, "', '},\n "').replace('], "', '],\n "')
    OUTPUT.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {OUTPUT.name}")


if __name__ == "__main__":
    main()
