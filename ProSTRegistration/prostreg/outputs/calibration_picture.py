"""The picture beside a camera file: the X-ray, the discs that were found in it, and where the camera puts the beads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from prostreg.calibration.matching import SeenBeads
from prostreg.outputs.overlay import FAINT_INK, INK, MARGIN, PAPER, TITLE
from prostreg.outputs.overlay_panels import Colour

PANEL_PIXELS = 1000
LEGEND_LINE = 26
ERROR_TIMES = 20
FOUND: Colour = (0, 190, 255)
PROJECTED: Colour = (255, 170, 0)
MISSING: Colour = (255, 70, 60)
OUTLIER: Colour = (255, 90, 220)
OTHER: Colour = (120, 220, 90)
RING, WIDE_RING, CROSS = 13, 18, 5
NAME_ROOM = (80, 20)
_LEGEND = (
    (FOUND, "ring: disc that was found and is a bead"),
    (PROJECTED, f"cross: where the camera puts it; line: from there to the disc, {ERROR_TIMES} times as long"),
    (MISSING, "cross and name: bead that should be in the image and was not found"),
    (OUTLIER, "wide ring and name: bead that is far off"),
    (OTHER, "square: disc that is no bead"),
)


def calibration_picture(
    pixels: NDArray[np.float32], seen: SeenBeads, names: list[str], outliers: list[str], title: str
) -> Image.Image:
    """The X-ray (height, width) with what was found in it, a title above and a legend below."""
    low, high = (float(p) for p in np.percentile(pixels, (0.5, 99.5)))
    grey = np.rint(255 * np.clip((pixels - low) / max(high - low, 1e-9), 0, 1)).astype(np.uint8)
    scale = PANEL_PIXELS / max(grey.shape)
    panel = Image.fromarray(grey).convert("RGB")
    size = max(1, round(panel.width * scale)), max(1, round(panel.height * scale))
    panel = panel.resize(size, Image.Resampling.BICUBIC)
    _mark(ImageDraw.Draw(panel), scale, seen, names, outliers)
    words = [title, *(text for _, text in _LEGEND)]
    least = max(round(ImageFont.load_default(20 if text == title else 16).getlength(text)) + 32 for text in words)
    width = max(panel.width, least) + 2 * MARGIN
    sheet = Image.new("RGB", (width, panel.height + TITLE + 3 * MARGIN + LEGEND_LINE * len(_LEGEND)), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), title, fill=INK, font=ImageFont.load_default(20))
    sheet.paste(panel, (MARGIN, MARGIN + TITLE))
    top = panel.height + TITLE + 2 * MARGIN
    for line, (colour, text) in enumerate(_LEGEND):
        middle = top + LEGEND_LINE * line + LEGEND_LINE // 2
        draw.rectangle((MARGIN, middle - 7, MARGIN + 22, middle + 7), fill=colour)
        draw.text((MARGIN + 32, middle), text, fill=FAINT_INK, font=ImageFont.load_default(16), anchor="lm")
    return sheet


def _mark(draw: ImageDraw.ImageDraw, scale: float, seen: SeenBeads, names: list[str], outliers: list[str]) -> None:
    found = np.asarray(np.isfinite(seen.centres_px).all(axis=1))
    places = np.where(found[:, None], seen.centres_px - seen.fit.errors_px, seen.places_px)
    for u, v in _shown(seen.others_px, scale):
        draw.rectangle((u - RING, v - RING, u + RING, v + RING), outline=OTHER, width=2)
    named: list[NDArray[np.float64]] = []
    for place, centre, name, is_found, is_inside in zip(
        _shown(places, scale), _shown(seen.centres_px, scale), names, found, seen.inside, strict=True
    ):
        if not is_found and not is_inside:
            continue
        if is_found:
            _ring(draw, centre, RING, FOUND)
            draw.line((*place, *(place + ERROR_TIMES * (centre - place))), fill=PROJECTED, width=2)
        colour = PROJECTED if is_found else MISSING
        u, v = place
        draw.line((u - CROSS, v, u + CROSS, v), fill=colour, width=1 if is_found else 3)
        draw.line((u, v - CROSS, u, v + CROSS), fill=colour, width=1 if is_found else 3)
        if name in outliers and is_found:
            colour = OUTLIER
            _ring(draw, centre, WIDE_RING, colour)
        if name in outliers or not is_found:
            is_crowded = any((np.abs(place - other) < NAME_ROOM).all() for other in named)
            aside, anchor = (-WIDE_RING - 3, "rm") if is_crowded else (WIDE_RING + 3, "lm")
            draw.text((u + aside, v), name, fill=colour, font=ImageFont.load_default(16), anchor=anchor)
            named.append(place)


def _ring(draw: ImageDraw.ImageDraw, centre: NDArray[np.float64], radius: int, colour: Colour) -> None:
    u, v = centre
    draw.ellipse((u - radius, v - radius, u + radius, v + radius), outline=colour, width=2)


def _shown(places_px: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Places (n, 2) in the panel, whose first pixel's corner is that of the image."""
    return (places_px + 0.5) * scale - 0.5
