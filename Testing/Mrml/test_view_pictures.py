"""Pictures of overlays: contrast, polarity, signs, tiles, lines."""

import numpy as np
import pytest
from vtk.util.numpy_support import vtk_to_numpy

from ProSTRegistrationLib.Views.BoneContours import boneContours
from ProSTRegistrationLib.Views.OverlayColors import (
    SIZE,
    TRANSPARENT_BELOW,
    coded,
    differenceColors,
    greyColors,
    warmColors,
)
from ProSTRegistrationLib.Views.OverlayPictures import (
    averaged,
    blurred,
    density,
    difference,
    displayed,
    footprint,
    isTile,
    likeFluoroscopy,
)

HEIGHT, WIDTH = 240, 320
CENTRE, RADIUS = (150.0, 110.0), 50.0


def _places():
    return np.mgrid[:HEIGHT, :WIDTH][::-1].astype(float)


def _disc(centre=CENTRE, radius=RADIUS):
    """A DRR of one bone: 1 inside, soft at its edge, 0 beside it."""
    u, v = _places()
    return np.clip(radius - np.hypot(u - centre[0], v - centre[1]), 0, 1).astype(np.float32)


def _fluoroscopy(drr, isBoneBright=True):
    """Its brightness: soft tissue that is denser to the right, with the bone in weak contrast over it."""
    u, _ = _places()
    brightness = (0.3 + 0.3 * u / WIDTH + 0.15 * drr).astype(np.float32)
    return brightness if isBoneBright else 1 - brightness


@pytest.mark.parametrize("isBoneBright", [True, False])
def test_drr_takes_over_shading_and_contrast(isBoneBright):
    drr = 3.7 * _disc()
    fluoroscopy = _fluoroscopy(_disc(), isBoneBright)

    picture = likeFluoroscopy(drr, fluoroscopy, isBoneBright)

    assert picture.shape == drr.shape
    assert np.abs(picture - fluoroscopy).max() < 0.06


def test_drr_keeps_its_own_place():
    shifted = _disc((CENTRE[0] + 60, CENTRE[1]))

    picture = likeFluoroscopy(shifted, _fluoroscopy(_disc()), isBoneBright=True)

    def step(image, u):
        return float(image[int(CENTRE[1]), u + 4] - image[int(CENTRE[1]), u - 4])

    edge = int(CENTRE[0] - RADIUS)
    assert step(picture, edge + 60) > 0.1
    assert abs(step(picture, edge)) < 0.04


def test_empty_drr_gives_shading_alone():
    picture = likeFluoroscopy(np.zeros((HEIGHT, WIDTH), np.float32), _fluoroscopy(_disc()), isBoneBright=True)

    assert np.isfinite(picture).all()
    assert np.abs(np.diff(picture, axis=1)).max() < 0.02


@pytest.mark.parametrize("isBoneBright", [True, False])
def test_difference_is_nothing_where_images_agree(isBoneBright):
    assert np.abs(difference(2.5 * _disc(), _fluoroscopy(_disc(), isBoneBright), isBoneBright)).max() < 0.1


@pytest.mark.parametrize("isBoneBright", [True, False])
def test_difference_tells_which_image_shows_more_bone(isBoneBright):
    drr = _disc((CENTRE[0] + 8, CENTRE[1]))

    apart = difference(drr, _fluoroscopy(_disc(), isBoneBright), isBoneBright)

    row, left, right = int(CENTRE[1]), int(CENTRE[0] - RADIUS), int(CENTRE[0] + RADIUS)
    assert apart[row, right + 4] > 0.5
    assert apart[row, left + 6] < -0.5
    assert apart[10, 10] == 0


def test_brightness_follows_window_level_and_table():
    pixels = np.array([[0.0, 50.0, 100.0, 200.0]])
    assert np.allclose(displayed(pixels, 100, 50, np.array([0.0, 1.0])), [[0, 0.5, 1, 1]])
    assert np.allclose(displayed(pixels, 100, 50, np.array([1.0, 0.0])), [[1, 0.5, 0, 0]])


def test_corner_is_where_four_tiles_meet():
    tiles = isTile((40, 60), (30, 20), 10)

    assert tiles[19, 30]
    assert tiles[20, 29]
    assert not tiles[20, 30]
    assert not tiles[19, 29]
    assert (tiles[10:20, 30:40]).all()
    assert tiles.mean() == 0.5


def test_averages_are_of_whole_blocks():
    assert np.allclose(averaged(np.arange(35, dtype=np.float32).reshape(5, 7), 2)[0], [4, 6, 8])
    assert averaged(np.zeros((5, 7), np.float32), 2).shape == (2, 3)


def test_blur_keeps_level_and_has_the_width_asked_for():
    assert np.allclose(blurred(np.full((30, 40), 7.0), 5), 7)
    spot = np.zeros((101, 101), np.float32)
    spot[50, 50] = 1
    u = np.arange(101) - 50
    assert np.sqrt((blurred(spot, 6).sum(axis=0) * u**2).sum()) == pytest.approx(6, rel=0.1)


def test_density_and_footprint_of_an_empty_drr_are_empty():
    empty = np.zeros((10, 12), np.float32)
    assert not footprint(empty).any()
    assert not density(empty).any()
    assert not difference(empty, empty, True).any()


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


def _linePoints(lines):
    return vtk_to_numpy(lines.GetPoints().GetData())[:, :2]


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_outline_lies_on_the_edge_whatever_the_resolution(factor):
    enlarged = np.kron(_disc(), np.ones((factor, factor), np.float32))

    lines = boneContours(enlarged)

    points = (_linePoints(lines) + 0.5) / factor - 0.5
    assert np.abs(np.hypot(*(points - CENTRE).T) - RADIUS).max() < 1.5


def test_outline_is_one_thin_line():
    lines = boneContours(_disc())

    points = _linePoints(lines)
    ends = vtk_to_numpy(lines.GetLines().GetConnectivityArray()).reshape(-1, 2)
    length = np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1).sum()
    assert length == pytest.approx(2 * np.pi * RADIUS, rel=0.03)
    assert (np.bincount(ends.ravel()) == 2).all()


def test_strong_inner_edge_is_drawn_and_noise_is_not():
    drr = 1.0 * _disc() + 2.0 * _disc((CENTRE[0], CENTRE[1]), 15)
    drr += np.where(drr > 0, 0.02 * np.random.default_rng(3).standard_normal(drr.shape), 0).astype(np.float32)

    distances = np.hypot(*(_linePoints(boneContours(drr)) - CENTRE).T)

    isOutline, isInner = np.abs(distances - RADIUS) < 2, np.abs(distances - 15) < 2.5
    assert isOutline.sum() > 100
    assert isInner.sum() > 40
    assert (isOutline | isInner).all()


def test_border_of_the_image_is_no_edge_of_bone():
    lines = boneContours(_disc((0.0, 110.0)))

    assert _linePoints(lines)[:, 0].min() > 1


def test_empty_drr_has_no_lines():
    assert boneContours(np.zeros((HEIGHT, WIDTH), np.float32)).GetNumberOfCells() == 0
    assert boneContours(np.ones((2, 2), np.float32)).GetNumberOfCells() == 0
