"""PNG, JPEG and BMP, as frame grabbers save them: read by Pillow after their sizes and checksums were looked at."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.formats.picture_size import refuse_many_pixels
from prostreg.images.formats.tiff import oriented
from prostreg.images.formats.tiff_directory import ORIENTATION, image_directories
from prostreg.images.formats.value_reading import checksum_differs, inflated

_JPEG_SCAN, _MOST_SCANS = b"\xff\xda", 100
"""The mark that begins a scan of a JPEG: each goes over the whole picture, and progressive ones have about ten."""

_PNG_MARK = b"\x89PNG\r\n\x1a\n"
_GREY, _GREY_AND_ALPHA, _FOUR_COLOURS = 0, 4, 6
_SAMPLES = {_GREY: 1, 2: 3, 3: 1, _GREY_AND_ALPHA: 2, _FOUR_COLOURS: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "F", "RGB", "RGBA")

PICTURE_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP"}


@dataclass(frozen=True)
class _PngHeader:
    size: tuple[int, int]
    depth: int
    colour: int
    interlaced: bool
    frames: int
    orientation: int


def read_picture(path: Path, suffix: str, name: str) -> tuple[NDArray[Any], int]:
    """Pixels (rows, columns) or (rows, columns, channels) as a viewer shows them, and the number of frames.

    Raises:
        InputError: damaged, or not what its name says.
    """
    content = path.read_bytes()
    header = _png_header(content, name) if suffix == ".png" else None
    if PICTURE_FORMATS[suffix] == "JPEG" and content.count(_JPEG_SCAN) > _MOST_SCANS:
        raise InputError(f"{name} has more than {_MOST_SCANS} scans, as no picture needs: save it as PNG or TIFF.")
    is_deep_colour = header is not None and header.depth == 16 and header.colour != _GREY
    if is_deep_colour and header is not None and header.colour != _GREY_AND_ALPHA:
        return oriented(_sixteen_bit_colours(path, name), header.orientation), header.frames
    # Only here: Slicer reads other X-rays before anything is installed in it.
    from PIL import Image, ImageOps

    if is_deep_colour:
        content = _as_eight_bit_colours(content)
    try:
        with Image.open(io.BytesIO(content), formats=(PICTURE_FORMATS[suffix],)) as stored:
            refuse_many_pixels((stored.height, stored.width), name)
            if stored.mode == "CMYK":
                raise InputError(f"{name} is a picture for print (CMYK): save it as grey values.")
            turned = stored if header is not None else ImageOps.exif_transpose(stored)
            image = turned if turned.mode in _GREY_MODES else turned.convert("RGB")
            pixels = np.asarray(image)
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError):
        raise damaged_picture(name) from None
    if header is None:
        return pixels, 1
    if is_deep_colour:
        pixels = np.ascontiguousarray(pixels).view(">u2")[..., 0]
    return oriented(pixels, header.orientation), header.frames


def damaged_picture(name: str) -> InputError:
    return InputError(f"{name} cannot be read, it is damaged or not what its name says: write it anew.")


def _png_header(content: bytes, name: str) -> _PngHeader:
    """The header of a PNG file, after its sums and the length of its pixels were checked."""
    if not content.startswith(_PNG_MARK):
        raise damaged_picture(name)
    chunks = list(_chunks(content, name))
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13 or chunks[-1][0] != b"IEND":
        raise damaged_picture(name)
    columns, rows, depth, colour, _, _, interlace = struct.unpack(">2I5B", chunks[0][1])
    refuse_many_pixels((rows, columns), name)
    if colour not in _SAMPLES or depth not in (1, 2, 4, 8, 16):
        raise damaged_picture(name)
    frames = next((struct.unpack(">I", data[:4])[0] for kind, data in chunks if kind == b"acTL" and len(data) == 8), 1)
    exif = next((data for kind, data in chunks if kind == b"eXIf"), b"")
    header = _PngHeader((rows, columns), depth, colour, interlace == 1, frames, _orientation(exif, name))
    inflated(b"".join(data for kind, data in chunks if kind == b"IDAT"), _filtered_bytes(header), name)
    return header


def _orientation(exif: bytes, name: str) -> int:
    """The orientation that EXIF names, 1 where it names none; EXIF is laid out as a TIFF file is."""
    try:
        _, directories = image_directories(exif.removeprefix(b"Exif\0\0"), name)
    except InputError:
        return 1
    number = directories[0].get(ORIENTATION, [1])[0]
    return number if 1 <= number <= 8 else 1


def _as_eight_bit_colours(content: bytes) -> bytes:
    """A PNG of grey and alpha in 16 bits as one of four colours in 8: its bytes and their filters are the same."""
    header = b"IHDR" + content[16:24] + bytes([8, _FOUR_COLOURS]) + content[26:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def _chunks(content: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    """Kinds and data up to the end's mark; sums are checked where a chunk is needed for the pixels."""
    position = len(_PNG_MARK)
    while position + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 8 + length
        if end + 4 > len(content):
            break
        data = content[position + 8 : end]
        if kind[:1].isupper() and zlib.crc32(kind + data) != struct.unpack_from(">I", content, end)[0]:
            raise checksum_differs(name)
        yield kind, data
        if kind == b"IEND":
            return
        position = end + 4
    raise damaged_picture(name)


def _filtered_bytes(header: _PngHeader) -> int:
    """Bytes of all rows with the byte before each that names its filter."""
    rows, columns = header.size
    bits = header.depth * _SAMPLES[header.colour]
    passes = _ADAM7 if header.interlaced else ((0, 0, 1, 1),)
    total = 0
    for column, row, step_columns, step_rows in passes:
        width, height = -(-(columns - column) // step_columns), -(-(rows - row) // step_rows)
        total += height * (1 + (width * bits + 7) // 8) if width > 0 and height > 0 else 0
    return total


def _sixteen_bit_colours(path: Path, name: str) -> NDArray[Any]:
    """Pillow would keep 8 of the 16 bits."""
    import SimpleITK as sitk  # noqa: N813

    reader = sitk.ImageFileReader()
    reader.SetImageIO("PNGImageIO")
    reader.SetFileName(str(path))
    try:
        return np.asarray(sitk.GetArrayFromImage(reader.Execute()))
    except RuntimeError:
        raise damaged_picture(name) from None
