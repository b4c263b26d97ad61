"""Finds instruments and implants in an X-ray: they stand out more than bones, have straight parts and sharp edges.

A CT without them explains none of their edges, which are the strongest of the image.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.images.pyramid import block_means
from prostreg.images.radiation_field import coarse_mask, fine_mask
from prostreg.images.small_masks import connected_pieces, dilated

WORKING_SIZE = 256
"""The longer side of the image on which metal is looked for, in pixels."""

WIDEST, SHORTEST = 0.035, 0.08
"""Half the width that an instrument may have, and the length of its straight parts, over the image's longer side."""

LEAST_HEIGHT = 0.15
STANDS_OUT = 2.5
"""How far metal rises above what lies beside it: on the scale of line integrals, and over what the image's bones do."""

BODY = 0.5
"""Share of that height down to which a piece of metal reaches."""

USUAL_PERCENTILE = 95.0

SHARP = 0.24
STEEP, STEEPEST = 2.5, 4.0
"""Slope per pixel at the edge of metal, over its height and over the steep slopes that are usual in the image. Bones
reached 0.27 of the one or 3.0 of the other, never both; the second alone is enough where it is higher still, since a
window cuts metal off unevenly. Set on 24 pelves of the preset ``hard`` (seed 9101), with their instruments and
without, and 10 of ``paper`` (seed 9301)."""

STRAIGHT = 0.55
"""Share of a piece that straight strips make up."""

ANGLES = 16
ROUNDS = 3
"""How often the usual height is taken again without the metal found."""

MOST = 0.12
"""Share of the field beyond which it is no metal, but what the image shows."""

SEAM_PX = 2
_SIGHT_PX = 3

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]


def find_metal(line_integrals: Floats, valid: Bools) -> Bools:
    """The pixels (height, width) of metal, with a seam around them.

    Args:
        line_integrals: bone bright, about 0 to 1.
        valid: where the image counts.
    """
    side = max(line_integrals.shape)
    factor = max(1, -(-side // WORKING_SIZE))
    field = coarse_mask(valid, factor)
    metal = np.zeros_like(field)
    if field.any():
        grey = block_means(line_integrals.astype(np.float64), factor).astype(np.float32)
        picture = _Picture(np.where(field, grey, grey[field].max()), field, max(field.shape))
        for _ in range(ROUNDS):
            found = picture.metal_beside(metal)
            if not (found & ~metal).any():
                break
            metal |= found
    if metal.sum() > MOST * field.sum():
        metal[:] = False
    return fine_mask(dilated(metal, SEAM_PX), factor, line_integrals.shape) if metal.any() else np.zeros_like(valid)


class _Picture:
    """Heights above the surroundings and slopes of a coarse image."""

    def __init__(self, grey: Floats, field: Bools, side: int) -> None:
        smooth = sitk.Median(sitk.GetImageFromArray(grey.astype(np.float32)), [1, 1])
        radius = max(3, round(WIDEST * side))
        ground = sitk.GrayscaleMorphologicalOpening(smooth, [radius, radius])
        self._counts = ~dilated(~field, _SIGHT_PX)
        values = sitk.GetArrayFromImage(smooth)
        self._height = np.where(self._counts, values - sitk.GetArrayFromImage(ground), 0)
        self._slope = np.hypot(*np.gradient(values))
        self._lines = _lines(max(9, round(SHORTEST * side)))

    def metal_beside(self, known: Bools) -> Bools:
        """The metal of the picture, the usual heights and slopes taken where none is known yet."""
        usual = self._counts & ~dilated(known, SEAM_PX)
        if not usual.any():
            return known
        height = max(LEAST_HEIGHT, STANDS_OUT * float(np.percentile(self._height[usual], USUAL_PERCENTILE)))
        steep = float(np.percentile(self._slope[usual], USUAL_PERCENTILE))
        body = self._height > BODY * height
        pieces = connected_pieces(body)
        sharp = [
            piece
            for piece in (pieces == number for number in np.unique(pieces[self._height > height]))
            if self._is_sharp(piece, steep)
        ]
        if not sharp:
            return np.zeros_like(body)
        strips = _strips(np.logical_or.reduce(sharp), self._lines)
        straight = [piece for piece in sharp if strips[piece].mean() > STRAIGHT]
        return np.asarray(np.logical_or.reduce([np.zeros_like(body), *straight]))

    def _is_sharp(self, piece: Bools, steep: float) -> bool:
        rim = dilated(piece, 1) & dilated(~piece, 1) & self._counts
        slope = float(np.median(self._slope[rim]))
        height = float(np.percentile(self._height[piece], 80))
        return slope > STEEPEST * steep or (slope > STEEP * steep and slope > SHARP * height)


def _lines(length: int) -> list[NDArray[np.int64]]:
    """Pixels (n, 2) of lines through the middle, rows and columns."""
    along = np.arange(length) - length // 2
    lines = []
    for angle in np.pi * np.arange(ANGLES) / ANGLES:
        steps = np.rint(np.outer(along, [np.sin(angle), np.cos(angle)])).astype(np.int64)
        lines.append(np.unique(steps, axis=0))
    return lines


def _strips(body: Bools, lines: list[NDArray[np.int64]]) -> Bools:
    """The part of a mask that its lines fill (a morphological opening by lines)."""
    reach = max(int(np.abs(line).max()) for line in lines)
    padded = np.pad(body, reach)
    strips = np.zeros_like(padded)
    for line in lines:
        middles = np.ones_like(padded)
        for row, column in line:
            middles &= np.roll(padded, (-row, -column), (0, 1))
        if middles.any():
            for row, column in line:
                strips |= np.roll(middles, (row, column), (0, 1))
    return strips[reach:-reach, reach:-reach]
