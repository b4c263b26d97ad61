"""The overlay as arrays: contrast, polarity, signs, tiles, lines."""

import numpy as np
import pytest

from prostreg.outputs.bone_lines import bone_lines
from prostreg.outputs.overlay_drawing import (
    averaged,
    blurred,
    density,
    difference,
    footprint,
    is_tile,
    like_fluoroscopy,
)

HEIGHT, WIDTH = 240, 320
CENTRE, RADIUS = (150.0, 110.0), 50.0


def places():
    return np.mgrid[:HEIGHT, :WIDTH][::-1].astype(float)


def disc(centre=CENTRE, radius=RADIUS):
    """A DRR of one bone: 1 inside, soft at its edge, 0 beside it."""
    u, v = places()
    return np.clip(radius - np.hypot(u - centre[0], v - centre[1]), 0, 1).astype(np.float32)


def fluoroscopy_of(drr, is_bone_bright=True):
    """Its brightness: soft tissue that is denser to the right, with the bone in weak contrast over it."""
    u, _ = places()
    brightness = (0.3 + 0.3 * u / WIDTH + 0.15 * drr).astype(np.float32)
    return brightness if is_bone_bright else 1 - brightness


@pytest.mark.parametrize("is_bone_bright", [True, False])
def test_drr_takes_over_shading_and_contrast(is_bone_bright):
    drr = 3.7 * disc()
    fluoroscopy = fluoroscopy_of(disc(), is_bone_bright)

    picture = like_fluoroscopy(drr, fluoroscopy, is_bone_bright)

    assert picture.shape == drr.shape
    assert np.abs(picture - fluoroscopy).max() < 0.06


def test_drr_keeps_its_own_place():
    shifted = disc((CENTRE[0] + 60, CENTRE[1]))

    picture = like_fluoroscopy(shifted, fluoroscopy_of(disc()), is_bone_bright=True)

    def step(image, u):
        return float(image[int(CENTRE[1]), u + 4] - image[int(CENTRE[1]), u - 4])

    edge = int(CENTRE[0] - RADIUS)
    assert step(picture, edge + 60) > 0.1
    assert abs(step(picture, edge)) < 0.04


def test_empty_drr_gives_shading_alone():
    picture = like_fluoroscopy(np.zeros((HEIGHT, WIDTH), np.float32), fluoroscopy_of(disc()), is_bone_bright=True)

    assert np.isfinite(picture).all()
    assert np.abs(np.diff(picture, axis=1)).max() < 0.02


@pytest.mark.parametrize("is_bone_bright", [True, False])
def test_difference_is_nothing_where_images_agree(is_bone_bright):
    assert np.abs(difference(2.5 * disc(), fluoroscopy_of(disc(), is_bone_bright), is_bone_bright)).max() < 0.1


@pytest.mark.parametrize("is_bone_bright", [True, False])
def test_difference_tells_which_image_shows_more_bone(is_bone_bright):
    drr = disc((CENTRE[0] + 8, CENTRE[1]))

    apart = difference(drr, fluoroscopy_of(disc(), is_bone_bright), is_bone_bright)

    row, left, right = int(CENTRE[1]), int(CENTRE[0] - RADIUS), int(CENTRE[0] + RADIUS)
    assert apart[row, right + 4] > 0.5
    assert apart[row, left + 6] < -0.5
    assert apart[10, 10] == 0


def test_corner_is_where_four_tiles_meet():
    tiles = is_tile((40, 60), (30, 20), 10)

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


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_outline_lies_on_the_edge_whatever_the_resolution(factor):
    enlarged = np.kron(disc(), np.ones((factor, factor), np.float32))

    lines = bone_lines(enlarged)

    points = (lines.points + 0.5) / factor - 0.5
    assert np.abs(np.hypot(*(points - CENTRE).T) - RADIUS).max() < 1.5


def test_outline_is_one_thin_line():
    lines = bone_lines(disc())

    length = np.linalg.norm(lines.points[lines.ends[:, 0]] - lines.points[lines.ends[:, 1]], axis=1).sum()
    assert length == pytest.approx(2 * np.pi * RADIUS, rel=0.03)
    assert (np.bincount(lines.ends.ravel()) == 2).all()


def test_strong_inner_edge_is_drawn_and_noise_is_not():
    drr = 1.0 * disc() + 2.0 * disc((CENTRE[0], CENTRE[1]), 15)
    drr += np.where(drr > 0, 0.02 * np.random.default_rng(3).standard_normal(drr.shape), 0).astype(np.float32)

    distances = np.hypot(*(bone_lines(drr).points - CENTRE).T)

    is_outline, is_inner = np.abs(distances - RADIUS) < 2, np.abs(distances - 15) < 2.5
    assert is_outline.sum() > 100
    assert is_inner.sum() > 40
    assert (is_outline | is_inner).all()


def test_border_of_the_image_is_no_edge_of_bone():
    lines = bone_lines(disc((0.0, 110.0)))

    assert lines.points[:, 0].min() > 1


def test_empty_drr_has_no_lines():
    assert len(bone_lines(np.zeros((HEIGHT, WIDTH), np.float32)).ends) == 0
    assert len(bone_lines(np.ones((2, 2), np.float32)).ends) == 0


def test_short_lines_are_left_out():
    drr = disc() + disc((270.0, 190.0), 3.0)

    assert np.abs(np.hypot(*(bone_lines(drr).points - CENTRE).T) - RADIUS).max() < 1.5


def test_lines_of_crossing_bones_stay_whole():
    """Where two outlines touch corner to corner each still has no loose end."""
    drr = np.zeros((HEIGHT, WIDTH), np.float32)
    drr[60:120, 80:160] = drr[120:180, 160:240] = 1

    lines = bone_lines(drr)

    assert (np.bincount(lines.ends.ravel()) == 2).all()
    assert lines.points.min(axis=0) == pytest.approx((79.5, 59.5), abs=1)
    assert lines.points.max(axis=0) == pytest.approx((239.5, 179.5), abs=1)
