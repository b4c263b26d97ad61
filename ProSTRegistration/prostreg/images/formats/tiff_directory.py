"""Directories of TIFF files: tags by number, with every offset and count held against the file."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from prostreg.errors import InputError

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, PLANAR = 273, 274, 277, 278, 279, 284
PREDICTOR, COLOR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, SAMPLE_FORMAT = (
    317,
    320,
    322,
    323,
    324,
    325,
    339,
)

_USED = frozenset((
    SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS, ORIENTATION, SAMPLES,
    ROWS_PER_STRIP, STRIP_BYTES, PLANAR, PREDICTOR, COLOR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES,
    SAMPLE_FORMAT,
))  # fmt: skip
_WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MOST_DIRECTORIES = 1 << 16
_MOST_VALUES = 1 << 22
"""Of all tags together, as many as a thousand pages of a thousand strips have: directories may share their values."""

_REDUCED_OR_MASK = 0b101


@dataclass(frozen=True)
class _Flavour:
    """The differences of TIFF and BigTIFF."""

    order: str
    first: int
    count: str
    entry_bytes: int
    number: str

    @property
    def number_bytes(self) -> int:
        return struct.calcsize(self.number)


def image_directories(content: bytes, name: str) -> tuple[str, list[dict[int, list[int]]]]:
    """The byte order ("<" or ">") and the whole-number tags of every full image in a TIFF file.

    Raises:
        InputError: no TIFF file, or directories that lead nowhere or in a circle.
    """
    flavour = _flavour(content, name)
    offset = _one(content, flavour.order + flavour.number, flavour.first, name)
    seen: set[int] = set()
    images = []
    values = 0
    while offset:
        if offset in seen or len(seen) >= _MOST_DIRECTORIES:
            raise damaged(name, "its directories lead in a circle")
        seen.add(offset)
        tags, offset = _directory(content, flavour, offset, name, _MOST_VALUES - values)
        values += sum(map(len, tags.values()))
        if not tags.get(SUBFILE, [0])[0] & _REDUCED_OR_MASK:
            images.append(tags)
    if not images:
        raise damaged(name, "it contains no image in full size, only previews or masks of one")
    return flavour.order, images


def damaged(name: str, why: str) -> InputError:
    return InputError(f"{name} cannot be read, {why}: the file is damaged, write it anew.")


def _flavour(content: bytes, name: str) -> _Flavour:
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    version = None if order is None or len(content) < 16 else struct.unpack_from(order + "H", content, 2)[0]
    if order is not None and version == 42:
        return _Flavour(order, 4, "H", 12, "I")
    if order is not None and version == 43:
        return _Flavour(order, 8, "Q", 20, "Q")
    raise InputError(f"{name} cannot be read, it is damaged or not what its name says: write it anew.")


def _one(content: bytes, kind: str, offset: int, name: str) -> int:
    if offset + struct.calcsize(kind) > len(content):
        raise damaged(name, "a directory lies beyond its end")
    return int(struct.unpack_from(kind, content, offset)[0])


def _directory(
    content: bytes, flavour: _Flavour, offset: int, name: str, most_values: int
) -> tuple[dict[int, list[int]], int]:
    count = _one(content, flavour.order + flavour.count, offset, name)
    start = offset + struct.calcsize(flavour.count)
    end = start + count * flavour.entry_bytes
    following = _one(content, flavour.order + flavour.number, end, name)
    tags: dict[int, list[int]] = {}
    for entry in range(start, end, flavour.entry_bytes):
        tag, kind = struct.unpack_from(flavour.order + "2H", content, entry)
        if kind in _WHOLE_NUMBERS and tag in _USED and tag not in tags:
            numbers = _numbers(content, flavour, entry, kind, name, most_values)
            most_values -= len(numbers)
            if numbers:
                tags[tag] = numbers
    return tags, following


def _numbers(content: bytes, flavour: _Flavour, entry: int, kind: int, name: str, most: int) -> list[int]:
    letter = _WHOLE_NUMBERS[kind]
    count = _one(content, flavour.order + flavour.number, entry + 4, name)
    if count > most:
        raise damaged(name, f"its tags have more than {_MOST_VALUES} values")
    place = entry + 4 + flavour.number_bytes
    size = count * struct.calcsize(letter)
    if size > flavour.number_bytes:
        place = _one(content, flavour.order + flavour.number, place, name)
    if place + size > len(content):
        raise damaged(name, "a tag's values lie beyond its end")
    return list(struct.unpack_from(f"{flavour.order}{count}{letter}", content, place))
