"""The list of a phantom's beads, and where they were marked in the image."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from prostreg.files import text_of

COLUMNS = ("name", "x", "y", "z", "u", "v")
FEWEST_BEADS = 8
FEWEST_MARKS = 6
"""Beads to fit a camera to, and marks to begin with where the image shows the rest."""

LEAST_DEPTH_SHARE = 0.05
"""Thickness of the phantom over its width: a flat one tells distance and focal length only together."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BeadList:
    """Beads of a phantom.

    Attributes:
        names: one for each.
        points_mm: (n, 3) in the phantom.
        marks_px: (n, 2) in pixels (u, v), NaN where not marked.
    """

    names: list[str]
    points_mm: Array
    marks_px: Array


def read_beads(path: Path, has_image: bool) -> BeadList:
    """The beads of a CSV file.

    Args:
        has_image: whether marks may be missing, since the beads are looked for in the image.

    Raises:
        InputError: lists all lines that are no bead; too few beads or marks; beads or marks in one plane.
    """
    beads = _read(path, has_image)
    if len(beads.names) < FEWEST_BEADS:
        raise InputError(f"The beads {path} are {len(beads.names)}: give {FEWEST_BEADS} or more.")
    if lies_in_plane(beads.points_mm):
        raise InputError(
            f"The beads {path} lie in a plane, which tells distance and focal length only together: use a phantom with"
            " beads in two layers or more."
        )
    marked = np.isfinite(beads.marks_px).all(axis=1)
    if marked.sum() < FEWEST_MARKS or lies_in_plane(beads.points_mm[marked]):
        raise InputError(
            f"The beads {path} have {marked.sum()} marks to begin with: give u and v, to a few pixels, of"
            f" {FEWEST_MARKS} or more that lie not in one plane."
        )
    return beads


def lies_in_plane(points_mm: Array) -> bool:
    """True where points (n, 3) are too flat to tell a distance."""
    spread = np.linalg.svd(points_mm - points_mm.mean(axis=0), compute_uv=False)
    return len(spread) < 3 or bool(spread[2] < LEAST_DEPTH_SHARE * spread[0])


def _read(path: Path, has_image: bool) -> BeadList:
    try:
        lines = list(csv.reader(text_of(path).splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            f"The beads {path} cannot be read as CSV ({error}): check the path, save it as UTF-8."
        ) from None
    faults = FaultList()
    names, rows = [], []
    for number, line in enumerate(lines, start=1):
        words = [word.strip() for word in line]
        if not any(words) or tuple(map(str.lower, words)) == COLUMNS:
            continue
        if len(words) in (4, 6) and not any(words[4:]):
            if not has_image:
                faults.add(f"Line {number} of {path} has no mark: give u and v, or the image with --image.")
                continue
            words = [*words[:4], "", ""]
        values = _values(words)
        if values is None:
            faults.add(f"Line {number} of {path} is no bead: give {', '.join(COLUMNS)}, five finite numbers.")
            continue
        names.append(words[0])
        rows.append(values)
    faults.raise_if_any()
    table = np.array(rows).reshape(-1, 5)
    return BeadList(names, table[:, :3], table[:, 3:])


def _values(words: list[str]) -> list[float] | None:
    """x, y, z, u, v; NaN for a mark whose fields are empty, None for what is no bead."""
    told = words[1:4] if words[4:] == ["", ""] else words[1:]
    try:
        values = [float(word) for word in told]
    except ValueError:
        return None
    if len(words) != len(COLUMNS) or not all(abs(value) < 1e6 for value in values):
        return None
    return values + [np.nan] * (5 - len(values))
