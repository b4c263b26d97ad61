"""Pixels that a DICOM image calls padding: what surrounds the picture where that is round or turned."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.images.dicom.pixels import PixelLayout
from prostreg.images.dicom_tags import Tags, numbers_of
from prostreg.images.small_masks import connected_pieces

LEAST_SHARE, MOST_SHARE = 0.005, 0.9
"""Of the image that is padding: some dark pixels at the border are none, and neither is a value that covers all."""

Mask = NDArray[np.bool_]


def padding_value(tags: Tags, layout: PixelLayout) -> int | None:
    """PixelPaddingValue (0028,0120) as it is among the stored values; None where there is none.

    Files give it signed or unsigned, and with more bits than are stored.
    """
    found = numbers_of(tags, "PixelPaddingValue", 1)
    return _as_stored(found[0], layout) if found else None


def padded(values: NDArray[Any], tags: Tags, layout: PixelLayout) -> Mask | None:
    """True for padding in stored values (rows, columns); None where there is none.

    It lies at the border: the same value inside is the patient's. PixelPaddingRangeLimit (0028,0121) makes a range of
    the value.
    """
    first = padding_value(tags, layout)
    if first is None or values.dtype.kind == "f":
        return None
    limit = numbers_of(tags, "PixelPaddingRangeLimit", 1)
    last = _as_stored(limit[0], layout) if limit else first
    alike = (values >= min(first, last)) & (values <= max(first, last))
    border = np.ones_like(alike)
    border[1:-1, 1:-1] = False
    if not (alike & border).any():
        return None
    pieces = connected_pieces(alike)
    touching = np.unique(pieces[border])
    padding = np.isin(pieces, touching[touching > 0])
    return padding if LEAST_SHARE <= float(padding.mean()) <= MOST_SHARE else None


def shown_part(values: NDArray[Any], tags: Tags, layout: PixelLayout) -> tuple[Mask | None, str | None]:
    """True where no padding is, and a sentence; None where there is no padding."""
    padding = padded(values, tags, layout)
    if padding is None:
        return None, None
    said = f"By PixelPaddingValue {float(padding.mean()):.0%} of the image show nothing and are left out"
    return ~padding, f'{said}; "mask" of the view overrules it.'


def _as_stored(value: float, layout: PixelLayout) -> int:
    span = 1 << layout.bits[1]
    stored = int(value) % span
    return stored - span if layout.is_signed and stored >= span // 2 else stored
