"""The attempts on a CT as a CSV file, for spreadsheets and scripts: a number a cell, with its unit in the heading."""

from __future__ import annotations

import csv
from pathlib import Path

from prostreg.errors import InputError, system_refusal
from prostreg.files import complete_file
from ProSTRegistrationLib.Nodes.Attempts import NOT_KNOWN, Rows
from ProSTRegistrationLib.Nodes.KeptTexts import keptNumbers, keptPose

HEADINGS = {
    "Attempt": "Attempt",
    "Time": "Time",
    "Start": "Start",
    "Method": "Method",
    "Quality": "Quality",
    "C-arm": "C-arm",
    "Status": "Status",
    "Confidence %": "Confidence (%)",
    "Similarity": "Similarity",
    "Error across mm": "Expected error across the beam (mm)",
    "Error along mm": "Expected error along the beam (mm)",
    "Landmark error mm": "Landmark error (mm)",
    "mTRE mm": "mTRE (mm)",
    "Seconds": "Duration (s)",
    "Decision": "Decision",
    "Bone": "Bone",
    "Run": "Run of bones",
    "Against": "Motion against",
    "Reasons": "Reasons",
}
"""Of the columns that are a cell each, by their names in the table node."""

TURNS = tuple(f"Expected error of turn about {axis} (deg)" for axis in ("u", "v", "the beam"))
MOTION = (
    *(f"Turn about {axis} (deg)" for axis in "RAS"),
    *(f"Shift along {axis} (mm)" for axis in "RAS"),
)
"""Of a bone against another, between CT and X-ray."""
POSES = {"Pose": "world_from_volume", "Start pose": "start world_from_volume"}
"""Names of the poses: from the CT's RAS into the scene's, mm."""


def headings() -> list[str]:
    """The first line."""
    return [*HEADINGS.values(), *TURNS, *MOTION, *(each for name in POSES.values() for each in _places(name))]


def writeAttempts(path: Path, rows: Rows) -> None:
    """Writes all attempts; what is not known is an empty cell.

    Args:
        rows: texts by COLUMNS, as `attempts` gives them.

    Raises:
        InputError: the file cannot be written; an older one is then left as it was.
    """
    try:
        # The mark at the beginning has spreadsheets read it as what it is, UTF-8.
        with complete_file(path) as unfinished, unfinished.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(headings())
            writer.writerows(_cells(row) for row in rows)
    except OSError as error:
        raise InputError(f"The attempts could not be saved. {system_refusal(error)}") from error


def _places(name: str) -> list[str]:
    return [f"{name} {row},{column}{' (mm)' if column == 4 else ''}" for row in (1, 2, 3) for column in (1, 2, 3, 4)]


def _cells(row: dict[str, str]) -> list[str]:
    cells = ["" if row[column] == NOT_KNOWN else row[column] for column in HEADINGS]
    turns = row["Turn error deg"].split()
    cells += turns if len(turns) == len(TURNS) else [""] * len(TURNS)
    motion = keptNumbers(row["Motion deg mm"], len(MOTION))
    cells += [""] * len(MOTION) if motion is None else map(repr, motion)
    for column in POSES:
        cells += _numbers(row[column])
    return cells


def _numbers(text: str) -> list[str]:
    """The first three rows of a pose with all of their digits; empty cells where a person made it something else."""
    pose = keptPose(text)
    return [""] * 12 if pose is None else [repr(float(number)) for number in pose[:3].ravel()]
