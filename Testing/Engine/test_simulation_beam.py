"""Spectra, attenuation and Beer-Lambert: closed facts, not what the code happens to give."""

import numpy as np
import pytest

from prostreg.simulation.beam import Beam, attenuation_at, detected_energy, energies_kev, spectrum
from prostreg.simulation.tissue import MATERIALS, hu_of, tissue_shares

DENSITY = {"water": 1.0, "adipose": 0.95, "muscle": 1.05, "bone": 1.92, "aluminium": 2.699}
NIST_CM2_PER_G = {
    ("water", 60): 0.2059,
    ("water", 80): 0.1837,
    ("water", 40): 0.2683,
    ("adipose", 60): 0.1974,
    ("muscle", 60): 0.2048,
    ("bone", 40): 0.6655,
    ("bone", 60): 0.3148,
    ("bone", 80): 0.2229,
    ("aluminium", 60): 0.2778,
}
AIR_KEV = (15, 20, 30, 40, 50, 60, 80, 100, 150)
AIR_ABSORPTION_CM2_PER_G = (1.334, 0.5389, 0.1537, 0.06833, 0.04098, 0.03041, 0.02407, 0.02325, 0.02496)
"""Mass energy-absorption coefficients of dry air (NIST)."""


@pytest.mark.parametrize(("material", "energy"), NIST_CM2_PER_G)
def test_attenuation_is_that_of_nist(material, energy):
    per_cm2_g = attenuation_at(material, energy) * 10 / DENSITY[material]
    assert per_cm2_g == pytest.approx(NIST_CM2_PER_G[material, energy], rel=0.005)


def half_value_layer_mm(kilovolt):
    thickness = np.linspace(0, 12, 2401)
    absorbed = np.exp(np.interp(np.log(energies_kev()), np.log(AIR_KEV), np.log(AIR_ABSORPTION_CM2_PER_G)))
    air_kerma = spectrum(kilovolt) * energies_kev() * absorbed
    left = air_kerma @ np.exp(-np.outer(attenuation_at_all("aluminium"), thickness))
    return float(np.interp(0.5, left[::-1] / left[0], thickness[::-1]))


def attenuation_at_all(material):
    return np.array([attenuation_at(material, energy) for energy in energies_kev()])


def test_spectra_are_normalised_and_end_at_their_voltage():
    for kilovolt in (60, 73.5, 100, 120):
        shares = spectrum(kilovolt)
        assert shares.sum() == pytest.approx(1)
        assert (shares >= 0).all()
    assert spectrum(60)[energies_kev() > 60].sum() == 0
    assert spectrum(90)[energies_kev() > 60].sum() > 0.1


def test_beams_harden_with_their_voltage_as_those_of_real_tubes():
    layers = [half_value_layer_mm(kilovolt) for kilovolt in (60, 70, 80, 90, 100, 110, 120)]
    assert (np.diff(layers) > 0.2).all()
    assert layers[2] == pytest.approx(4.58, rel=0.03)  # 80 kV behind 3 mm Al and 0.1 mm Cu


def test_a_slab_lets_through_what_the_whole_spectrum_says():
    beam = Beam.of_tube(80)
    signal = spectrum(80) * detected_energy()
    for material, thickness_mm in (("muscle", 200.0), ("bone", 20.0), ("titanium", 4.0)):
        lengths = {material: np.full((2, 3), thickness_mm, dtype=np.float32)}
        exact = signal @ np.exp(-attenuation_at_all(material) * thickness_mm) / signal.sum()
        np.testing.assert_allclose(beam.transmitted(lengths), exact, rtol=0.03)  # what 12 bins are good for
    nothing = {"muscle": np.zeros((2, 3), dtype=np.float32)}
    np.testing.assert_allclose(beam.transmitted(nothing), 1, rtol=1e-5)


def test_materials_in_series_multiply_only_bin_by_bin():
    beam = Beam.of_tube(70)
    muscle, bone = np.full((1, 1), 150, dtype=np.float32), np.full((1, 1), 15, dtype=np.float32)
    together = beam.transmitted({"muscle": muscle, "bone": bone})
    apart = beam.transmitted({"muscle": muscle}) * beam.transmitted({"bone": bone})
    assert together > 1.05 * apart  # muscle hardens the beam, so that bone stops less of it


def test_tissue_shares_of_known_hu():
    hu = np.array([-1000, hu_of("muscle"), hu_of("bone"), 3050], dtype=np.float32)
    muscle, bone, metal = (tissue_shares(hu)[material] for material in MATERIALS)
    np.testing.assert_allclose(muscle, [0, 1, 0, 0], atol=2e-3)
    np.testing.assert_allclose(bone, [0, 0, 1, 0], atol=2e-3)
    np.testing.assert_allclose(metal, [0, 0, 0, 1])
    fat = tissue_shares(np.array([hu_of("adipose")], dtype=np.float32))["muscle"][0]
    assert fat == pytest.approx(attenuation_at("adipose", 50) / attenuation_at("muscle", 50), abs=2e-3)
    assert -130 < hu_of("adipose") < -70
    assert 1300 < hu_of("bone") < 1900
