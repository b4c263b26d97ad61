"""Masks that grow and shrink: by the same discs as SimpleITK's."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.images.small_masks import belongs_to, dilated, eroded, opened


def masks() -> list[NDArray[np.bool_]]:
    """Dots, blobs and their gaps, also in pictures narrower than a disc."""
    rng = np.random.default_rng(0)
    return [rng.random(shape) < share for shape in [(40, 31), (3, 50), (1, 7)] for share in (0.02, 0.4, 0.97)]


@pytest.mark.parametrize("radius", [1, 2, 3, 4, 5, 8])
def test_discs_are_those_of_simpleitk(radius: int) -> None:
    def itk(work: object, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        image = sitk.GetImageFromArray(mask.astype(np.uint8))
        return np.asarray(sitk.GetArrayFromImage(work(image, [radius, radius])), dtype=bool)  # type: ignore[operator]

    for mask in masks():
        np.testing.assert_array_equal(dilated(mask, radius), itk(sitk.BinaryDilate, mask))
        np.testing.assert_array_equal(eroded(mask, radius), itk(sitk.BinaryErode, mask))
        padded = itk(sitk.BinaryMorphologicalOpening, np.pad(mask, 2 * radius, mode="edge"))
        np.testing.assert_array_equal(opened(mask, radius), padded[2 * radius : -2 * radius, 2 * radius : -2 * radius])


def test_pixels_belong_to_the_pieces_that_are_named() -> None:
    pieces = np.array([[0, 1, 1], [2, 0, 3]], np.uint32)
    np.testing.assert_array_equal(belongs_to(pieces, np.array([1, 3])), [[False, True, True], [False, False, True]])
    assert not belongs_to(pieces, np.array([], int)).any()
