"""Sizes that compressed images tell of themselves: a decoder makes room for these, whatever the DICOM tags say."""

from __future__ import annotations

import struct

_JPEG, _JPEG_2000 = b"\xff\xd8", b"\xff\x4f\xff\x51"
_FRAME_MARKERS = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
"""Of JPEG and JPEG-LS: beginnings of frames, without tables that have their numbers between these."""

_SCAN_MARKER = 0xDA
_JPEG_2000_BYTES = 42


def told_size(stream: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and values per pixel of a JPEG, JPEG-LS or JPEG 2000 stream; None where its header tells none."""
    if stream[:2] == _JPEG:
        return _jpeg_size(stream)
    if stream[:4] == _JPEG_2000 and len(stream) >= _JPEG_2000_BYTES:
        right, bottom, left, top = struct.unpack(">4I", stream[8:24])
        return bottom - top, right - left, struct.unpack(">H", stream[40:42])[0]
    return None


def _jpeg_size(stream: bytes) -> tuple[int, int, int] | None:
    place = len(_JPEG)
    while place + 10 <= len(stream) and stream[place] == 0xFF:
        marker = stream[place + 1]
        if marker in _FRAME_MARKERS:
            rows, columns, values = struct.unpack(">2HB", stream[place + 5 : place + 10])
            return rows, columns, values
        if marker == _SCAN_MARKER:
            return None
        place += 1 if marker == 0xFF else 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
    return None
