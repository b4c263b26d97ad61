"""Faults that keep paired landmarks from determining a pose, in words for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prostreg.errors import FaultList, InputError
from prostreg.geometry.carm import CArm

NEEDED_IN_ONE_VIEW = 4
NEEDED_IN_TWO_VIEWS = 3
SAME_PLACE_MM = 0.5
LEAST_WIDTH_MM = 2.0
LEAST_WIDTH_SHARE = 0.03
"""Landmarks must spread sideways of the line through them: by millimetres, and by a share of their length."""

Array = NDArray[np.float64]


def checked_landmarks(
    points_volume_mm: ArrayLike, views: Sequence[tuple[CArm, ArrayLike]]
) -> tuple[Array, list[Array]]:
    """Landmarks (n, 3) and for each view their marks (n, 2), as arrays that determine a pose.

    Raises:
        InputError: lists all that is wrong; landmarks are counted from 1.
    """
    points = _table(points_volume_mm, 3, "The landmarks in the CT")
    marks = [_table(pixels, 2, f"The marks of view {n}") for n, (_, pixels) in enumerate(views, start=1)]
    faults = FaultList()
    for number, pixels in enumerate(marks, start=1):
        if len(pixels) != len(points):
            faults.add(f"View {number} has {len(pixels)} marks for {len(points)} landmarks: give one for each, or NaN.")
    faults.raise_if_any()
    faults.extend(_count_faults(marks))
    faults.extend(_mark_faults(marks))
    faults.extend(_place_faults(points, marks))
    faults.raise_if_any()
    return points, marks


def _table(values: ArrayLike, columns: int, what: str) -> Array:
    try:
        table = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{what} are no table of numbers: give rows of {columns} numbers.") from None
    if table.size == 0:
        return np.zeros((0, columns))
    if table.ndim != 2 or table.shape[1] != columns:
        raise InputError(f"{what} have shape {'x'.join(map(str, table.shape))}: give rows of {columns} numbers.")
    return table


def _is_marked(pixels: Array) -> NDArray[np.bool_]:
    """The landmarks (n,) that are meant to be marked, rightly or not."""
    return np.asarray(~np.isnan(pixels).all(axis=1))


def _count_faults(marks: Sequence[Array]) -> list[str]:
    counts = sorted((int(_is_marked(pixels).sum()) for pixels in marks), reverse=True)
    if counts and counts[0] >= NEEDED_IN_ONE_VIEW:
        return []
    if len(counts) > 1 and counts[1] >= NEEDED_IN_TWO_VIEWS:
        return []
    there = " and ".join(
        f"{int(_is_marked(pixels).sum())} in view {number}" for number, pixels in enumerate(marks, start=1)
    )
    return [
        f"Too few landmarks are marked ({there or 'there is no view'}): mark {NEEDED_IN_ONE_VIEW} or more in one X-ray,"
        f" or {NEEDED_IN_TWO_VIEWS} or more in each of two."
    ]


def _mark_faults(marks: Sequence[Array]) -> list[str]:
    return [
        f"The mark of landmark {index + 1} in view {number} is no finite pixel: mark it again, or remove the mark."
        for number, pixels in enumerate(marks, start=1)
        for index in np.flatnonzero(_is_marked(pixels) & ~np.isfinite(pixels).all(axis=1))
    ]


def _place_faults(points: Array, marks: Sequence[Array]) -> list[str]:
    """Faults of the places in the CT of all landmarks that are marked somewhere."""
    used = np.flatnonzero(np.any([_is_marked(pixels) for pixels in marks], axis=0)) if marks else np.zeros(0, int)
    faults = [
        f"Landmark {index + 1} has no finite place in the CT: place it again."
        for index in used
        if not np.isfinite(points[index]).all()
    ]
    used = used[np.isfinite(points[used]).all(axis=1)]
    distances = np.linalg.norm(points[used][:, None] - points[used][None], axis=-1)
    for one, other in np.argwhere(np.triu(distances <= SAME_PLACE_MM, k=1)):
        faults.append(
            f"Landmarks {used[one] + 1} and {used[other] + 1} lie at the same place in the CT: move or remove one."
        )
    if len(used) >= NEEDED_IN_TWO_VIEWS and not faults and _is_line(points[used]):
        faults.append(
            f"Landmarks {_listed(used + 1)} lie nearly on one line in the CT, about which any turn fits: add one beside"
            " it."
        )
    return faults


def _is_line(points: Array) -> bool:
    centred = points - points.mean(axis=0)
    along, across = np.linalg.svd(centred, compute_uv=False)[:2] / np.sqrt(len(points))
    return bool(across < max(LEAST_WIDTH_MM, LEAST_WIDTH_SHARE * along))


def _listed(numbers: NDArray[np.intp]) -> str:
    texts = [str(number) for number in numbers]
    return f"{', '.join(texts[:-1])} and {texts[-1]}"
