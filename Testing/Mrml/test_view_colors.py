"""Colours of overlays: what is transparent, what is bright; the brightness that a view shows."""

import numpy as np
import pytest

from ProSTRegistrationLib.Views.ComparedImages import displayed
from ProSTRegistrationLib.Views.OverlayColors import (
    SIZE,
    TRANSPARENT_BELOW,
    coded,
    differenceColors,
    greyColors,
    warmColors,
)


def test_brightness_follows_window_level_and_table():
    pixels = np.array([[0.0, 50.0, 100.0, 200.0]])
    assert np.allclose(displayed(pixels, 100, 50, np.array([0.0, 1.0])), [[0, 0.5, 1, 1]])
    assert np.allclose(displayed(pixels, 100, 50, np.array([1.0, 0.0])), [[1, 0.5, 0, 0]])


def test_left_out_pixels_are_transparent_and_all_others_are_not():
    values = coded(np.array([[0.0, 1.0, 0.5]]), np.array([[True, True, False]]))
    for table in (warmColors(True), warmColors(False), greyColors(True), differenceColors()):
        assert table.shape == (SIZE, 4)
        assert list(table[values[0], 3]) == [1, 1, 0]
        assert not table[:TRANSPARENT_BELOW, 3].any()


@pytest.mark.parametrize("isBoneBright", [True, False])
def test_bone_is_as_bright_or_dark_as_in_the_fluoroscopy(isBoneBright):
    faint, dense = warmColors(isBoneBright)[coded(np.array([0.1, 1.0])), :3].sum(axis=1)
    assert (dense > faint) == isBoneBright


def test_no_difference_is_grey():
    red, green, blue, _ = differenceColors()[coded(np.array([0.5]))[0]]
    assert np.ptp([red, green, blue]) < 0.03
