"""A picture of what was taken of each X-ray: its polarity, what is left out, and what looks like metal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from prostreg.images.metal import find_metal
from prostreg.images.xray import XRay
from prostreg.outputs.overlay import FAINT_INK, GAP, INK, MARGIN, PAPER, TITLE
from prostreg.outputs.overlay_panels import Colour, Picture, grey_picture
from prostreg.registration.case import Case

PANEL_PIXELS = 640
LEFT_OUT: Colour = (60, 120, 255)
METAL: Colour = (255, 70, 60)
TINT = 0.55
LEGEND_LINE = 26
_LEGEND = (
    (LEFT_OUT, 'left out: no radiation, shutter or mask; "mask" of the view overrules it'),
    (METAL, "looks like metal: left out too, unless the CT holds metal there"),
)


def readings_picture(case: Case) -> Image.Image:
    """One row for each view, bone bright: the likelier reading, and the other where the polarity is open."""
    rows = [
        [_panel(reading, number, len(case.views)) for reading in (view.xray, view.xray.other) if reading is not None]
        for number, view in enumerate(case.views, start=1)
    ]
    for row, view in zip(rows, case.views, strict=True):
        if view.undistortion is not None:
            row[0] = row[0][0], f"{row[0][1]}, undistorted by up to {view.undistortion.largest_shift_px:.1f} px"
    widths = [sum(panel.width + GAP for panel, _ in row) - GAP for row in rows]
    heights = [max(panel.height for panel, _ in row) + TITLE + GAP for row in rows]
    least = max(round(ImageFont.load_default(16).getlength(text)) + 32 for _, text in _LEGEND)
    size = max(*widths, least) + 2 * MARGIN, sum(heights) + 2 * MARGIN + LEGEND_LINE * len(_LEGEND)
    sheet = Image.new("RGB", size, PAPER)
    draw, top = ImageDraw.Draw(sheet), MARGIN
    for row, height in zip(rows, heights, strict=True):
        left = MARGIN
        for place, (panel, title) in enumerate(row):
            words = title if place == 0 else f"{title}: tried too"
            draw.text((left, top + 4), words, fill=INK if place == 0 else FAINT_INK, font=ImageFont.load_default(20))
            sheet.paste(panel, (left, top + TITLE))
            left += panel.width + GAP
        top += height
    for line, (colour, text) in enumerate(_LEGEND):
        middle = top + LEGEND_LINE * line + LEGEND_LINE // 2
        draw.rectangle((MARGIN, middle - 7, MARGIN + 22, middle + 7), fill=colour)
        draw.text((MARGIN + 32, middle), text, fill=FAINT_INK, font=ImageFont.load_default(16), anchor="lm")
    return sheet


def _panel(reading: XRay, number: int, count: int) -> tuple[Image.Image, str]:
    """A reading with what is left out, and its title."""
    low, high = (float(p) for p in np.percentile(reading.line_integrals[reading.mask], (1, 99)))
    grey = np.clip((reading.line_integrals - low) / max(high - low, 1e-9), 0, 1).astype(np.float32)
    picture = _covered(grey_picture(grey), ~reading.mask, LEFT_OUT)
    picture = _covered(picture, find_metal(reading.line_integrals, reading.mask), METAL)
    image = Image.fromarray(np.rint(255 * picture).astype(np.uint8))
    scale = PANEL_PIXELS / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    read = "taken as line integrals" if reading.polarity is None else f"read as {reading.polarity}"
    return image.resize(size, Image.Resampling.BICUBIC), read if count == 1 else f"View {number}: {read}"


def _covered(picture: Picture, where: NDArray[np.bool_], colour: Colour) -> Picture:
    tint = np.asarray(colour, dtype=np.float32) / 255
    return np.where(where[..., None], (1 - TINT) * picture + TINT * tint, picture).astype(np.float32)
