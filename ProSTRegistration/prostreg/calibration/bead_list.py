"""The list of a phantom's beads, and where they were marked in the image."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError, first_named
from prostreg.files import text_of
from prostreg.geometry.carm import places_inside
from prostreg.geometry.landmark_faults import SAME_PLACE_MM

COLUMNS = ("name", "x", "y", "z", "u", "v")
DELIMITERS = ";\t,"
LARGEST_NUMBER = 1e6
MOST_BEADS = 1000
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


def mark_faults(beads: BeadList, size: tuple[int, int]) -> list[str]:
    """Sentences on marks beside an image (width, height), which belong to another one."""
    beside = np.isfinite(beads.marks_px).all(axis=1) & ~places_inside(beads.marks_px, size)
    names = [name for name, is_beside in zip(beads.names, beside, strict=True) if is_beside]
    if not names:
        return []
    return [
        f"The image has {size[0]} x {size[1]} pixels, and the marks of {first_named(names)} lie beside it: leave u and"
        " v empty for beads that it does not show, and count pixels from the first one's centre."
    ]


def _read(path: Path, has_image: bool) -> BeadList:
    try:
        lines = _lines(text_of(path))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            f"The beads {path} cannot be read as CSV ({error}): check the path, save it as UTF-8."
        ) from None
    columns, lines = _columns(lines, path)
    names, rows, bad, unmarked = [], [], [], []
    for number, words in lines:
        values = _values(words, columns)
        if values is None:
            bad.append(str(number))
        elif not has_image and np.isnan(values[3:]).any():
            unmarked.append(str(number))
        else:
            names.append(words[columns[0]])
            rows.append(values)
    faults = FaultList()
    if unmarked:
        faults.add(f"Line {first_named(unmarked)} of {path} has no mark: give u and v, or the image with --image.")
    if bad:
        shown = dict(lines)[int(bad[0])]
        faults.add(
            f"Line {first_named(bad)} of {path} is no bead (it begins {' | '.join(shown)[:60]}): give"
            f" {', '.join(COLUMNS)}, a name and five finite numbers, with commas, semicolons or tabs between them."
        )
    table = np.array(rows).reshape(-1, 5)
    beads = BeadList(names, table[:, :3], table[:, 3:])
    faults.extend(_list_faults(beads, path))
    faults.raise_if_any()
    return beads


def _lines(text: str) -> list[tuple[int, list[str]]]:
    """The words of each line that has any, with its number from 1; between semicolons or tabs, 1,5 is a number."""
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    if delimiter != ",":
        lines = [line.replace(",", ".") for line in lines]
    rows = csv.reader(lines, delimiter=delimiter)
    numbered = ((number, [word.strip() for word in row]) for number, row in enumerate(rows, start=1))
    return [(number, words) for number, words in numbered if any(words)]


def _columns(lines: list[tuple[int, list[str]]], path: Path) -> tuple[list[int], list[tuple[int, list[str]]]]:
    """The place of each of COLUMNS in a line, as the first line may tell, and the lines that are beads."""
    if not lines or any(_number(word) is not None for word in lines[0][1][1:]):
        return list(range(len(COLUMNS))), lines
    titles = [word.lower() for word in lines[0][1]]
    if sorted(titles) != sorted(COLUMNS):
        raise InputError(
            f"The first line of {path} names the columns {', '.join(titles)}: name them {', '.join(COLUMNS)}, in any"
            " order, or leave that line out."
        )
    return [titles.index(column) for column in COLUMNS], lines[1:]


def _values(words: list[str], columns: list[int]) -> list[float] | None:
    """x, y, z, u, v; NaN for a mark whose fields are empty, None for what is no bead."""
    if len(words) == len(COLUMNS) - 2 and columns == list(range(len(COLUMNS))):
        words = [*words, "", ""]
    if len(words) != len(COLUMNS):
        return None
    told = [words[column] for column in columns[1:]]
    numbers = [_number(word) for word in told]
    if told[3:] == ["", ""]:
        numbers[3:] = [np.nan, np.nan]
    return None if None in numbers else [number for number in numbers if number is not None]


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if abs(value) < LARGEST_NUMBER else None


def _list_faults(beads: BeadList, path: Path) -> list[str]:
    """Sentences on the beads as a list: too many, names, places."""
    if len(beads.names) > MOST_BEADS:
        return [f"The beads {path} are {len(beads.names)}: give {MOST_BEADS} at most."]
    faults = []
    twice = sorted({name for name in beads.names if beads.names.count(name) > 1 and name})
    if twice:
        faults.append(f"The beads {path} have {first_named(twice)} twice: give each bead a name of its own.")
    if "" in beads.names:
        faults.append(f"The beads {path} have {beads.names.count('')} without a name: give each bead one.")
    apart_mm = np.linalg.norm(beads.points_mm[:, None] - beads.points_mm[None], axis=-1)
    pairs = np.argwhere(np.triu(apart_mm <= SAME_PLACE_MM, k=1))
    if len(pairs):
        named = [f"{beads.names[one]} and {beads.names[other]}" for one, other in pairs]
        faults.append(
            f"The beads {path} have two within {SAME_PLACE_MM} mm ({first_named(named, '; ')}): list each bead once,"
            " with its place in mm."
        )
    return faults
