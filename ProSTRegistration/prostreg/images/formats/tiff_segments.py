"""Strips and tiles of TIFF files, unpacked."""

from __future__ import annotations

import io
import struct

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.formats.value_reading import checksum_differs, inflated

_NONE, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS = 1, 5, 8, 32946, 32773

MOST_INFLATION = {_NONE: 1, _LZW: 4096, _DEFLATE: 1032, _OLD_DEFLATE: 1032, _PACKBITS: 64}
"""Compressions that are read, and how many bytes one byte can stand for."""


def unpacked(packed: bytes, compression: int, shape: tuple[int, int], name: str) -> NDArray[np.uint8]:
    """Bytes (rows, bytes of a row) of a strip or tile.

    Raises:
        InputError: it is shorter than that, or damaged.
    """
    needed = shape[0] * shape[1]
    if needed > MOST_INFLATION[compression] * len(packed):
        raise _too_short(name)
    if compression in (_DEFLATE, _OLD_DEFLATE):
        return inflated(packed, needed, name).reshape(shape)
    if compression == _LZW:
        return _from_lzw(packed, shape, name)
    content = _from_packbits(packed, needed) if compression == _PACKBITS else packed
    if len(content) < needed:
        raise _too_short(name)
    return np.frombuffer(content, np.uint8, needed).reshape(shape)


def _too_short(name: str) -> InputError:
    return InputError(f"{name} is damaged, it ends before its last pixel: copy or write it anew.")


def _from_packbits(packed: bytes, needed: int) -> bytes:
    content, position = bytearray(), 0
    while position < len(packed) and len(content) < needed:
        control = packed[position]
        if control < 128:
            content += packed[position + 1 : position + 2 + control]
            position += 2 + control
        else:
            if control > 128:
                content += packed[position + 1 : position + 2] * (257 - control)
            position += 2 if control > 128 else 1
    return bytes(content)


def _from_lzw(packed: bytes, shape: tuple[int, int], name: str) -> NDArray[np.uint8]:
    """Through Pillow, in a new file of bytes: its decoder sees no header but this one."""
    from PIL import Image

    rows, columns = shape
    tags = [(256, columns), (257, rows), (258, 8), (259, _LZW), (262, 1), (273, 8), (277, 1), (278, rows)]
    tags += [(279, len(packed))]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", t, 4, 1, value) for t, value in tags)
    padded = packed + b"\0" * (len(packed) % 2)
    file = struct.pack("<2sHI", b"II", 42, 8 + len(padded)) + padded + directory + bytes(4)
    try:
        with Image.open(io.BytesIO(file), formats=("TIFF",)) as image:
            return np.array(image, dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise checksum_differs(name) from None
