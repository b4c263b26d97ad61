"""Headers as every format's own reader understands them, before a voxel is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from prostreg.errors import InputError
from prostreg.geometry.frames import Matrix

Encoding = Literal["raw", "deflate", "bzip2", "text", "hex"]

_LONGEST_QUOTE = 60


@dataclass(frozen=True, eq=False)
class ValueLayout:
    """The place of an image's values, and how they are stored.

    Attributes:
        files: in the order of the slowest axis, with equally many values each.
        offset: bytes of each file before its values, before unpacking; -1: the values are the file's end.
        skip: bytes to pass over after unpacking.
        encoding: of the values; zlib and gzip are both "deflate".
        kind: with its byte order.
        count: values in all files together.
        slope, intercept: stored values times slope plus intercept are meant.
    """

    files: Sequence[Path]
    offset: int
    skip: int
    encoding: Encoding
    kind: np.dtype[Any]
    count: int
    slope: float = 1.0
    intercept: float = 0.0


@dataclass(frozen=True, eq=False)
class StoredImage:
    """A header that was understood.

    Attributes:
        sizes: along all stored axes, fastest first.
        channel_axis: the axis of ``sizes`` that is not one of space or time, None where there is none.
        lps_from_index: (4, 4), None where the header does not give a usable one.
        geometry_faults: what is wrong with its geometry, a sentence each.
        layout: of the values.
        note: a sentence on a header that can be read in two ways.
    """

    sizes: tuple[int, ...]
    channel_axis: int | None
    lps_from_index: Matrix | None
    geometry_faults: tuple[str, ...]
    layout: ValueLayout
    note: str | None = None

    @property
    def grid(self) -> tuple[int, ...]:
        """Sizes along the axes of space and time, fastest first, without axes of one behind the third."""
        grid = [size for axis, size in enumerate(self.sizes) if axis != self.channel_axis]
        while len(grid) > 3 and grid[-1] == 1:
            grid.pop()
        return tuple(grid)

    @property
    def channels(self) -> int:
        """Values per voxel."""
        return 1 if self.channel_axis is None else self.sizes[self.channel_axis]


def quoted(text: str) -> str:
    """A piece of a header as messages show it: printable and short."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST_QUOTE])
    return f'"{shown}…"' if len(text) > _LONGEST_QUOTE else f'"{shown}"'


def header_error(name: str, what: str) -> InputError:
    """The refusal of a header that says ``what``; a relative clause of the header."""
    return InputError(f"{name} cannot be read, its header {what}: the file is damaged, write it anew.")


def numbers_in(text: str) -> list[float] | None:
    """Numbers parted by blanks; None where something is no number."""
    try:
        return [float(word) for word in text.split()]
    except ValueError:
        return None


def whole_numbers_in(text: str) -> list[int] | None:
    """Whole numbers of up to 18 digits, parted by blanks; None where something is none."""
    words = text.split()
    if not all(word.lstrip("+-").isascii() and word.lstrip("+-").isdigit() and len(word) <= 18 for word in words):
        return None
    try:
        return [int(word) for word in words]
    except ValueError:
        return None


def checked_sizes(sizes: Sequence[int] | None, axes: int, field: str, name: str) -> tuple[int, ...]:
    """Sizes as a header gives them.

    Raises:
        InputError: not one positive number for every axis.
    """
    if sizes is None or len(sizes) != axes or any(size < 1 for size in sizes):
        given = "no numbers" if sizes is None else " ".join(str(size) for size in sizes[:8])
        raise header_error(name, f"gives the sizes {given} ({field}) where {axes} positive numbers are needed")
    return tuple(sizes)


def count_of(sizes: Sequence[int]) -> int:
    """Values of an image, exact for any sizes."""
    count = 1
    for size in sizes:
        count *= size
    return count


def unreadable(name: str, error: OSError) -> str:
    """The sentence for a file that the system does not let us read."""
    return f"{name} cannot be read ({error.strerror or 'input failed'}): check its rights and the disk."
