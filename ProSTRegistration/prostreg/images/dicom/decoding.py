"""Compressed DICOM pixels, decoded by native code in a child process with limits."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import UID

from prostreg.confined import run_confined
from prostreg.errors import InputError
from prostreg.images.dicom.fragments import pieces_of
from prostreg.images.dicom.stream_size import told_size
from prostreg.images.formats.stored_image import quoted
from prostreg.images.library_messages import quiet_libraries
from prostreg.scratch import scratch_folder

_HTJ2K = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")

_LIMIT_S = 60.0
_LIMIT_S_PER_PIXEL = 1e-6
"""Ten times what JPEG 2000, the slowest, takes."""

_DECODING_BYTES_PER_PIXEL = 64


@dataclass(frozen=True)
class CompressedPixels:
    """The facts of an image that a decoder has to know.

    Attributes:
        data: of the pixel data element, items and all.
        syntax: the transfer syntax's UID.
        shape: (frames, rows, columns).
        bits: of a value in memory.
    """

    data: bytes
    syntax: str
    shape: tuple[int, int, int]
    bits: int
    is_signed: bool

    @property
    def count(self) -> int:
        """Pixels of all frames."""
        frames, rows, columns = self.shape
        return frames * rows * columns


def decoded_pixels(images: Mapping[str, CompressedPixels]) -> dict[str, NDArray[Any]]:
    """Values (frames, rows, columns) as stored, by the images' names.

    Raises:
        InputError: an image that cannot be decoded, with its name.
    """
    for name, image in images.items():
        _refuse_other_size(name, image)
    values = {}
    with scratch_folder() as folder:
        for number, image in enumerate(images.values()):
            (folder / f"{number:06d}.dcm").write_bytes(_bare_file(image))
        trouble = run_confined(
            "prostreg.images.dicom.decoder",
            folder,
            _LIMIT_S + _LIMIT_S_PER_PIXEL * sum(image.count for image in images.values()),
            _DECODING_BYTES_PER_PIXEL * max(image.count for image in images.values()),
        )
        for number, (name, image) in enumerate(images.items()):
            made = _made(folder / f"{number:06d}.npy", image)
            if made is None:
                raise InputError(_undecodable(name, image.syntax, trouble))
            values[name] = made
    return values


def _refuse_other_size(name: str, image: CompressedPixels) -> None:
    """Refuses streams for which a decoder would make other room than the tags say: not every system limits it."""
    for piece in pieces_of(image.data, name):
        told = told_size(piece)
        if told is not None and told != (*image.shape[1:], 1):
            raise InputError(
                f"{name} is damaged: its tags say {image.shape[1]} x {image.shape[2]} pixels of 1 value, and its"
                f" compressed data {told[0]} x {told[1]} of {told[2]}: export it anew."
            )


def _made(path: Path, image: CompressedPixels) -> NDArray[Any] | None:
    """Values that the child has written; None where it did not come so far."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found.reshape(image.shape) if found.size == image.count and found.dtype.kind in "iu" else None


def _bare_file(image: CompressedPixels) -> bytes:
    """The compressed pixels behind a header of ours: nothing in it for a decoder to trip over or to turn round."""
    frames, rows, columns = image.shape
    place = b"1.2.840.10008.5.1.4.1.1.7\0"  # a secondary capture, which has no lookups
    meta = _element(0x00020002, b"UI", place) + _element(0x00020003, b"UI", place)
    syntax = image.syntax.encode("ascii", "replace")
    meta += _element(0x00020010, b"UI", syntax + b"\0" * (len(syntax) % 2))
    header = _element(0x00080016, b"UI", place) + _element(0x00080018, b"UI", place) + _number(0x00280002, 1)
    header += _element(0x00280004, b"CS", b"MONOCHROME2 ")
    if frames > 1:
        text = str(frames).encode()
        header += _element(0x00280008, b"IS", text + b" " * (len(text) % 2))
    header += _number(0x00280010, rows) + _number(0x00280011, columns)
    header += _number(0x00280100, image.bits) + _number(0x00280101, image.bits) + _number(0x00280102, image.bits - 1)
    header += _number(0x00280103, int(image.is_signed))
    pixels = struct.pack("<2H2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + image.data
    end = struct.pack("<2HI", 0xFFFE, 0xE0DD, 0)
    length = _element(0x00020000, b"UL", struct.pack("<I", len(meta)))
    return bytes(128) + b"DICM" + length + meta + header + pixels + end


def _element(tag: int, kind: bytes, value: bytes) -> bytes:
    return struct.pack("<2H2sH", tag >> 16, tag & 0xFFFF, kind, len(value)) + value


def _number(tag: int, value: int) -> bytes:
    return _element(tag, b"US", struct.pack("<H", value))


def _undecodable(name: str, syntax: str, trouble: str | None) -> str:
    said = "gave no usable values" if trouble is None else trouble
    advice = "the file is damaged or compressed in a way that is not read here, export it uncompressed"
    if syntax in _HTJ2K:
        advice = "update SimpleITK to 2.5 or newer or install pylibjpeg-openjpeg (pip), or export it uncompressed"
    with quiet_libraries():
        name_of_syntax = UID(syntax).name
    kind = quoted(syntax) if name_of_syntax == syntax else name_of_syntax
    return f"The pixels of {name[0].lower()}{name[1:]} cannot be decoded ({kind}): the decoder {said}; {advice}."
