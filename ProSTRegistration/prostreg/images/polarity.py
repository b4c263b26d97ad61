"""Decides from an X-ray alone whether bone is dark or bright in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.choices import Polarity
from prostreg.images.radiation_field import RadiationField, coarse_mask

_FEWEST_PIXELS = 200
_CLIPPED_WEIGHT_LIMIT = 0.3
_BRIGHT_FRAME = 0.1
_DARK_FRAME = -0.1
_BRIGHT_FROM = 0.05


def decided_polarity(pixels: NDArray[np.float32], field: RadiationField, allowed: NDArray[np.bool_]) -> Polarity:
    """The likelier polarity, by three signs that are added up; bone-dark where they say nothing.

    - The patient is thickest in the middle of the field: mean grey rank of its inner third minus
      that of its outer third. Ranks make raw, logarithmic and windowed images alike.
    - Air is clipped more often than bone: share of pixels at the lowest value minus share at the highest.
    - Where no radiation arrived, raw images are as dark as bone and logarithmic ones as bright. A
      dark frame counts little, displays draw it into images of both kinds.

    Args:
        pixels: (height, width) grey values.
        field: of the same pixels.
        allowed: (height, width), True where the user lets pixels count.
    """
    within = coarse_mask(allowed, field.factor) & ~field.blocked
    if np.count_nonzero(within) < _FEWEST_PIXELS or not allowed.any():
        allowed = np.ones_like(allowed)
        within = np.ones_like(field.blocked)
    score = _middle_over_rim(field.grey, within) + _clipped_low_over_high(pixels[allowed], field)
    if field.blocked_is_dark is not None:
        score += _DARK_FRAME if field.blocked_is_dark else _BRIGHT_FRAME
    return "bone-bright" if score > _BRIGHT_FROM else "bone-dark"


def _middle_over_rim(grey: NDArray[np.float64], within: NDArray[np.bool_]) -> float:
    values = grey[within]
    ordered = np.sort(values)
    ranks = (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / (2 * values.size)
    rows, columns = np.nonzero(within)
    off_centre = np.hypot(
        (rows - rows.mean()) / (rows.std() + 1e-9), (columns - columns.mean()) / (columns.std() + 1e-9)
    )
    order = np.argsort(off_centre, kind="stable")
    third = values.size // 3
    return float(ranks[order[:third]].mean() - ranks[order[-third:]].mean())


def _clipped_low_over_high(pixels: NDArray[np.float32], field: RadiationField) -> float:
    lowest = np.mean(pixels == pixels.min()) - (field.blocked.mean() if field.blocked_is_dark is True else 0.0)
    highest = np.mean(pixels == pixels.max()) - (field.blocked.mean() if field.blocked_is_dark is False else 0.0)
    difference = max(float(lowest), 0.0) - max(float(highest), 0.0)
    return float(np.clip(difference, -_CLIPPED_WEIGHT_LIMIT, _CLIPPED_WEIGHT_LIMIT))
