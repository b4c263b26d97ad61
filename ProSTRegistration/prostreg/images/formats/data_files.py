"""The files that a header names for its voxels: one, a list, or a numbered row of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from prostreg.errors import InputError
from prostreg.images.formats.stored_image import header_error, quoted, whole_numbers_in

_MOST_FILES = 1 << 16
_NUMBERED = re.compile(r"(\S*%0?\d?\dd\S*|\S*%d\S*)\s+(\S+)\s+(\S+)\s+(\S+)(?:\s+\d+)?")


def files_of_pattern(header: Path, given: str, listed: Sequence[str], name: str) -> list[Path]:
    """Files in the order of the slowest axis; relative to the header's folder.

    Args:
        header: the file with the header.
        given: a name; ``LIST`` for the names in ``listed``; or ``slice%03d.raw 1 40 1``.
        listed: lines behind the header.
        name: of the header's file with its role, as messages begin.

    Raises:
        InputError: nothing that names files, or a file that is not there.
    """
    names = [given]
    if given.split(maxsplit=1)[:1] == ["LIST"]:
        names = [line.strip() for line in listed if line.strip()]
    elif found := _NUMBERED.fullmatch(given):
        names = _numbered(found, name)
    if not names or len(names) > _MOST_FILES or any(not each or "\0" in each for each in names):
        raise header_error(name, f"names no files of voxels ({quoted(given)})")
    files = [header.parent / each for each in names]
    missing = next((file for file in files if not _is_there(file)), None)
    if missing is not None:
        shown = quoted(missing.name)
        raise InputError(f"{name} names the data file {shown}, which does not lie where it says: copy both.")
    return files


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _numbered(found: re.Match[str], name: str) -> list[str]:
    pattern = found.group(1)
    limits = whole_numbers_in(" ".join(found.groups()[1:]))
    if limits is None or limits[2] == 0 or pattern.count("%") != 1:
        raise header_error(name, f"numbers its files of voxels in no usable way ({quoted(found.group(0))})")
    first, last, step = limits
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if not 1 <= len(numbers) <= _MOST_FILES:
        raise header_error(name, f"numbers its files of voxels from {first} to {last} by {step}")
    return [pattern % number for number in numbers]
