"""The picture of what was taken of each X-ray: covered parts and metal have colours, an open polarity two panels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import prostreg.outputs.readings_picture as readings
from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.outputs.overlay import GAP, MARGIN, TITLE
from prostreg.outputs.readings_picture import PANEL_PIXELS, readings_picture
from prostreg.registration.case import Case, View

SIZE = (64, 48)
TOP, LEFT = MARGIN + TITLE, MARGIN
HEIGHT = PANEL_PIXELS * SIZE[1] // SIZE[0]


def view(is_open: bool = False) -> View:
    """The left quarter does not count."""
    image = np.random.default_rng(0).random(SIZE[::-1]).astype(np.float32)
    mask = np.ones(SIZE[::-1], dtype=bool)
    mask[:, :16] = False
    other = XRay(1 - image, mask, "bone-dark") if is_open else None
    return View(XRay(image, mask, "bone-bright", other), CArm.from_sdd(1000.0, (1.0, 1.0), SIZE))


def picture_of(*views: View) -> np.ndarray:
    case = Case("case", Volume(np.zeros((2, 2, 2), np.float32), np.eye(4)), np.ones((2, 2, 2), bool), views)
    return np.asarray(readings_picture(case)).astype(int)


def mean_colour(sheet: np.ndarray, left: int, right: int) -> np.ndarray:
    """Of the first panel, by columns of the image."""
    scale = PANEL_PIXELS / SIZE[0]
    return sheet[TOP : TOP + HEIGHT, LEFT + round(left * scale) : LEFT + round(right * scale)].mean(axis=(0, 1))


def test_what_is_left_out_is_blue_and_the_rest_is_grey() -> None:
    sheet = picture_of(view())
    red, green, blue = mean_colour(sheet, 0, 15)
    assert blue > green + 25 > red + 40
    assert np.ptp(mean_colour(sheet, 17, 64)) < 1


def test_metal_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    def right_half(image: np.ndarray, valid: np.ndarray) -> np.ndarray:
        return valid & (np.arange(SIZE[0]) >= 32)

    monkeypatch.setattr(readings, "find_metal", right_half)
    sheet = picture_of(view())
    red, green, blue = mean_colour(sheet, 33, 64)
    assert red > max(green, blue) + 60
    assert np.ptp(mean_colour(sheet, 17, 31)) < 1


def test_an_open_polarity_has_two_panels_and_views_are_rows() -> None:
    one, two = picture_of(view()), picture_of(view(is_open=True))
    assert two.shape[1] == 2 * PANEL_PIXELS + GAP + 2 * MARGIN
    assert two.shape[0] == one.shape[0]
    grey = two[TOP : TOP + HEIGHT, LEFT + 200 : LEFT + PANEL_PIXELS, 0]
    other = two[TOP : TOP + HEIGHT, LEFT + PANEL_PIXELS + GAP + 200 : LEFT + 2 * PANEL_PIXELS + GAP, 0]
    assert np.corrcoef(grey.ravel(), other.ravel())[0, 1] < -0.95
    assert picture_of(view(), view()).shape[0] == one.shape[0] + HEIGHT + TITLE + GAP


def test_a_reading_of_line_integrals_needs_no_polarity() -> None:
    given = view()
    assert picture_of(replace(given, xray=replace(given.xray, polarity=None))).shape == picture_of(given).shape
