"""Small discs in an X-ray, darker or brighter than what lies around them: what beads look like."""

from __future__ import annotations

import math

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.images.pyramid import block_means
from prostreg.images.small_masks import connected_pieces
from prostreg.images.xray_preparation import DARK_FLOOR, OPEN_FIELD_PERCENTILE

LARGEST_RADIUS_SHARE = 0.03
"""Of the image's longer side: what is wider is no bead."""

LARGEST_SIDE_PX = 2048
"""Larger images are looked through with averaged pixels."""

NOISE_TIMES = 8.0
BODY = 0.4
"""Height above the noise, and share of the usual height of discs, from which a pixel belongs to one."""

WEAKEST_SHARES = (0.0, 0.2)
"""Of the highest piece: what is lower does not count for the usual height of one sort of discs, or of another."""

LEAST_PIXELS = 4
NARROWEST = 0.6
FULLNESS = (0.5, 0.95)
"""The sides over each other of the box around a disc, and its area over the box's: 1 and pi / 4 for a round one."""

LEAST_AXIS_SHARE = 0.8
"""Short axis over the long one: two beads that overlap are no disc, and their middle is no bead's."""

ROUGH_PIXELS = 16
"""Up to that area, the pixels hide the shape."""

SIZES = (0.3, 3.0)
"""Area over the usual one."""

Array = NDArray[np.float64]


def sorts_of_discs(pixels: NDArray[np.float32], open_part: NDArray[np.bool_] | None) -> list[Array]:
    """Centres (n, 2) in pixels (u, v) of each sort of discs that an image (height, width) has: dark ones, bright ones.

    Each sort has discs of about one size and strength; many specks of noise are one as well.

    Args:
        open_part: True where no shutter covers the image; None where none does.
    """
    factor = math.ceil(max(pixels.shape) / LARGEST_SIDE_PX)
    averaged = block_means(pixels, factor).astype(np.float32)
    found = [discs for values in (_absorption(averaged), averaged) for discs in _sorts(values)]
    return [_inside((centres + 0.5) * factor - 0.5, open_part) for centres in found]


def _absorption(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Minus the logarithm: a disc takes a share of the light, and a slope of light would pull its centre aside."""
    light = pixels - min(0.0, float(pixels.min()))
    open_field = float(np.percentile(light, OPEN_FIELD_PERCENTILE)) or float(light.max())
    return np.asarray(-np.log(light + DARK_FLOOR * open_field), dtype=np.float32)


def _inside(centres: Array, open_part: NDArray[np.bool_] | None) -> Array:
    if open_part is None:
        return centres
    columns, rows = np.rint(centres).astype(np.intp).T
    return np.asarray(centres[open_part[rows, columns]])


def _sorts(pixels: NDArray[np.float32]) -> list[Array]:
    """Centres (n, 2) of each sort of bright discs of an image (height, width)."""
    height = _height(pixels)
    noise = 1.4826 * float(np.median(np.abs(height)))
    least = max(NOISE_TIMES * noise, 1e-6 * float(np.ptp(pixels)))
    pieces = connected_pieces(height > least)
    in_piece = pieces > 0
    peaks = np.zeros(int(pieces.max()) + 1)
    np.maximum.at(peaks, pieces[in_piece], height[in_piece])
    levels = {
        max(least, BODY * float(np.percentile(peaks[peaks > share * peaks.max()], 60)))
        for share in WEAKEST_SHARES
        if len(peaks) > 1
    }
    return [_centres(connected_pieces(height > level), height - level) for level in sorted(levels)]


def _height(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The height of narrow bright things above what lies around them, with 0 for the usual pixel."""
    radius = max(4, round(LARGEST_RADIUS_SHARE * max(pixels.shape)))
    smooth = sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(pixels), 1.0)
    ground = sitk.GrayscaleMorphologicalOpening(smooth, [radius, radius], sitk.sitkBox)
    ground = sitk.SmoothingRecursiveGaussian(ground, radius / 2)
    height = sitk.GetArrayFromImage(smooth) - sitk.GetArrayFromImage(ground)
    return np.asarray(height - np.median(height), dtype=np.float32)


def _centres(pieces: NDArray[np.uint32], height: NDArray[np.float32]) -> Array:
    """Centres (n, 2) of the pieces that are round and of the usual size, weighted by height above their rim."""
    rows, columns = np.nonzero(pieces)
    order = np.argsort(pieces[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    starts = np.flatnonzero(np.diff(pieces[rows, columns], prepend=0))
    found, areas = [], []
    for v, u in zip(np.split(rows, starts[1:]), np.split(columns, starts[1:]), strict=True):
        if not _is_round(u, v, height.shape):
            continue
        weights = height[v, u].astype(np.float64)
        found.append((weights @ u / weights.sum(), weights @ v / weights.sum()))
        areas.append(len(v))
    usual = float(np.median(areas)) if areas else 0.0
    kept = [f for f, area in zip(found, areas, strict=True) if SIZES[0] * usual <= area <= SIZES[1] * usual]
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def _is_round(u: NDArray[np.intp], v: NDArray[np.intp], shape: tuple[int, ...]) -> bool:
    if len(u) < LEAST_PIXELS or min(v.min(), u.min()) == 0 or v.max() == shape[0] - 1 or u.max() == shape[1] - 1:
        return False
    tall, wide = int(np.ptp(v)) + 1, int(np.ptp(u)) + 1
    if min(tall, wide) < NARROWEST * max(tall, wide):
        return False
    if len(u) <= ROUGH_PIXELS:
        return True
    short, long = np.linalg.eigvalsh(np.cov(u, v))
    is_disc = short >= LEAST_AXIS_SHARE**2 * long
    return bool(is_disc and FULLNESS[0] <= len(u) / (tall * wide) <= FULLNESS[1])
