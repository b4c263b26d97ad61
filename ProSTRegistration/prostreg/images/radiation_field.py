"""Finds the part of an X-ray that no radiation reached: collimator leaves, intensifier rim, display shutter.

Such an area is flat at one end of the grey scale, touches the image's border and ends in a
jump, and what it leaves open is convex (a circle or a polygon). Air is flat and touches the border
too, but the patient's skin fades into it; dense body parts are neither flat nor end in a jump, and
what lies beside them has no simple shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.images.pyramid import block_means
from prostreg.images.small_masks import belongs_to, connected_pieces, dilated, eroded, opened

WORKING_SIZE = 160
"""The longer side of the coarse image on which areas are judged, in pixels."""

_TOLERANCES = (0.002, 0.006, 0.02, 0.06, 0.12)
_DARK_STRETCH = 0.01
_SMALLEST_AREA = 0.01
_LARGEST_AREA = 0.7
_JUMP_NEEDED = 0.5
_CORNER_WEIGHT = 0.25
_FEWEST_EDGE_PIXELS = 12
_CONVEX_FROM = 0.93
_LARGEST_DRAWING = 0.1
_WIDEST_LINK = 4


@dataclass(frozen=True, eq=False)
class RadiationField:
    """The part of an image that radiation reached, on a coarse grid.

    Attributes:
        grey: coarse image (rows, columns), block averages scaled to 0..1.
        blocked: same shape, True where no radiation arrived.
        blocked_is_dark: whether these areas are at the dark end; None where there are none.
        certainty: 0.5 and more; how clear the step at their edge is.
        factor: pixels per coarse pixel.
    """

    grey: NDArray[np.float64]
    blocked: NDArray[np.bool_]
    blocked_is_dark: bool | None
    certainty: float
    factor: int


def find_radiation_field(pixels: NDArray[np.float32], allowed: NDArray[np.bool_]) -> RadiationField:
    """Judges an image of either polarity; ``allowed`` are the pixels that the user lets count.

    At each end of the grey scale and at several tolerances, the flat area at the border gets a
    score: the step from it to the pixels beside it, as a fraction of the range and in ranks, plus the
    share of the image's corners it covers. The best area with enough of a step is blocked.
    """
    factor = max(1, -(-max(pixels.shape) // WORKING_SIZE))
    inside = coarse_mask(allowed, factor)
    grey = _coarse_grey(pixels, inside, factor)
    linear = (grey, 1.0 - grey)
    stretched = tuple(np.log1p(g / _DARK_STRETCH) / np.log1p(1.0 / _DARK_STRETCH) for g in linear)
    best_score, blocked, dark = _JUMP_NEEDED, np.zeros(grey.shape, dtype=bool), None
    for end in (0, 1):
        opposite = dilated(_at_border((linear[1 - end] <= 0.06) & inside, inside), 4)
        for flat in _flat_areas((linear[end], stretched[end]), inside):
            area = _at_border(flat, inside)
            if not area.any():  # there is nothing that something could be drawn into
                continue
            area = _with_drawings(area, inside, flat)
            score = _score(linear[end], area, opposite)
            if score > best_score and _is_nearly_convex(inside & ~area):
                best_score, blocked, dark = score, area, end == 0
    return RadiationField(grey, blocked, dark, best_score, factor)


def coarse_mask(mask: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    """A mask on blocks of factor x factor pixels: True where at least half of the block is."""
    return block_means(mask.astype(np.float64), factor) >= 0.5


def fine_mask(coarse: NDArray[np.bool_], factor: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A coarse mask on the pixels it was made from."""
    fine = np.repeat(np.repeat(coarse, factor, axis=0), factor, axis=1)
    return fine[: shape[0], : shape[1]]


