"""Masks of small pictures: their connected pieces, and what they grow to."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray


def connected_pieces(mask: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Numbers (rows, columns) of the pieces that pixels belong to by their sides, from 1; 0 outside of the mask."""
    numbering = sitk.ConnectedComponentImageFilter()
    numbering.SetNumberOfWorkUnits(1)  # threads would take five times as long
    numbers: NDArray[np.uint32] = sitk.GetArrayFromImage(numbering.Execute(_image(mask)))
    return numbers


def dilated(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """A mask grown by a radius in pixels."""
    return np.asarray(sitk.GetArrayFromImage(sitk.BinaryDilate(_image(mask), [radius, radius])), dtype=bool)


def eroded(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """A mask shrunk by a radius in pixels."""
    return np.asarray(sitk.GetArrayFromImage(sitk.BinaryErode(_image(mask), [radius, radius])), dtype=bool)


def opened(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """A mask without what is narrower than a radius to each side; what goes beyond the border is thought to go on."""
    padded = np.pad(mask, 2 * radius, mode="edge")
    kept = sitk.GetArrayFromImage(sitk.BinaryMorphologicalOpening(_image(padded), [radius, radius]))
    return np.asarray(kept[2 * radius : -2 * radius, 2 * radius : -2 * radius], dtype=bool)


def _image(mask: NDArray[np.bool_]) -> sitk.Image:
    return sitk.GetImageFromArray(mask.astype(np.uint8))
