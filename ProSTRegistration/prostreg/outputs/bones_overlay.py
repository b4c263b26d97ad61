"""bones.png: all bones of a case over its X-rays, each in a colour of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from prostreg.outputs.bone_colours import colour_of
from prostreg.outputs.bone_lines import bone_lines
from prostreg.outputs.overlay import FAINT_INK, GAP, INK, LINE_PIXELS, MARGIN, PAPER, STATUS_COLOURS, TITLE
from prostreg.outputs.overlay_panels import Colour, grey_picture, reduced, screen_grey, tinted, with_lines

HEADER = 60
LEGEND_LINE = 28
LEAST_WIDTH = 900


@dataclass(frozen=True)
class BoneWords:
    """The line of a bone in the legend; no status where it was not registered."""

    name: str
    status: str | None


@dataclass(frozen=True, eq=False)
class BonesView:
    """The images that are drawn for one view; all (height, width) of equal size, line integrals.

    Attributes:
        fluoroscopy: the X-ray image.
        mask: True where it shows the patient.
        drrs: each bone at the pose found; None for one that has none.
    """

    fluoroscopy: NDArray[np.float32]
    mask: NDArray[np.bool_]
    drrs: tuple[NDArray[np.float32] | None, ...]


def draw_bones(title: str, bones: Sequence[BoneWords], views: Sequence[BonesView]) -> Image.Image:
    """One row for each view: the X-ray, tints with outlines, and outlines alone; a legend below."""
    rows = [_panels(view) for view in views]
    width = max(*(sum(panel.width + GAP for panel in row) - GAP for row in rows), LEAST_WIDTH) + 2 * MARGIN
    height = HEADER + sum(row[0].height + TITLE + GAP for row in rows) + LEGEND_LINE * len(bones) + MARGIN
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, 18), title, fill=INK, font=ImageFont.load_default(28))
    top = HEADER
    for number, row in enumerate(rows, start=1):
        left, view = MARGIN, f"View {number}: " if len(rows) > 1 else ""
        for words, panel in zip((f"{view}X-ray", "All bones", "Outlines"), row, strict=True):
            draw.text((left, top + 4), words, fill=INK, font=ImageFont.load_default(20))
            sheet.paste(panel, (left, top + TITLE))
            left += panel.width + GAP
        top += row[0].height + TITLE + GAP
    for number, bone in enumerate(bones):
        _draw_legend(draw, (MARGIN, top + LEGEND_LINE * number + LEGEND_LINE // 2), bone, colour_of(number))
    return sheet


def _panels(view: BonesView) -> list[Image.Image]:
    base = grey_picture(screen_grey(view.fluoroscopy, view.mask))
    coloured, lined = base, base
    shown = [(drr, colour_of(number)) for number, drr in enumerate(view.drrs) if drr is not None]
    for drr, colour in shown:
        coloured = tinted(coloured, drr, colour)
    for drr, colour in shown:
        lines = bone_lines(drr)
        coloured, lined = (with_lines(picture, lines, LINE_PIXELS, colour) for picture in (coloured, lined))
    return [reduced(picture) for picture in (base, coloured, lined)]


def _draw_legend(draw: ImageDraw.ImageDraw, place: tuple[int, int], bone: BoneWords, colour: Colour) -> None:
    left, middle = place
    font = ImageFont.load_default(17)
    draw.rectangle((left, middle - 7, left + 22, middle + 7), fill=colour)
    draw.text((left + 32, middle), bone.name, fill=INK, font=font, anchor="lm")
    words = "not registered, the run was stopped before" if bone.status is None else bone.status
    ink = FAINT_INK if bone.status is None else STATUS_COLOURS[bone.status]
    draw.text((left + 44 + draw.textlength(bone.name, font=font), middle), words, fill=ink, font=font, anchor="lm")
