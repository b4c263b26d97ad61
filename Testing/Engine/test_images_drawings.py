"""Text, logos, rulers and wedges beside the radiation field: it is found as without them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from prostreg.images.radiation_field import find_radiation_field
from prostreg.images.xray_preparation import prepare_xray

SIZE = 512
V, U = np.mgrid[:SIZE, :SIZE]
FIELDS = {
    "round": (U - 255.5) ** 2 + (V - 255.5) ** 2 < 235**2,
    "rectangular": (U > 70) & (U < 440) & (V > 50) & (V < 460),
    "octagonal": (abs(U - 255.5) < 230) & (abs(V - 255.5) < 230) & (abs(U - 255.5) + abs(V - 255.5) < 330),
}
DRAWINGS = ["text in three corners", "text in four corners", "logo", "ruler", "wedge"]


def picture(field: str, polarity: str, surround: float) -> NDArray[np.float32]:
    """A body with two bones behind a collimator, from 0 to 4000."""
    tissue = 2.2 * np.exp(-((U - 256) ** 2 / (2 * 170**2) + (V - 270) ** 2 / (2 * 220**2)))
    bones = 0.8 * np.exp(-((U - 230 - 0.15 * (V - 256)) ** 2) / (2 * 22**2))
    bones += 0.6 * np.exp(-((U - 330) ** 2 + (V - 320) ** 2) / (2 * 40**2))
    noise = 1 + 0.02 * np.random.default_rng(0).standard_normal(U.shape)
    intensity = np.clip(np.exp(-tissue - bones) * noise, 1e-3, 1)
    grey = intensity if polarity == "bone-dark" else -np.log(intensity) / 3.5
    return np.where(FIELDS[field], 200 + 3400 * np.clip(grey, 0, 1), 4000 * surround).astype(np.float32)


def drawing(kinds: list[str]) -> NDArray[np.bool_]:
    """Pixels that are drawn over, within 24 pixels of the border or in the corners."""
    sheet = Image.fromarray(np.zeros((SIZE, SIZE), np.uint8))
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=13)
    corners = [(4, 4), (SIZE - 66, 4), (4, SIZE - 36), (SIZE - 66, SIZE - 36)]
    for number, corner in enumerate(corners):
        if "text in four corners" in kinds or (number < 3 and "text in three corners" in kinds):
            pen.text(corner, "A. N. 1970\n62 kV 3 mA", fill=255, font=font)
    if "logo" in kinds:
        pen.rectangle((SIZE - 60, 6, SIZE - 8, 44), fill=255)
        pen.text((SIZE - 56, 14), "LOGO", fill=0, font=font)
    if "ruler" in kinds:
        pen.line((SIZE - 4, 60, SIZE - 4, SIZE - 60), fill=255, width=2)
        for v in range(60, SIZE - 60, 20):
            pen.line((SIZE - 12, v, SIZE - 4, v), fill=255, width=2)
    if "wedge" in kinds:
        pen.rectangle((3, 100, 13, 400), fill=255)
    return np.asarray(sheet) > 100


def drawn(pixels: NDArray[np.float32], kinds: list[str], ink: float) -> NDArray[np.float32]:
    changed = np.where(drawing(kinds), np.float32(ink), pixels)
    if "wedge" in kinds:
        changed[100:400, 3:14] = np.linspace(0, 4000, 300)[:, None]
    return changed.astype(np.float32)


@pytest.mark.parametrize("surround", [0.0, 1.0], ids=["black", "white"])
@pytest.mark.parametrize("polarity", ["bone-dark", "bone-bright"])
@pytest.mark.parametrize("field", list(FIELDS))
def test_the_field_is_found_as_without_what_is_drawn_beside_it(field: str, polarity: str, surround: float) -> None:
    plain = picture(field, polarity, surround)
    everywhere = np.ones(plain.shape, bool)
    expected = find_radiation_field(plain, everywhere)
    assert expected.blocked_is_dark is (surround == 0.0)
    for kinds in ([kind] for kind in DRAWINGS):
        for ink in (4000 * (1 - surround), 2000):
            found = find_radiation_field(drawn(plain, kinds, ink), everywhere)
            assert found.blocked_is_dark is expected.blocked_is_dark, (kinds, ink)
            assert np.mean(found.blocked != expected.blocked) < 0.01, (kinds, ink)


@pytest.mark.parametrize(("polarity", "surround"), [("bone-dark", 0.0), ("bone-dark", 1.0), ("bone-bright", 1.0)])
def test_what_is_drawn_beside_the_field_does_not_count(polarity: str, surround: float) -> None:
    kinds = ["text in four corners", "logo"]
    xray = prepare_xray(drawn(picture("round", polarity, surround), kinds, 4000 * (1 - surround)), polarity)  # type: ignore[arg-type]
    assert not (xray.mask & drawing(kinds)).any()
    assert xray.mask[(U - 255.5) ** 2 + (V - 255.5) ** 2 < 220**2].all()


def test_two_fields_side_by_side_both_count() -> None:
    field = ((abs(U - 130) < 100) | (abs(U - 385) < 100)) & (abs(V - 256) < 200)
    pixels = np.where(field, picture("round", "bone-dark", 0.5), 0).astype(np.float32)
    found = find_radiation_field(pixels, np.ones(pixels.shape, bool))
    blocked = np.repeat(np.repeat(found.blocked, found.factor, 0), found.factor, 1)[:SIZE, :SIZE]
    assert np.mean(blocked[(abs(U - 130) < 90) & (abs(V - 256) < 190)]) < 0.02
    assert np.mean(blocked[(abs(U - 385) < 90) & (abs(V - 256) < 190)]) < 0.02


def test_saturated_air_beside_a_limb_is_no_white_page() -> None:
    """Its edge is as clear, but the limb reaches the border."""
    tissue = 4.8 * np.sqrt(np.clip(1 - ((U - 256) / 130) ** 2, 0, None))
    pixels = np.minimum(40000 * np.exp(-tissue), 20000).astype(np.float32)
    found = find_radiation_field(pixels, np.ones(pixels.shape, bool))
    assert found.blocked_is_dark is False
    assert prepare_xray(pixels, "bone-dark").mask.all()
