"""Gaussian smoothing of grids of any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

_FEWEST = 4
"""Values along an axis that ITK's recursive filter asks for."""


def smoothed(values: NDArray[Any], sigma: Sequence[float], spacing: Sequence[float] | None = None) -> NDArray[Any]:
    """Values smoothed along each axis; short axes go on with their last value.

    Args:
        values: of two or three axes.
        sigma: standard deviation along each axis, fastest first, in the unit of the spacing.
        spacing: distance of neighbours along each axis, fastest first; None for 1.
    """
    image = sitk.GetImageFromArray(np.pad(values, [(0, max(0, _FEWEST - n)) for n in values.shape], mode="edge"))
    if spacing is not None:
        image.SetSpacing(list(spacing))
    found = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(image, list(sigma)))
    return np.ascontiguousarray(found[tuple(slice(n) for n in values.shape)])
