"""Masks of small pictures: their connected pieces, and what they grow to."""

from __future__ import annotations

import math

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray


def connected_pieces(mask: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Numbers (rows, columns) of the pieces that pixels belong to by their sides, from 1; 0 outside of the mask."""
    numbering = sitk.ConnectedComponentImageFilter()
    numbering.SetNumberOfWorkUnits(1)  # threads would take five times as long
    numbers: NDArray[np.uint32] = sitk.GetArrayFromImage(numbering.Execute(_image(mask)))
    return numbers


def belongs_to(pieces: NDArray[np.uint32], numbers: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Pixels (rows, columns) of the pieces with these numbers."""
    is_wanted = np.zeros(int(pieces.max(initial=0)) + 1, dtype=bool)
    is_wanted[numbers] = True
    return np.asarray(is_wanted[pieces])


def dilated(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """A mask grown by a radius in pixels."""
    rows, columns = mask.shape
    padded = np.pad(mask, radius)
    grown = np.zeros(mask.shape, dtype=bool)
    # The disc is made of rows. A row of it, laid around each pixel of the mask, comes from the next shorter one.
    wide = padded[:, radius : radius + columns].copy()
    for reach in range(radius + 1):
        wide |= padded[:, radius - reach : radius - reach + columns]
        wide |= padded[:, radius + reach : radius + reach + columns]
        for row in range(2 * radius + 1):
            if _reach(row - radius, radius) == reach:
                grown |= wide[row : row + rows]
    return grown


def _reach(row: int, radius: int) -> int:
    """Pixels of a disc's row on each side of its middle; half a pixel more than the radius belongs to the disc."""
    return math.isqrt((2 * radius + 1) ** 2 - 4 * row**2) // 2


def eroded(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """A mask shrunk by a radius in pixels, but for where it meets the border."""
    return ~dilated(~mask, radius)


def opened(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """A mask without what is narrower than a radius to each side; what goes beyond the border is thought to go on."""
    kept = dilated(eroded(np.pad(mask, 2 * radius, mode="edge"), radius), radius)
    return kept[2 * radius : -2 * radius, 2 * radius : -2 * radius]


def _image(mask: NDArray[np.bool_]) -> sitk.Image:
    return sitk.GetImageFromArray(mask.astype(np.uint8))
