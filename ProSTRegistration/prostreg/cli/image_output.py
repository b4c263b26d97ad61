"""The file of one image that the user asked for, checked before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prostreg.cli.outcome import ANOTHER_OUT
from prostreg.files import output_folder_faults


def image_faults(path: Path, endings: Sequence[str]) -> list[str]:
    """Says in words why an image could not be written there."""
    faults = output_folder_faults(path.parent, ANOTHER_OUT)
    if not path.name.lower().endswith(tuple(endings)) or path.name.lower() in endings:
        faults.append(f"The image {path} has no known ending. Choose one of {', '.join(endings)}.")
    if path.is_dir():
        faults.append(f"The image {path} is a folder. Give the name of a file.")
    return faults
