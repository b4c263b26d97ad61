"""HU become attenuation, and the anatomy alone becomes the volume that moves."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.attenuation import METAL_HU, MU_WATER_PER_MM, attenuation_from_hu, moving_volume
from prostreg.images.volume import Volume


def test_attenuation_is_linear_between_air_and_metal() -> None:
    hu = np.array([-3024, -1000, -500, 0, 1000, METAL_HU, 20000], np.float32)
    expected = MU_WATER_PER_MM * np.array([0, 0, 0.5, 1, 2, 4, 4])
    attenuation = attenuation_from_hu(hu)
    assert attenuation.dtype == np.float32
    np.testing.assert_allclose(attenuation, expected, rtol=1e-5, atol=1e-9)
    assert hu[0] == -3024  # the CT itself stays as it was


def test_ten_centimetres_of_water_let_an_eighth_through() -> None:
    """NIST: mass attenuation of water at 60 keV 0.2059 cm2/g."""
    assert np.exp(-100 * attenuation_from_hu(np.zeros(1, np.float32))[0]) == pytest.approx(0.1276, abs=1e-3)


def ct_and_mask() -> tuple[Volume, NDArray[np.bool_]]:
    volume_from_index = np.array([[0, -2.0, 0, 10], [1.0, 0, 0, 20], [0, 0, 3.0, 30], [0, 0, 0, 1]])
    hu = np.random.default_rng(2).uniform(-1000, 1500, (20, 24, 28)).astype(np.float32)
    mask = np.zeros(hu.shape, bool)
    mask[8:12, 9:14, 10:17] = True
    mask[9, 10, 12] = False
    return Volume(hu, volume_from_index), mask


def test_moving_volume_is_the_anatomy_in_its_place() -> None:
    ct, mask = ct_and_mask()
    moving = moving_volume(ct, mask, margin_mm=2.0)
    assert moving.size == (7 + 4, 5 + 4, 4 + 4)
    np.testing.assert_allclose(
        moving.volume_from_index[:3, 3], (ct.volume_from_index @ [10 - 2, 9 - 2, 8 - 2, 1])[:3], atol=1e-12
    )
    expected = np.where(mask, attenuation_from_hu(ct.values), 0)[6:14, 7:16, 8:19]
    np.testing.assert_array_equal(moving.values, expected)


def test_attenuation_beyond_the_surroundings() -> None:
    ct, mask = ct_and_mask()
    whole = moving_volume(ct, mask).values
    excess = moving_volume(ct, mask, surroundings_hu=50.0).values
    np.testing.assert_allclose(excess, np.maximum(whole - MU_WATER_PER_MM * 1.05, 0), atol=1e-8)


def test_masks_that_cannot_be_used() -> None:
    ct, mask = ct_and_mask()
    with pytest.raises(InputError, match="another shape"):
        moving_volume(ct, mask[1:])
    with pytest.raises(InputError, match="empty"):
        moving_volume(ct, np.zeros_like(mask))
