"""Resampling in index space, so that grids of any geometry, sheared ones too, are handled alike."""

from __future__ import annotations

from typing import Literal

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.geometry.frames import Matrix

_INTERPOLATORS = {"nearest": sitk.sitkNearestNeighbor, "linear": sitk.sitkLinear}


def resampled(
    values: NDArray[np.generic],
    size: tuple[int, int, int],
    input_index_from_output_index: Matrix,
    interpolation: Literal["nearest", "linear"],
    background: float,
) -> NDArray[np.generic]:
    """Values of a grid at the voxel centres of another one.

    Args:
        values: [k, j, i].
        size: voxels of the output along (i, j, k).
        input_index_from_output_index: (4, 4), between continuous indices (i, j, k).
        interpolation: nearest neighbour or trilinear.
        background: value of output voxels whose centres lie outside the input grid.

    Returns:
        Array [k, j, i] of ``size``, with the type of ``values``.
    """
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(input_index_from_output_index[:3, :3].ravel().tolist())
    transform.SetTranslation(input_index_from_output_index[:3, 3].tolist())
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize([int(n) for n in size])
    resampler.SetTransform(transform)
    resampler.SetInterpolator(_INTERPOLATORS[interpolation])
    resampler.SetDefaultPixelValue(float(background))
    return np.asarray(sitk.GetArrayFromImage(resampler.Execute(sitk.GetImageFromArray(values))))
