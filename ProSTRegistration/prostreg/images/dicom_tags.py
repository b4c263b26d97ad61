"""DICOM tags of files that may be damaged: what cannot be read counts as absent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pydicom

from prostreg.errors import InputError
from prostreg.images.dicom.opening import opened
from prostreg.machine import refuse_too_large


class Tags(Protocol):
    """Values by keyword: a pydicom.Dataset, or a database that knows the file's tags as text."""

    def get(self, key: str, /) -> Any:
        """A value, a list of several, or None."""


def read_header(path: Path, keywords: Sequence[str] | None = None) -> pydicom.Dataset | None:
    """The named tags of a file, or all of them, without its pixels; None for what is no readable DICOM file."""
    try:
        return _read(path, stop_before_pixels=True, specific_tags=None if keywords is None else list(keywords))
    except InputError:
        return None


def read_dataset(path: Path) -> pydicom.Dataset | None:
    """A whole file; None for what is no readable DICOM file.

    Raises:
        InputError: too large for the memory, or deflated and damaged.
    """
    return _read(path)


def _read(path: Path, **options: Any) -> pydicom.Dataset | None:
    try:
        refuse_too_large(path.stat().st_size, f"Reading {path.name}")
        file, is_bare = opened(path)
        with file:
            return pydicom.dcmread(file, force=is_bare, **options)
    except InputError:
        raise
    except Exception:  # pydicom's parser raises many kinds on damaged files
        return None


def value_of(tags: Tags, keyword: str) -> Any:
    """A tag's value; None where it is absent, empty or damaged."""
    try:
        value = tags.get(keyword)
    except Exception:  # values are parsed when they are asked for
        return None
    return None if value is None or (isinstance(value, str) and not value) else value


_BEYOND_ALL = 1e60
"""No tag means so much; products of four numbers below it are finite."""


def numbers_of(tags: Tags, keyword: str, count: int) -> list[float]:
    """A tag's numbers that mean something, exactly ``count`` of them; empty where it does not have these."""
    value = value_of(tags, keyword)
    items = value if isinstance(value, (list, pydicom.multival.MultiValue)) else [value]
    try:
        numbers = [float(item) for item in items]
    except (TypeError, ValueError, OverflowError):
        return []
    return numbers if len(numbers) == count and all(abs(number) < _BEYOND_ALL for number in numbers) else []


def number_within(tags: Tags, keyword: str, low: float, high: float) -> float | None:
    """A tag's one number; None where it has none, or one beyond what makes sense."""
    numbers = numbers_of(tags, keyword, 1)
    return numbers[0] if numbers and low <= numbers[0] <= high else None


def whole_number_of(tags: Tags, keyword: str, otherwise: int) -> int:
    """A tag's one whole number, or ``otherwise`` where it has none."""
    numbers = numbers_of(tags, keyword, 1)
    return int(numbers[0]) if numbers else otherwise


def words_of(tags: Tags, keyword: str) -> list[str]:
    """A tag's words in capitals."""
    value = value_of(tags, keyword)
    if value is None:
        return []
    items = value if isinstance(value, (list, pydicom.multival.MultiValue)) else [value]
    return [str(item).upper() for item in items]


def items_of(tags: Tags, keyword: str) -> list[pydicom.Dataset]:
    """The items of a sequence; empty where it is none."""
    value = value_of(tags, keyword)
    return list(value) if isinstance(value, pydicom.sequence.Sequence) else []
