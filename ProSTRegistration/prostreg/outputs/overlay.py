"""overlay.png: lets a person judge a registration at a glance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from prostreg.outputs.bone_lines import bone_lines
from prostreg.outputs.overlay_panels import (
    SUPERSAMPLING,
    Colour,
    Picture,
    checkerboard,
    grey_picture,
    reduced,
    screen_grey,
    tinted,
    with_lines,
)
from prostreg.registration.result import Result
from prostreg.spoken_numbers import percent

PANEL_PIXELS = 480
LINE_PIXELS = 3
THIN_LINE_PIXELS = 2
MARGIN = 24
GAP = 16
HEADER = 92
TITLE = 34
LEGEND = 44

PAPER: Colour = (16, 19, 24)
INK: Colour = (236, 240, 244)
FAINT_INK: Colour = (150, 160, 172)
START: Colour = (255, 150, 40)
FOUND: Colour = (60, 230, 170)
STATUS_COLOURS: dict[str, Colour] = {
    "accepted": (38, 140, 92),
    "uncertain": (190, 128, 20),
    "failed": (190, 52, 52),
}
TITLES = (
    ("Before", "CT at the start pose"),
    ("After", "CT at the found pose"),
    ("Checkerboard", "fluoroscopy and DRR (blue) in turn"),
    ("Contours", "bone outline at the found pose"),
)


@dataclass(frozen=True, eq=False)
class OverlayView:
    """The images that are drawn for one view; all (height, width) of equal size, line integrals.

    Attributes:
        fluoroscopy: the X-ray image.
        mask: True where it shows the patient.
        start_drr: the registered anatomy at the start pose, None where there was none.
        found_drr: the registered anatomy at the found pose.
    """

    fluoroscopy: NDArray[np.float32]
    mask: NDArray[np.bool_]
    start_drr: NDArray[np.float32] | None
    found_drr: NDArray[np.float32]


def panel_size(width: int, height: int) -> tuple[int, int]:
    """Size (width, height) at which a view's images are to be rendered for ``draw_overlay``."""
    scale = SUPERSAMPLING * PANEL_PIXELS / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def draw_overlay(result: Result, views: Iterable[OverlayView]) -> Image.Image:
    """Draws one row per view: before, after, checkerboard, contours; status and error above.

    Each view is asked for when its row is drawn, so that many need no more memory than one.
    """
    rows: list[list[Image.Image]] = []
    has_start = False
    for view in views:
        rows.append([reduced(picture) for picture in _pictures(view)])
        has_start = has_start or view.start_drr is not None
    panel_width = max(row[0].width for row in rows)
    row_heights = [row[0].height + TITLE for row in rows]
    width = 2 * MARGIN + len(TITLES) * panel_width + (len(TITLES) - 1) * GAP
    height = HEADER + sum(row_heights) + GAP * (len(rows) - 1) + LEGEND
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    _draw_header(draw, width, result)
    top = HEADER
    for number, (row, row_height) in enumerate(zip(rows, row_heights, strict=True), start=1):
        view_name = f"View {number}: " if len(rows) > 1 else ""
        for column, ((title, meaning), panel) in enumerate(zip(TITLES, row, strict=True)):
            left = MARGIN + column * (panel_width + GAP)
            _draw_title(draw, (left, top), (view_name if column == 0 else "") + title, meaning)
            sheet.paste(panel, (left, top + TITLE))
        top += row_height + GAP
    _draw_legend(draw, height, has_start)
    return sheet


def _pictures(view: OverlayView) -> list[Picture]:
    grey = screen_grey(view.fluoroscopy, view.mask)
    base, found_lines = grey_picture(grey), bone_lines(view.found_drr)
    before = base
    if view.start_drr is not None:
        before = with_lines(tinted(base, view.start_drr, START), bone_lines(view.start_drr), THIN_LINE_PIXELS, START)
    after = with_lines(tinted(base, view.found_drr, FOUND), found_lines, THIN_LINE_PIXELS, FOUND)
    return [before, after, checkerboard(grey, view.found_drr), with_lines(base, found_lines, LINE_PIXELS, FOUND)]


def _draw_header(draw: ImageDraw.ImageDraw, width: int, result: Result) -> None:
    draw.text((MARGIN, 18), result.name, fill=INK, font=ImageFont.load_default(30))
    facts = [f"confidence {percent(result.confidence)}", f"{result.seconds:.1f} s on {result.device}"]
    if result.mtre_mm is not None:
        facts.insert(0, f"mTRE {result.mtre_mm:.1f} mm")
    if result.stopped is not None:
        facts.append(f"stopped early: {result.stopped}")
    draw.text((MARGIN, 58), "   ·   ".join(facts), fill=FAINT_INK, font=ImageFont.load_default(19))
    status, font = result.status.upper(), ImageFont.load_default(26)
    text_width = round(draw.textlength(status, font=font))
    box = (width - MARGIN - text_width - 36, 20, width - MARGIN, 66)
    draw.rounded_rectangle(box, radius=8, fill=STATUS_COLOURS[result.status])
    draw.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), status, fill=INK, font=font, anchor="mm")


def _draw_title(draw: ImageDraw.ImageDraw, corner: tuple[int, int], title: str, meaning: str) -> None:
    left, top = corner
    font = ImageFont.load_default(20)
    draw.text((left, top + 4), title, fill=INK, font=font)
    offset = left + draw.textlength(title, font=font) + 12
    draw.text((offset, top + 8), meaning, fill=FAINT_INK, font=ImageFont.load_default(15))


def _draw_legend(draw: ImageDraw.ImageDraw, height: int, has_start: bool) -> None:
    entries: list[tuple[Colour | None, str]] = [
        (START, "bone of the CT at the start pose") if has_start else (None, "no start pose was given"),
        (FOUND, "bone of the CT at the found pose"),
        (None, "Bone bright; seen from the X-ray source. Good when the outline follows the bone in every view."),
    ]
    left, middle, font = float(MARGIN), height - LEGEND / 2 + 4, ImageFont.load_default(16)
    for colour, text in entries:
        if colour is not None:
            draw.rectangle((left, middle - 7, left + 22, middle + 7), fill=colour)
            left += 32
        draw.text((left, middle), text, fill=FAINT_INK, font=font, anchor="lm")
        left += draw.textlength(text, font=font) + 40
