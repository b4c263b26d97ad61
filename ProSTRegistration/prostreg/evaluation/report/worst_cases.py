"""worst_cases.png: the cases that someone should look at, with the outline found and the true one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from prostreg.choices import AUTO
from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.report.cases_to_look_at import DANGEROUS, MISSED, Notable, notable_rows
from prostreg.evaluation.rows import Row
from prostreg.evaluation.sources.case_source import CaseSource
from prostreg.files import complete_file
from prostreg.geometry.frames import Matrix
from prostreg.images.attenuation import moving_volume
from prostreg.outputs.bone_lines import bone_lines
from prostreg.outputs.case_outputs import render_view
from prostreg.outputs.overlay_panels import SUPERSAMPLING, Colour, grey_picture, reduced, screen_grey, with_lines
from prostreg.projector.selection import Projector, make_projector
from prostreg.registration.case import Case, View

WORST_FILE = "worst_cases.png"
PALETTE_COLOURS = 128
"""Greys and two colours of lines: a quarter of the bytes, and no visible difference."""
COLUMNS = 4
PANEL = 300
LINE_PIXELS = 3
MARGIN, GAP, HEADER, CAPTION, LEGEND = 20, 14, 52, 84, 40

PAPER: Colour = (16, 19, 24)
INK: Colour = (236, 240, 244)
FAINT_INK: Colour = (170, 180, 192)
TRUE: Colour = (86, 180, 233)
FOUND: Colour = (255, 150, 40)
REASON_COLOURS: dict[str, Colour] = {DANGEROUS: (255, 110, 90), MISSED: (240, 228, 66)}


@dataclass(frozen=True, eq=False)
class _Card:
    """One result: its picture and the lines under it."""

    picture: Image.Image
    name: str
    reason: str
    facts: tuple[str, str]


def write_worst_cases(folder: Path, protocol: Protocol, rows: Sequence[Row], source: CaseSource) -> list[str]:
    """Draws the worst results, their cases made again from the source; gives the file's name, if there is any.

    Args:
        rows: of all methods.
    """
    maker = _CardMaker(source, protocol.settings.get("projector", AUTO))
    cards = [maker.card(entry) for entry in notable_rows(rows, protocol.success_mm)]
    if not cards:
        (folder / WORST_FILE).unlink(missing_ok=True)
        return []
    sheet = _sheet(f"{protocol.name}: the results to look at", cards)
    with complete_file(folder / WORST_FILE) as unfinished:
        sheet.quantize(PALETTE_COLOURS).save(unfinished, optimize=True)
    return [WORST_FILE]


class _CardMaker:
    """Makes cards, and keeps what cases share."""

    def __init__(self, source: CaseSource, projector: str) -> None:
        self._source, self._projector_name = source, projector
        self._case: Case | None = None
        self._projector: Projector | None = None

    def card(self, entry: Notable) -> _Card:
        row = entry.row
        case = self._source.case(row.number)
        projector = self._projector_of(case)
        found = np.array(row.world_from_volume)
        pictures = [_picture(view, projector, found, case.truth_world_from_volume) for view in case.views]
        start = "" if row.start_mtre_mm is None else f", started at {row.start_mtre_mm:.0f} mm"
        verdict = f"{row.status}, confidence {100 * (row.confidence or 0.0):.1f} %"
        lines = (f"mTRE {row.mtre_mm:.1f} mm{start}", verdict)
        return _Card(_beside(pictures), f"{row.case}   {row.method}", entry.reason, lines)

    def _projector_of(self, case: Case) -> Projector:
        """The anatomy's projector; cases of one patient share it."""
        same = self._case is not None and self._case.ct is case.ct and self._case.anatomy is case.anatomy
        if self._projector is None or not same:
            self._case, self._projector = (
                case,
                make_projector(moving_volume(case.ct, case.anatomy), self._projector_name),
            )
        return self._projector


def _picture(view: View, projector: Projector, found: Matrix, true: Matrix | None) -> Image.Image:
    """The X-ray with both outlines, its longer side PANEL pixels."""
    scale = SUPERSAMPLING * PANEL / max(view.carm.size)
    size = max(1, round(view.carm.width * scale)), max(1, round(view.carm.height * scale))
    carm = view.carm.resized(scale, size)
    xray = Image.fromarray(view.xray.line_integrals).resize(size, Image.Resampling.BICUBIC)
    mask = Image.fromarray(view.xray.mask.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    picture = grey_picture(screen_grey(np.asarray(xray, dtype=np.float32), np.asarray(mask) > 0.5))
    if true is not None:
        picture = with_lines(picture, bone_lines(render_view(projector, carm, true)), LINE_PIXELS, TRUE)
    picture = with_lines(picture, bone_lines(render_view(projector, carm, found)), LINE_PIXELS, FOUND)
    return reduced(picture)


def _beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """All views of a case in one row."""
    row = Image.new("RGB", (sum(picture.width for picture in pictures), PANEL), PAPER)
    left = 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width
    return row


def _sheet(title: str, cards: Sequence[_Card]) -> Image.Image:
    card_width = max(PANEL, *(card.picture.width for card in cards))
    columns = min(max(1, COLUMNS * PANEL // card_width), max(2, len(cards)))
    rows = -(-len(cards) // columns)
    width = 2 * MARGIN + columns * card_width + (columns - 1) * GAP
    sheet = Image.new("RGB", (width, HEADER + rows * (PANEL + CAPTION + GAP) + LEGEND), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, 12), title, fill=INK, font=ImageFont.load_default(24))
    for number, card in enumerate(cards):
        row, column = divmod(number, columns)
        left, top = MARGIN + column * (card_width + GAP), HEADER + row * (PANEL + CAPTION + GAP)
        sheet.paste(card.picture, (left, top))
        colour = REASON_COLOURS.get(card.reason, FAINT_INK)
        for line, (text, ink, size) in enumerate(
            [(card.name, INK, 16), (card.reason, colour, 15), *((fact, FAINT_INK, 14) for fact in card.facts)]
        ):
            draw.text((left, top + PANEL + 4 + 19 * line), text, fill=ink, font=ImageFont.load_default(size))
    _draw_legend(draw, sheet.height - LEGEND // 2)
    return sheet


def _draw_legend(draw: ImageDraw.ImageDraw, middle: int) -> None:
    left, font = float(MARGIN), ImageFont.load_default(15)
    for colour, text in ((TRUE, "bone at the true pose"), (FOUND, "bone at the pose found, drawn above it")):
        draw.rectangle((left, middle - 6, left + 20, middle + 6), fill=colour)
        draw.text((left + 28, middle), text, fill=FAINT_INK, font=font, anchor="lm")
        left += 28 + draw.textlength(text, font=font) + 36
