"""Pixels that a DICOM image calls padding: what surrounds the picture where that is round or turned."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.images.dicom_tags import Tags, numbers_of, value_of, whole_number_of, words_of
from prostreg.images.small_masks import connected_pieces

LEAST_SHARE, MOST_SHARE = 0.005, 0.9
"""Of the image that is padding: some dark pixels at the border are none, and neither is a value that covers all."""

_KINDS = ("Pixel", "FloatPixel", "DoubleFloatPixel")
_STORED_KEYWORDS = (
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "RescaleSlope",
    "RescaleIntercept",
)
PADDING_KEYWORDS = (*(f"{kind}Padding{part}" for kind in _KINDS for part in ("Value", "RangeLimit")), *_STORED_KEYWORDS)
"""All that is asked for here."""

_MOST_BITS = 64

Mask = NDArray[np.bool_]


def padding_value(tags: Tags) -> float | None:
    """PixelPaddingValue (0028,0120), or that of floats, as it is among the stored values; None where there is none.

    Files give it signed or unsigned, and with more bits than are stored.
    """
    ends = _ends(tags)
    return None if ends is None else ends[0]


def padded(values: NDArray[Any], tags: Tags) -> Mask | None:
    """True for padding in stored values (rows, columns); None where there is none.

    It lies at the border: the same value inside is the patient's. PixelPaddingRangeLimit (0028,0121) makes a range of
    the value.
    """
    ends = _ends(tags)
    if ends is None:
        return None
    alike = (values >= min(ends)) & (values <= max(ends))
    border = np.ones_like(alike)
    border[1:-1, 1:-1] = False
    if not (alike & border).any():
        return None
    pieces = connected_pieces(alike)
    touching = np.unique(pieces[border])
    padding = np.isin(pieces, touching[touching > 0])
    return padding if LEAST_SHARE <= float(padding.mean()) <= MOST_SHARE else None


def shown_part(values: NDArray[Any], tags: Tags) -> tuple[Mask | None, str | None]:
    """True where no padding is, and a sentence; None where there is no padding."""
    padding = padded(values, tags)
    if padding is None:
        return None, None
    said = f"By PixelPaddingValue {float(padding.mean()):.0%} of the image show nothing and are left out"
    return ~padding, f'{said}; "mask" of the view overrules it.'


def stored_from_itk(values: NDArray[Any], tags: Tags) -> NDArray[Any]:
    """Stored values of pixels that ITK has read: it applies slope and intercept, and turns MONOCHROME1 over before."""
    if _ends(tags) is None or value_of(tags, "PixelPaddingValue") is None:
        return values
    slope, intercept = (numbers_of(tags, f"Rescale{part}", 1) for part in ("Slope", "Intercept"))
    scaled = np.asarray(values, dtype=np.float64) - (intercept[0] if intercept else 0.0)
    stored = np.rint(scaled / (slope[0] if slope and slope[0] else 1.0))
    if words_of(tags, "PhotometricInterpretation") != ["MONOCHROME1"]:
        return stored
    lowest_and_highest = -1.0 if _is_signed(tags) else 2.0 ** _bits(tags) - 1.0
    return np.asarray(lowest_and_highest - stored)


def _ends(tags: Tags) -> tuple[float, float] | None:
    """The value of padding, and the other end of its range, as stored; None for an image without, or in colours."""
    if whole_number_of(tags, "SamplesPerPixel", 1) != 1:
        return None
    for kind in _KINDS:
        first = numbers_of(tags, f"{kind}PaddingValue", 1)
        if first:
            last = numbers_of(tags, f"{kind}PaddingRangeLimit", 1) or first
            return (_as_stored(first[0], tags), _as_stored(last[0], tags)) if kind == "Pixel" else (first[0], last[0])
    return None


def _bits(tags: Tags) -> int:
    bits = whole_number_of(tags, "BitsStored", whole_number_of(tags, "BitsAllocated", 16))
    return min(max(bits, 1), _MOST_BITS)


def _is_signed(tags: Tags) -> bool:
    return whole_number_of(tags, "PixelRepresentation", 0) == 1


def _as_stored(value: float, tags: Tags) -> int:
    span = 1 << _bits(tags)
    stored = int(value) % span
    return stored - span if _is_signed(tags) and stored >= span // 2 else stored
