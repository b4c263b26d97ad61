"""The place of an X-ray on its detector by its DICOM tags, and so where the detector's middle is in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.images.dicom_tags import Tags, numbers_of, words_of

Pair = NDArray[np.float64]
"""Along rows' order and along columns' order, as DICOM gives pairs: (down, right)."""

OVERHANG_SHARE = 0.01
"""A field that reaches beyond the active detector by more than this share of its own size contradicts the tags."""

ROTATIONS = (0, 90, 180, 270)


@dataclass(frozen=True)
class DetectorField:
    """The tags' account of the field of view.

    Attributes:
        detector_middle: (u, v) in pixels, the middle of the detector's active area; None where the tags do not tell it.
        trouble: a sentence where tags were found that cannot be used.
    """

    detector_middle: tuple[float, float] | None = None
    trouble: str | None = None


def detector_field(tags: Tags, spacing_mm: list[float], size: tuple[int, int]) -> DetectorField:
    """Reads where an image lies on its detector.

    FieldOfViewOrigin (0018,7030) and DetectorActiveOrigin (0018,7028) count physical detector elements, whose size is
    DetectorElementSpacing (0018,7022); DetectorActiveDimensions (0018,7026) are mm. The field was turned clockwise by
    FieldOfViewRotation (0018,7032), then mirrored where FieldOfViewHorizontalFlip (0018,7034) says so.

    Args:
        spacing_mm: pixel pitch of the image on the detector, between rows and between columns.
        size: (width, height) of the image in pixels.
    """
    origin = numbers_of(tags, "FieldOfViewOrigin", 2)
    if not origin:
        return DetectorField()
    dimensions_mm = numbers_of(tags, "DetectorActiveDimensions", 2)
    if not dimensions_mm:
        return DetectorField(trouble=_unknown_detector(origin)) if any(origin) else DetectorField()
    turn = int((numbers_of(tags, "FieldOfViewRotation", 1) or [0.0])[0]) % 360
    if turn not in ROTATIONS:
        return DetectorField(trouble=f"FieldOfViewRotation is {turn} degrees, and not a multiple of 90")
    pixel, element = np.array(spacing_mm), _element_mm(tags, spacing_mm)
    size_on_detector = np.array(size[::-1] if turn in (0, 180) else size, dtype=np.float64)
    pixel = pixel if turn in (0, 180) else pixel[::-1]
    start_mm = np.array(origin) * element
    active_start_mm = np.array(numbers_of(tags, "DetectorActiveOrigin", 2) or [0.0, 0.0]) * element
    field_mm = size_on_detector * pixel
    for active_mm in (np.array(dimensions_mm), np.array(dimensions_mm[::-1])):  # some devices give the width first
        if _lies_inside(start_mm - active_start_mm, field_mm, active_mm):
            middle = (active_start_mm + active_mm / 2 - start_mm) / pixel
            is_flipped = words_of(tags, "FieldOfViewHorizontalFlip") == ["YES"]
            return DetectorField(_in_image(middle, size_on_detector, turn, is_flipped))
    return DetectorField(
        trouble="FieldOfViewOrigin, DetectorActiveOrigin and DetectorActiveDimensions put the image beyond the detector"
    )


def _element_mm(tags: Tags, spacing_mm: list[float]) -> Pair:
    """Size (down, right) of a physical detector element."""
    elements = numbers_of(tags, "DetectorElementSpacing", 2)
    binning = numbers_of(tags, "DetectorBinning", 2) or [1.0, 1.0]
    return np.array(elements) if elements and min(elements) > 0 else np.array(spacing_mm) / np.maximum(binning, 1.0)


def _lies_inside(start_mm: Pair, field_mm: Pair, active_mm: Pair) -> bool:
    overhang_mm = OVERHANG_SHARE * field_mm
    return bool((start_mm >= -overhang_mm).all() and (start_mm + field_mm <= active_mm + overhang_mm).all())


def _in_image(middle: Pair, size: Pair, turn: int, is_flipped: bool) -> tuple[float, float]:
    """(u, v) in the image of a place (down, right) in the field's pixels, counted from its corner."""
    (down, right), (height, width) = middle, size
    right, down = {
        0: (right, down),
        90: (height - down, right),
        180: (width - right, height - down),
        270: (down, width - right),
    }[turn]
    if is_flipped:
        right = (width if turn in (0, 180) else height) - right
    return float(right) - 0.5, float(down) - 0.5


def _unknown_detector(origin: list[float]) -> str:
    down, right = origin
    return (
        f"FieldOfViewOrigin puts the image {down:g} rows and {right:g} columns into the detector, but without"
        " DetectorActiveDimensions the detector's middle is not known"
    )
