"""Frames of compressed DICOM pixels: cut out of the items that hold all of them, so that one is decoded alone."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from prostreg.errors import InputError

_ITEM, _END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_HEAD_BYTES = 8
_JPEG_STARTS = (b"\xff\xd8", b"\xff\x4f")


@dataclass(frozen=True)
class _Fragment:
    """One item: where it begins, counted from the first one's beginning, and what it holds."""

    place: int
    data: bytes


def frame_items(data: bytes, frames: int, first: int, count: int, name: str) -> bytes:
    """The items of some frames as they stand before a decoder: an empty table of offsets, then one for each frame.

    Args:
        data: of the pixel data element, items and all.
        frames: in the file.
        first: index of the first one that is wanted.
        count: of those that are wanted.

    Raises:
        InputError: the items are damaged, or they are not of so many frames.
    """
    offsets, fragments = _fragments(data, name)
    parts = _by_frame(offsets, fragments, frames)
    if len(parts) != frames:
        raise InputError(
            f"{name} is damaged: NumberOfFrames is {frames}, and its pixels are in {len(parts)} parts: export it anew."
        )
    return _item(b"") + b"".join(_item(part) for part in parts[first : first + count])


def pieces_of(data: bytes, name: str) -> list[bytes]:
    """Contents of the items of a pixel data element, without the table of offsets before them.

    Raises:
        InputError: the items are damaged.
    """
    return [fragment.data for fragment in _fragments(data, name)[1]]


def _fragments(data: bytes, name: str) -> tuple[list[int], list[_Fragment]]:
    """The table of offsets and the fragments behind it."""
    table: list[int] | None = None
    fragments: list[_Fragment] = []
    place = begin = 0
    while place + _HEAD_BYTES <= len(data):
        group, element, length = struct.unpack("<HHI", data[place : place + _HEAD_BYTES])
        if (group, element) == _END:
            break
        inside = data[place + _HEAD_BYTES : place + _HEAD_BYTES + length]
        if (group, element) != _ITEM or len(inside) != length:
            raise InputError(f"{name} is damaged, its compressed pixels are cut off or mixed up: export it anew.")
        place += _HEAD_BYTES + length
        if table is None:
            table, begin = list(struct.unpack(f"<{length // 4}I", inside[: length // 4 * 4])), place
        else:
            fragments.append(_Fragment(place - _HEAD_BYTES - length - begin, inside))
    if not fragments:
        raise InputError(f"{name} is damaged, it has no compressed pixels: export it anew.")
    return table or [], fragments


def _by_frame(offsets: list[int], fragments: list[_Fragment], frames: int) -> list[bytes]:
    """The bytes of each frame, by what tells it first: as many fragments, the table of offsets, the starts of JPEGs."""
    if len(fragments) == frames:
        return [fragment.data for fragment in fragments]
    places = {fragment.place for fragment in fragments}
    if len(offsets) == frames and set(offsets) <= places:
        starts = set(offsets)
    else:
        starts = {fragment.place for fragment in fragments if fragment.data[:2] in _JPEG_STARTS}
    parts: list[list[bytes]] = []
    for fragment in fragments:
        if fragment.place in starts or not parts:
            parts.append([])
        parts[-1].append(fragment.data)
    return [b"".join(part) for part in parts]


def _item(data: bytes) -> bytes:
    return struct.pack("<HHI", *_ITEM, len(data)) + data