def _coarse_grey(pixels: NDArray[np.float32], inside: NDArray[np.bool_], factor: int) -> NDArray[np.float64]:
    """Block averages; inside the mask, the 0.5th percentile is 0 and the 99.5th is 1; outside, the median."""
    grey = block_means(pixels.astype(np.float64), factor)
    counted = grey[inside] if inside.any() else grey.ravel()
    low, high = np.percentile(counted, [0.5, 99.5])
    if high <= low:
        low, high = counted.min(), counted.max()
    filled = np.where(inside, grey, np.median(counted))
    return np.asarray(np.clip((filled - low) / max(float(high - low), 1e-12), 0.0, 1.0))


def _score(grey: NDArray[np.float64], area: NDArray[np.bool_], opposite: NDArray[np.bool_]) -> float:
    share = float(area.mean())
    if not _SMALLEST_AREA <= share <= _LARGEST_AREA:
        return 0.0
    edge = dilated(area, 2)
    beside = dilated(edge, 2) & ~edge
    # Near the corners; a narrow image has no more rows or columns than these.
    rows, columns = ((min(2, n - 1), max(-3, -n)) for n in area.shape)
    in_corners = _CORNER_WEIGHT * float(np.mean([area[row, column] for row in rows for column in columns]))
    # What lies beside both ends of the scale tells nothing: either could be the blocked one.
    telling = beside & ~opposite
    if np.count_nonzero(telling) < _FEWEST_EDGE_PIXELS:
        return 0.5 + in_corners if np.count_nonzero(beside) >= _FEWEST_EDGE_PIXELS else 0.0
    others = np.sort(grey[~area])
    ranks = np.searchsorted(others, grey[telling]) / others.size
    return float(np.median(grey[telling]) + np.median(ranks)) + in_corners


def _is_nearly_convex(field: NDArray[np.bool_]) -> bool:
    """True if rows and columns cross the field in one piece, as they cross a convex one."""
    spans = 0
    for crossed in (field, field.T):
        lines = crossed[crossed.any(axis=1)]
        spans += int((lines.shape[1] - lines[:, ::-1].argmax(axis=1) - lines.argmax(axis=1)).sum())
    return 2 * int(field.sum()) >= _CONVEX_FROM * spans


def _flat_areas(scales: tuple[NDArray[np.float64], ...], inside: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """Areas within each tolerance of 0 on each scale that count; those that several give, once."""
    sizes = set()
    for scale in scales:
        for tolerance in _TOLERANCES:
            flat = (scale <= tolerance) & inside
            # The scales rise together, so that one area lies within the other: those of a size are the same.
            if (size := np.count_nonzero(flat)) not in sizes:
                sizes.add(size)
                yield flat


def _at_border(flat: NDArray[np.bool_], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Connected parts of a flat area that touch the border of the image or of what counts."""
    if np.mean(flat) < _SMALLEST_AREA:
        return np.zeros_like(flat)
    pieces = connected_pieces(opened(flat, 1))
    border = np.ones_like(flat)
    border[1:-1, 1:-1] = False
    if not inside.all():
        border |= dilated(~inside, 1)
    touching = pieces[border]
    return belongs_to(pieces, touching[touching > 0])


def _with_drawings(area: NDArray[np.bool_], inside: NDArray[np.bool_], flat: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The area with what is drawn into it: pieces that are small beside the field, or linked to it by a narrow bridge.

    Text, logos, rulers and wedges are such. Several fields in one picture are not small.
    """
    beside = inside & ~area
    channels = connected_pieces(flat)
    # Narrow gaps keep drawings apart.
    apart = beside & ~belongs_to(channels, channels[area & (channels > 0)])
    pieces = connected_pieces(eroded(apart, _WIDEST_LINK))
    sizes = np.bincount(pieces.ravel())[1:]
    if not sizes.size:
        return area
    large = 1 + np.flatnonzero(sizes >= _LARGEST_DRAWING * sizes.max())
    return area | (beside & ~dilated(belongs_to(pieces, large), _WIDEST_LINK + 1))
