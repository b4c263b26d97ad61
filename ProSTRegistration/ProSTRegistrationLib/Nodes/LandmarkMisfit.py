"""Explains landmarks that do not fit: by two that are swapped, or by one that lies elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.geometry.pnp import pose_from_landmarks
from prostreg.spoken_numbers import tenths

if TYPE_CHECKING:
    from ProSTRegistrationLib.Nodes.Landmarks import LandmarkPairs

BAD_RMS_MM = 5.0
"""Marks by hand agree to a few millimetres."""
EXPLAINED_SHARE = 1 / 3
"""A change explains a misfit that leaves at most this share of it."""
MOST_SWAPPED = 8
"""Of more landmarks in a view, only the first are tried with each other: a fit takes some hundredths of a second."""

Marks = tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class _Change:
    """A change of the marks, in words with a place for the error that it leaves, and the marks after it."""

    words: str
    marks: Marks


def misfitWords(pairs: LandmarkPairs, rmsMm: float) -> str:
    """A sentence on landmarks that do not fit, with the swap or the landmark that explains it, where one does."""
    said = f"The landmarks do NOT fit: they are {rmsMm:.0f} mm off on average, and the CT stays where it is."
    found = [(left, change.words) for change in _changes(pairs) if (left := _rmsMm(pairs, change.marks)) is not None]
    best = min(found, default=(np.inf, ""))
    if best[0] > EXPLAINED_SHARE * rmsMm:
        return f"{said} No single pair explains it: compare them all, and the C-arm's distances."
    return f"{said} {best[1].format(left=tenths(best[0]))}"


def _changes(pairs: LandmarkPairs) -> Iterator[_Change]:
    for view, name in enumerate(pairs.viewNames):
        marked = np.flatnonzero(np.isfinite(pairs.marksPx[view]).all(axis=1))
        for one, other in combinations(marked[:MOST_SWAPPED], 2):
            swapped = pairs.marksPx[view].copy()
            swapped[[one, other]] = swapped[[other, one]]
            which = f"'{pairs.labels[one]}' and '{pairs.labels[other]}' on '{name}'"
            yield _Change(f"Exchanging {which} would leave {{left}} mm.", _with(pairs, view, swapped))
        for one in marked:
            without = pairs.marksPx[view].copy()
            without[one] = np.nan
            words = f"Without '{pairs.labels[one]}' on '{name}' the others fit to {{left}} mm: mark it again."
            yield _Change(words, _with(pairs, view, without))


def _with(pairs: LandmarkPairs, view: int, marks: NDArray[np.float64]) -> Marks:
    return (*pairs.marksPx[:view], marks, *pairs.marksPx[view + 1 :])


def _rmsMm(pairs: LandmarkPairs, marks: Marks) -> float | None:
    """Root mean square distance from the rays after a change; None where too few marks are left."""
    try:
        return pose_from_landmarks(pairs.pointsVolumeMm, list(zip(pairs.carms, marks, strict=True))).rms_mm
    except InputError:
        return None
