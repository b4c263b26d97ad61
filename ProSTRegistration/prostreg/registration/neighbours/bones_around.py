"""The bones around an anatomy: all bone of the CT within reach, which moves little against it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from prostreg.geometry.frames import Matrix
from prostreg.images.anatomy import BONE_THRESHOLD_HU, anatomy_bounds, anatomy_by_threshold
from prostreg.images.volume import Volume
from prostreg.registration.case import Case
from prostreg.registration.levels import Levels, bone_volume
from prostreg.search.objective import FootprintScore, Objective

NEIGHBOURHOOD_MM = 60.0
"""How far beyond the anatomy bones are compared: a vertebra and a half to each side."""

BONE_THAT_TELLS = 1.5
"""How many times more bone there must be within reach than the anatomy has, for it to tell of the anatomy: less is
mostly the anatomy itself, asked twice. Another patient's hip, all the bone in its CT, was accepted that way."""

CLEARLY_BETTER = 1.5
"""The bones around confirm a place where an image with them has so many times the score of one without.

Of 43 vertebrae in their right place the least had 1.6, of 23 femora and hips of another patient the most had 1.24 (see
docs/evaluation.md).
"""


def with_bones_around(case: Case) -> Case:
    """The case with all bone near its anatomy in the anatomy's place, its CT cut to that; others move with it then."""
    cut = _neighbourhood(case)
    if (cut.ct.values >= BONE_THRESHOLD_HU).any():
        cut = replace(cut, anatomy=cut.anatomy | anatomy_by_threshold(cut.ct))
    return replace(cut, others=())


def _neighbourhood(case: Case) -> Case:
    """The case with its CT cut to what is within reach of its anatomy."""
    ct = case.ct
    first, size = anatomy_bounds(case.anatomy)
    reach = np.ceil(NEIGHBOURHOOD_MM / ct.spacing_mm).astype(int)
    low = np.maximum(np.array(first) - reach, 0)
    high = np.minimum(np.array(first) + size + reach, ct.size)
    (i, j, k), (columns, rows, slices) = low, high
    return replace(case, ct=ct.cropped(low, high - low), anatomy=case.anatomy[k:slices, j:rows, i:columns])


def times_as_much_bone(around: Case, case: Case) -> float:
    """The bone of `with_bones_around` over that of the case's own anatomy, in voxels: 1 where there is no other."""
    return float(np.count_nonzero(around.anatomy) / np.count_nonzero(case.anatomy))


def tell_of_anatomy(around: Case, case: Case) -> bool:
    """True if the bones of `with_bones_around` are enough, and not known to have moved: with poses of their own."""
    return not case.others and times_as_much_bone(around, case) >= BONE_THAT_TELLS


def other_bone(around: Case, case: Case) -> Volume:
    """The attenuation of the bones of `with_bones_around` without the case's own anatomy."""
    return bone_volume(around.ct, around.anatomy & ~_neighbourhood(case).anatomy)


def confirmed_by_bones_around(levels: Levels, bone: Volume, world_from_volume: Matrix) -> FootprintScore | None:
    """The score of a pose (4, 4) with the bones around in its DRR; None where the image does not clearly want them.

    A vertebra's own edges are a small part of what is seen where it lies: ribs and its neighbours cross them. Those of
    another patient, and those of a wrong place, do not fit.

    Args:
        levels: of the anatomy alone.
        bone: of `other_bone`.
    """
    together = levels.with_other(bone, world_from_volume)
    alone, all_bone = (each.middle.scores(world_from_volume[None])[0] for each in (levels, together))
    if all_bone < CLEARLY_BETTER * alone:
        return None
    return together.middle.footprint_score_with_others(world_from_volume)


def fine_with_bones_around(levels: Levels, bone: Volume, world_from_volume: Matrix) -> Objective | None:
    """The finest objective with the bones around where a pose puts them; None where an image is better without them.

    Args:
        levels: of the anatomy alone.
        bone: of `other_bone`.
    """
    together = levels.with_other(bone, world_from_volume).fine
    alone, all_bone = (each.scores(world_from_volume[None])[0] for each in (levels.fine, together))
    return together if all_bone > alone else None
