"""The bones around an anatomy: all bone of the CT within reach, which moves little against it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from prostreg.images.anatomy import BONE_THRESHOLD_HU, anatomy_bounds, anatomy_by_threshold
from prostreg.registration.case import Case

NEIGHBOURHOOD_MM = 60.0
"""How far beyond the anatomy bones are compared: a vertebra and a half to each side."""


def with_bones_around(case: Case) -> Case:
    """The case with all bone near its anatomy in the anatomy's place, its CT cut to that; others move with it then."""
    ct = case.ct
    first, size = anatomy_bounds(case.anatomy)
    reach = np.ceil(NEIGHBOURHOOD_MM / ct.spacing_mm).astype(int)
    low = np.maximum(np.array(first) - reach, 0)
    high = np.minimum(np.array(first) + size + reach, ct.size)
    cut = ct.cropped(low, high - low)
    (i, j, k), (columns, rows, slices) = low, high
    anatomy = case.anatomy[k:slices, j:rows, i:columns]
    if (cut.values >= BONE_THRESHOLD_HU).any():
        anatomy = anatomy | anatomy_by_threshold(cut)
    return replace(case, ct=cut, anatomy=anatomy, others=())


def times_as_much_bone(around: Case, case: Case) -> float:
    """The bone of `with_bones_around` over that of the case's own anatomy, in voxels: 1 where there is no other."""
    return float(np.count_nonzero(around.anatomy) / np.count_nonzero(case.anatomy))
