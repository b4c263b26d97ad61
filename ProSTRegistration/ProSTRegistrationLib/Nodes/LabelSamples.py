"""Places of labels, from a sample of their voxels: quick enough for the application's own thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.frames import transform_points

if TYPE_CHECKING:
    from ProSTRegistrationLib.Nodes.Anatomy import LabelPart

FEW_SAMPLES, MANY_SAMPLES = 96, 256
"""Along each axis of a grid; many where few find nothing."""


def sampled(values: NDArray[Any], mostSamples: int = FEW_SAMPLES) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Every n-th voxel of an array [k, j, i], and the steps (k, j, i) from one to the next."""
    steps = tuple(-(-length // mostSamples) for length in values.shape)
    return values[tuple(slice(None, None, step) for step in steps)], steps


def chosenIndices(part: LabelPart) -> NDArray[np.intp]:
    """Indices (n, 3), as k, j, i, of a sample of a LabelPart's chosen voxels."""
    for mostSamples in (FEW_SAMPLES, MANY_SAMPLES):
        values, steps = sampled(part.labels.values, mostSamples)
        indices = np.argwhere(values != 0 if part.chosen is None else np.isin(values, part.chosen))
        if len(indices):
            break
    return indices * steps


def chosenPointsMm(part: LabelPart) -> NDArray[np.float64]:
    """Places (n, 3) of chosenIndices in the CT's own frame."""
    return transform_points(part.labels.volume_from_index, chosenIndices(part)[:, ::-1])
