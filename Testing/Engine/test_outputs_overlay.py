"""overlay.png: outlines lie where the bone is, and every combination of facts can be drawn."""

import weakref
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from prostreg.outputs.bone_lines import bone_lines
from prostreg.outputs.overlay import OverlayView, draw_overlay, panel_size
from prostreg.outputs.overlay_panels import checkerboard, grey_picture, screen_grey, tinted, with_lines
from prostreg.registration.result import Result


def disc(shape, centre, radius):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    inside = radius**2 - (rows - centre[0]) ** 2 - (columns - centre[1]) ** 2
    return np.sqrt(np.clip(inside, 0, None)).astype(np.float32)


@pytest.fixture
def result():
    return Result("näme", "accepted", 0.9, np.eye(4), (np.eye(4),), (), 1.0, "cpu", "fused-cpu", 0.8, {}, {})


def view(size, with_start):
    width, height = panel_size(*size)
    shape = (height, width)
    bone = disc(shape, (height / 2, width / 2), 0.2 * height)
    fluoroscopy = bone + np.linspace(50, 90, width, dtype=np.float32)
    start = disc(shape, (height / 3, width / 3), 0.2 * height) if with_start else None
    mask = np.ones(shape, dtype=bool)
    mask[:10] = False
    return OverlayView(fluoroscopy, mask, start, bone)


def test_lines_follow_the_edge_of_the_bone():
    bone, colour = disc((200, 300), (100, 150), 60), (60, 230, 170)
    black = grey_picture(np.zeros(bone.shape, np.float32))

    painted = with_lines(black, bone_lines(bone), 3, colour)

    rows, columns = np.nonzero(painted.any(axis=-1))
    assert np.abs(np.hypot(rows - 100, columns - 150) - 60).max() < 4
    assert len(rows) > 2 * 2 * np.pi * 60
    np.testing.assert_allclose(painted[rows[0], columns[0]], np.array(colour) / 255, atol=1e-6)


def test_the_screen_shows_bone_brighter_than_a_shaded_background():
    pictured = view((200, 200), False)
    grey = screen_grey(pictured.fluoroscopy, pictured.mask)
    height, width = grey.shape
    edge_left = grey[height // 2, int(0.2 * width)]
    edge_right = grey[height // 2, int(0.85 * width)]
    assert grey[height // 2, width // 2] > max(edge_left, edge_right) + 0.2
    assert 0 <= grey.min() <= grey.max() <= 1


def test_a_checkerboard_runs_on_from_tile_to_tile_where_the_images_agree():
    bone = disc((160, 160), (80, 80), 40) / 40
    grey = (0.3 + 0.2 * bone).astype(np.float32)

    picture = checkerboard(grey, 5 * bone)

    np.testing.assert_allclose(picture[..., 2], grey, atol=0.05)
    tiles = picture[..., 0].reshape(8, 20, 8, 20).mean(axis=(1, 3)) / grey.reshape(8, 20, 8, 20).mean(axis=(1, 3))
    is_second = np.add.outer(np.arange(8), np.arange(8)) % 2 == 1
    np.testing.assert_allclose(tiles[is_second], 175 / 255, atol=0.1)
    np.testing.assert_allclose(tiles[~is_second], 1, atol=1e-6)


def test_a_tint_colours_only_where_there_is_bone():
    picture = np.full((50, 50, 3), 0.5, np.float32)
    coloured = tinted(picture, disc((50, 50), (25, 25), 10), (255, 0, 0))
    np.testing.assert_array_equal(coloured[0, 0], picture[0, 0])
    assert coloured[25, 25, 0] > 0.6
    assert coloured[25, 25, 1] < 0.4


@pytest.mark.parametrize(("status", "with_start"), [("uncertain", True), ("failed", False)])
def test_one_row_of_four_panels_per_view(result, status, with_start):
    one = draw_overlay(replace(result, status=status), [view((300, 200), with_start)])
    two = draw_overlay(
        replace(result, status=status, mtre_mm=None, stopped="time limit"),
        [view((300, 200), with_start), view((200, 300), with_start)],
    )
    assert one.width == two.width > 4 * 480
    assert one.height + 480 < two.height < one.height + 600


def test_many_views_need_no_more_memory_than_two(result):
    alive: weakref.WeakSet[OverlayView] = weakref.WeakSet()

    def views() -> Iterator[OverlayView]:
        for _ in range(4):
            alive.add(shown := view((60, 40), False))
            yield shown
            del shown
            assert len(alive) <= 1

    draw_overlay(result, views())
    assert not alive
