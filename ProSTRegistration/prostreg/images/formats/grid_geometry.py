"""The place of a grid as a header states it: taken as it stands, or named as what cannot be used.

Libraries put 1 for a spacing, identity for directions and 0 for an origin that they cannot use. Spacing decides the
magnification, so a repaired one is a wrong pose that looks right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from prostreg.geometry.frames import Matrix

SPACING_RANGE_MM = (0.001, 100.0)
"""From micro CT to more than any slice is apart; metres in place of millimetres lie below it."""

MOST_UNEQUAL = 500.0
"""Largest spacing over the smallest; beyond it one of them is in another unit."""

FARTHEST_MM = 1e6

_UNIT_WITHIN = 0.01
"""How far the length of a direction may be off 1: headers round."""

LARGEST_DIRECTION = 1e3


class Stated(NamedTuple):
    """Numbers with the name of the field that gives them; None where they are missing or no numbers."""

    field: str
    numbers: Sequence[float] | None


def grid_geometry(
    name: str, spacing: Stated, directions: Stated | None, origin: Stated | None
) -> tuple[Matrix | None, tuple[str, ...]]:
    """Index (i, j, k) to LPS mm, and what is wrong with it.

    Args:
        name: of the file with its role, as messages begin.
        spacing: three, mm.
        directions: nine, columns of the direction matrix one after the other; None for identity.
        origin: three, mm; None for zero.
    """
    faults = spacing_faults(name, spacing)
    if directions is not None:
        faults += _directions_faults(name, directions)
    if origin is not None:
        faults += _origin_faults(name, origin)
    if faults:
        return None, tuple(faults)
    lps_from_index = np.eye(4)
    columns = np.eye(3) if directions is None else np.reshape(directions.numbers or (), (3, 3)).T
    lps_from_index[:3, :3] = columns * np.asarray(spacing.numbers)
    if origin is not None:
        lps_from_index[:3, 3] = origin.numbers
    return lps_from_index, ()


def from_vectors(
    name: str, vectors: Stated, origin: Stated | None, to_lps: Sequence[float]
) -> tuple[Matrix | None, tuple[str, ...]]:
    """The same from three steps between voxels (i, then j, then k) in mm.

    Args:
        name: of the file with its role, as messages begin.
        vectors: nine numbers.
        origin: three, mm; None for zero.
        to_lps: sign of each axis of the header's space in LPS.
    """
    signs = np.asarray(to_lps)
    place = None if origin is None else Stated(origin.field, _turned(origin.numbers, signs))
    if not vectors.numbers:
        return grid_geometry(name, vectors, None, place)
    if not _usable(vectors.numbers, 9, FARTHEST_MM):
        return None, (*_directions_faults(name, vectors), *([] if place is None else _origin_faults(name, place)))
    steps = np.reshape(vectors.numbers or (), (3, 3)) * signs
    spacing = np.linalg.norm(steps, axis=1)
    directions = steps / np.where(spacing > 0, spacing, 1.0)[:, None]
    return grid_geometry(
        name, Stated(vectors.field, spacing.tolist()), Stated(vectors.field, directions.ravel().tolist()), place
    )


def _turned(numbers: Sequence[float] | None, signs: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float] | None:
    return None if numbers is None or len(numbers) != 3 else [n * float(s) for n, s in zip(numbers, signs, strict=True)]


def spacing_faults(name: str, spacing: Stated) -> list[str]:
    """Says that there are not three spacings in mm that a CT can have."""
    low, high = SPACING_RANGE_MM
    if spacing.numbers is None or len(spacing.numbers) == 0:
        return [
            f"{name} gives no spacing ({spacing.field}): distances in the patient are unknown without it. "
            "Export it anew with its spacing, or put the right one into its header."
        ]
    if len(spacing.numbers) == 3 and all(low <= number <= high for number in spacing.numbers):
        return unequal_spacing_faults(name, spacing.numbers)
    shown = " x ".join(f"{number:g}" for number in spacing.numbers)
    return [
        f"{name} has the spacing {shown} mm: every spacing must be positive, three from {low:g} to {high:g} mm are "
        f"needed. Correct {spacing.field} in its header."
    ]


def unequal_spacing_faults(name: str, spacing_mm: Sequence[float]) -> list[str]:
    """Says that one of the spacings must be in another unit than the others."""
    if max(spacing_mm) <= MOST_UNEQUAL * min(spacing_mm):
        return []
    shown = " x ".join(f"{number:g}" for number in spacing_mm)
    return [f"{name} has the spacing {shown} mm: one of them must be in another unit. Correct it in its header."]


def _directions_faults(name: str, directions: Stated) -> list[str]:
    if _usable(directions.numbers, 9, LARGEST_DIRECTION):
        return _length_faults(name, directions)
    return [
        f"{name} has the directions {_shown(directions.numbers)}: three finite vectors are needed. "
        f"Correct {directions.field} in its header."
    ]


def _length_faults(name: str, directions: Stated) -> list[str]:
    """Says that directions at right angles are not 1 long; skew ones, or none, are the reader's concern."""
    vectors = np.reshape(directions.numbers or (), (3, 3))
    lengths = np.linalg.norm(vectors, axis=1)
    if (lengths <= 0).any() or np.abs(lengths - 1.0).max() <= _UNIT_WITHIN:
        return []
    along = vectors / lengths[:, None]
    if not np.allclose(along @ along.T, np.eye(3), atol=_UNIT_WITHIN):
        return []
    shown = " x ".join(f"{length:g}" for length in lengths)
    return [
        f"{name} has directions of the lengths {shown} ({directions.field}) beside its spacing: which of both tells the"
        " distances is not known. Make each direction 1 long."
    ]


def _origin_faults(name: str, origin: Stated) -> list[str]:
    if _usable(origin.numbers, 3, FARTHEST_MM):
        return []
    return [
        f"{name} has the origin {_shown(origin.numbers)}: three numbers within {FARTHEST_MM:g} mm are needed. "
        f"Correct {origin.field} in its header."
    ]


def _usable(numbers: Sequence[float] | None, count: int, largest: float) -> bool:
    return numbers is not None and len(numbers) == count and all(abs(number) <= largest for number in numbers)


def _shown(numbers: Sequence[float] | None) -> str:
    return "of no numbers" if numbers is None else " ".join(f"{number:g}" for number in numbers[:9])
