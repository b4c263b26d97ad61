"""Stored pixel values of a DICOM image, the same for every transfer syntax: lookups and display turn nothing round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.dicom.decoding import CompressedPixels, decoded_pixels
from prostreg.images.dicom.fragments import frame_items
from prostreg.images.dicom_tags import Tags, value_of, whole_number_of
from prostreg.images.formats.picture_size import refuse_many_pixels
from prostreg.machine import refuse_too_large

BIG_ENDIAN = "1.2.840.10008.1.2.2"
_PLAIN_SYNTAXES = (None, "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", BIG_ENDIAN)
_OVERLAY_GROUPS = range(0x6000, 0x6020, 2)
_FLOATS = {"FloatPixelData": "f4", "DoubleFloatPixelData": "f8"}


@dataclass(frozen=True)
class PixelLayout:
    """The tags' account of an image's pixels, held against its bytes.

    Attributes:
        keyword: of the element that holds them.
        shape: (frames, rows, columns) that are read.
        bits: allocated, stored, and the highest one that is stored.
        is_signed: where they are whole numbers.
        syntax: the transfer syntax's UID; None where the file has no header of its own.
        is_compressed: only a decoder can read them.
        frames: in the file.
        first: index of the first frame that is read.
        has_overlay: bits beyond the stored ones are a drawing, and no part of the picture.
    """

    keyword: str
    shape: tuple[int, int, int]
    bits: tuple[int, int, int]
    is_signed: bool
    syntax: str | None
    is_compressed: bool
    frames: int = 1
    first: int = 0
    has_overlay: bool = False


def frame_count(tags: Tags) -> int:
    """The number of frames that the tags tell."""
    return max(1, whole_number_of(tags, "NumberOfFrames", 1))


def pixel_layout(
    dataset: pydicom.Dataset, name: str, part: tuple[int, int] | None = None, samples: int = 1
) -> PixelLayout:
    """The layout of an image that was looked at before any decoder sees it.

    Args:
        part: index of the first frame that is wanted, and how many; None for all.
        samples: values per pixel; as many columns more.

    Raises:
        InputError: no pixels, impossible sizes or bits, or fewer bytes than pixels.
    """
    keyword = next((k for k in ("PixelData", *_FLOATS) if value_of(dataset, k) is not None), None)
    if keyword is None:
        raise InputError(f"{name} has no pixel data: give the image itself.")
    rows, columns = (whole_number_of(dataset, k, 0) for k in ("Rows", "Columns"))
    refuse_many_pixels((rows, columns), name)
    columns *= samples
    frames = frame_count(dataset)
    first, count = part or (0, frames)
    if keyword in _FLOATS:
        bits = 8 * np.dtype(_FLOATS[keyword]).itemsize
        layout = (bits, bits, bits - 1)
    else:
        bits = whole_number_of(dataset, "BitsAllocated", 0)
        stored = whole_number_of(dataset, "BitsStored", bits)
        layout = (bits, stored, whole_number_of(dataset, "HighBit", stored - 1))
    _check_bits(layout, name)
    syntax = _syntax(dataset)
    pixels = rows * columns * frames
    refuse_too_large(rows * columns * count * (4 + bits // 8), name)
    is_compressed = syntax not in _PLAIN_SYNTAXES
    data = value_of(dataset, keyword)
    if not isinstance(data, bytes) or (not is_compressed and len(data) < pixels * bits // 8):
        raise InputError(f"{name} is damaged, it ends before its last pixel: copy or export it anew.")
    is_signed = whole_number_of(dataset, "PixelRepresentation", 0) == 1
    return PixelLayout(
        keyword, (count, rows, columns), layout, is_signed, syntax, is_compressed, frames, first, _has_overlay(dataset)
    )


def stored_values(images: Mapping[str, tuple[pydicom.Dataset, PixelLayout]]) -> dict[str, NDArray[Any]]:
    """Values (frames, rows, columns) as stored, by the images' names.

    Compressed ones are decoded by native code in a child process, all of them in one.

    Raises:
        InputError: an image that cannot be decoded, with its name.
    """
    streams = {
        name: CompressedPixels(
            _compressed_data(name, dataset, layout), layout.syntax or "", layout.shape, layout.bits[0], layout.is_signed
        )
        for name, (dataset, layout) in images.items()
        if layout.is_compressed
    }
    decoded = decoded_pixels(streams) if streams else {}
    return {
        name: _significant(decoded[name] if name in decoded else _plain(*image), image[1])
        for name, image in images.items()
    }


def _check_bits(bits: tuple[int, int, int], name: str) -> None:
    allocated, stored, high = bits
    if allocated not in (8, 16, 32, 64):
        raise InputError(
            f"{name} has {allocated} bits per pixel (BitsAllocated), which is not read here: export it with 8 or 16."
        )
    if not 1 <= stored <= allocated or not stored - 1 <= high < allocated:
        raise InputError(
            f"{name} cannot be read: BitsStored {stored} and HighBit {high} do not fit into BitsAllocated {allocated}."
            " Its header is damaged, export it anew."
        )


def _compressed_data(name: str, dataset: pydicom.Dataset, layout: PixelLayout) -> bytes:
    data: bytes = value_of(dataset, layout.keyword)
    if layout.frames == layout.shape[0]:
        return data
    return frame_items(data, layout.frames, layout.first, layout.shape[0], name)


def _has_overlay(dataset: pydicom.Dataset) -> bool:
    """True where a drawing lies in bits of the pixels, as overlays (60xx,0102) of old files do."""
    try:
        positions = [dataset[group, 0x0102].value for group in _OVERLAY_GROUPS if (group, 0x0102) in dataset]
    except Exception:  # values are parsed when they are asked for
        return False
    return any(isinstance(position, int) and position > 0 for position in positions)


def _syntax(dataset: pydicom.Dataset) -> str | None:
    meta = getattr(dataset, "file_meta", None)
    found = None if meta is None else value_of(meta, "TransferSyntaxUID")
    return None if found is None else str(found)


def _plain(dataset: pydicom.Dataset, layout: PixelLayout) -> NDArray[Any]:
    data = value_of(dataset, layout.keyword)
    order = ">" if layout.syntax == BIG_ENDIAN else "<"
    size = layout.bits[0] // 8
    kind = np.dtype(order + _FLOATS.get(layout.keyword, f"u{size}"))
    if size == 1 and order == ">" and dataset[layout.keyword].VR == "OW":
        data = np.frombuffer(data[: len(data) // 2 * 2], "<u2").byteswap().tobytes()  # words of two pixels each
    frame = layout.shape[1] * layout.shape[2]
    values = np.frombuffer(data, kind, layout.shape[0] * frame, layout.first * frame * kind.itemsize)
    return values.reshape(layout.shape)


def _significant(raw: NDArray[Any], layout: PixelLayout) -> NDArray[Any]:
    """The bits that are stored, with their sign; a decoder's values where it has found more bits than the tags tell."""
    allocated, stored, high = layout.bits
    if raw.dtype.kind == "f":
        return raw
    if stored == allocated:
        return raw.view(raw.dtype.str.replace("u", "i")) if layout.is_signed else raw
    if layout.is_compressed and not layout.has_overlay and int(raw.max()) >= 1 << stored:
        return raw
    shift = 0 if layout.is_compressed else high + 1 - stored
    values = (raw.astype(np.int64) >> shift) & ((1 << stored) - 1)
    sign = 1 << (stored - 1) if layout.is_signed else 0
    return (values ^ sign) - sign
