"""TIFF images: strips and tiles of 1 to 64 bits, without compression or with PackBits, Deflate or LZW."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.formats import tiff_directory as tag
from prostreg.images.formats.picture_size import refuse_many_pixels
from prostreg.images.formats.tiff_directory import damaged, image_directories
from prostreg.images.formats.tiff_segments import MOST_INFLATION, unpacked
from prostreg.machine import refuse_too_large

_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK = range(5)
_PREDICTORS = (1, 2, 3)
_STACK = re.compile(rb"ImageJ=[^\0]{0,200}?\nimages=(\d{1,7})\n")
"""ImageJ describes only the first image of a large stack by a directory."""

_MOST_SAMPLES = 8


@dataclass(frozen=True)
class _Picture:
    """The one image as its tags describe it."""

    size: tuple[int, int]  # rows, columns
    samples: int
    bits: int
    kind: np.dtype[Any]
    compression: int
    photometric: int
    predictor: int
    planes_apart: bool
    orientation: int
    block: tuple[int, int]  # rows, columns of a strip or tile
    segments: list[tuple[int, int]]  # offset, length
    colours: list[int]

    @property
    def blocks(self) -> tuple[int, int]:
        """Strips or tiles along rows and along columns."""
        return -(-self.size[0] // self.block[0]), -(-self.size[1] // self.block[1])


def read_tiff(content: bytes, name: str) -> tuple[NDArray[Any], int]:
    """Pixels (rows, columns) or (rows, columns, channels) as a viewer shows them, and the number of images.

    A tag for the orientation is applied, white-is-zero turned over, a palette looked up. Only the first image is read.

    Raises:
        InputError: damaged, too large, or of a kind that is not read here.
    """
    order, images = image_directories(content, name)
    stack = _STACK.search(content)
    picture = _picture(images[0], order, len(content), name)
    pixels = oriented(_assembled(picture, content, name), picture.orientation)
    return _meant(pixels, picture), max(len(images), int(stack.group(1)) if stack else 1)


def _picture(tags: dict[int, list[int]], order: str, file_bytes: int, name: str) -> _Picture:
    def first(number: int, otherwise: int) -> int:
        return tags.get(number, [otherwise])[0]

    size = first(tag.HEIGHT, 0), first(tag.WIDTH, 0)
    refuse_many_pixels(size, name)
    samples, bits = first(tag.SAMPLES, 1), first(tag.BITS, 1)
    sample_format = first(tag.SAMPLE_FORMAT, 1)
    same = all(len(set(tags.get(each, [0]))) == 1 for each in (tag.BITS, tag.SAMPLE_FORMAT))
    kind = _kind(order, sample_format, bits)
    if kind is None or not same or not 1 <= samples <= _MOST_SAMPLES:
        raise InputError(
            f"{name} has {samples} x {bits} bits per pixel of format {sample_format}, which is not read here: "
            "save it with 8 or 16 bits of grey."
        )
    if first(tag.FILL_ORDER, 1) != 1:
        raise InputError(f"{name} has its bits in reversed order (FillOrder), which is not read here: save it anew.")
    photometric = first(tag.PHOTOMETRIC, _BLACK_IS_ZERO)
    if photometric > _MASK:
        raise InputError(f"{name} is a TIFF in the colour space {photometric}: save it as grey values.")
    tiled = tag.TILE_OFFSETS in tags
    block = (
        (first(tag.TILE_HEIGHT, 0), first(tag.TILE_WIDTH, 0))
        if tiled
        else (min(first(tag.ROWS_PER_STRIP, size[0]), size[0]), size[1])
    )
    if min(block) < 1 or max(block) > 1 << 17:
        raise damaged(name, "its strips or tiles have no size")
    predictor, orientation = first(tag.PREDICTOR, 1), first(tag.ORIENTATION, 1)
    if predictor not in _PREDICTORS or not 1 <= orientation <= 8 or (predictor == 3) > (sample_format == 3):
        raise damaged(name, f"it gives the predictor {predictor} and the orientation {orientation}")
    offsets = tags.get(tag.TILE_OFFSETS if tiled else tag.STRIP_OFFSETS, [])
    lengths = tags.get(tag.TILE_BYTES if tiled else tag.STRIP_BYTES, [file_bytes - o for o in offsets[:1]])
    picture = _Picture(
        size, samples, bits, kind, first(tag.COMPRESSION, 1), photometric, predictor,
        samples > 1 and first(tag.PLANAR, 1) == 2, orientation, block,
        list(zip(offsets, lengths, strict=False)), tags.get(tag.COLOR_MAP, []),
    )  # fmt: skip
    _refuse_what_cannot_be_there(picture, file_bytes, len(lengths) == len(offsets), name)
    return picture


def _kind(order: str, sample_format: int, bits: int) -> np.dtype[Any] | None:
    letter = _KINDS.get(sample_format)
    allowed = {"u": (1, 8, 16, 32), "i": (8, 16, 32), "f": (16, 32, 64)}
    if letter is None or bits not in allowed[letter]:
        return None
    return np.dtype(f"{order}{letter}{max(bits // 8, 1)}")


def _refuse_what_cannot_be_there(picture: _Picture, file_bytes: int, paired: bool, name: str) -> None:
    blocks = picture.blocks
    expected = blocks[0] * blocks[1] * (picture.samples if picture.planes_apart else 1)
    if not paired or len(picture.segments) < expected:
        raise damaged(name, f"it names {len(picture.segments)} strips or tiles of {expected}")
    most = MOST_INFLATION.get(picture.compression)
    if most is None:
        raise InputError(
            f"{name} is a TIFF compressed in a way that is not read here ({picture.compression}): "
            "save it uncompressed, or with LZW or Deflate."
        )
    if any(offset + length > file_bytes for offset, length in picture.segments):
        raise InputError(f"{name} is damaged, it ends before its last pixel: copy or write it anew.")
    block_bytes = picture.block[0] * _row_bytes(picture)
    refuse_too_large(expected * block_bytes + 4 * picture.size[0] * picture.size[1] * picture.samples, name)


def _row_bytes(picture: _Picture) -> int:
    """Bytes of one row of a strip or tile."""
    return (picture.block[1] * (1 if picture.planes_apart else picture.samples) * picture.bits + 7) // 8


def _assembled(picture: _Picture, content: bytes, name: str) -> NDArray[Any]:
    rows, columns = picture.size
    down, across = picture.blocks
    pixels = np.empty((rows, columns, picture.samples), picture.kind.newbyteorder("="))
    planes = picture.samples if picture.planes_apart else 1
    for index in range(down * across * planes):
        plane, place = divmod(index, down * across)
        row, column = place // across * picture.block[0], place % across * picture.block[1]
        # Strips end with the image; tiles go beyond it.
        height = picture.block[0] if across > 1 or picture.block[1] != columns else min(picture.block[0], rows - row)
        offset, length = picture.segments[index]
        packed = content[offset : offset + length]
        block = _block(picture, packed, height, name)[: rows - row, : columns - column]
        target = pixels[row : row + block.shape[0], column : column + block.shape[1]]
        target[..., plane : plane + block.shape[2]] = block
    return pixels


def _block(picture: _Picture, packed: bytes, height: int, name: str) -> NDArray[Any]:
    """One strip or tile (rows, columns, samples)."""
    row_bytes, width = _row_bytes(picture), picture.block[1]
    samples = 1 if picture.planes_apart else picture.samples
    stored = unpacked(packed, picture.compression, (height, row_bytes), name)
    if picture.bits == 1:
        return np.unpackbits(stored, axis=1)[:, : width * samples].reshape(height, width, samples)
    if picture.predictor == 3:
        return _from_float_differences(stored, picture.kind, (height, width, samples))
    block = stored.reshape(-1).view(picture.kind).reshape(height, width, samples)
    block = block.astype(picture.kind.newbyteorder("="))
    return np.cumsum(block, axis=1, dtype=block.dtype) if picture.predictor == 2 else block


def _from_float_differences(
    stored: NDArray[np.uint8], kind: np.dtype[Any], shape: tuple[int, int, int]
) -> NDArray[Any]:
    """Undoes the floating-point predictor: bytes of equal weight lie together, each minus the one before."""
    height, width, samples = shape
    differences = stored.reshape(height, kind.itemsize * width, samples)
    summed = np.cumsum(differences, axis=1, dtype=np.uint8)
    by_weight = summed.reshape(height, kind.itemsize, width * samples)
    return np.ascontiguousarray(by_weight.transpose(0, 2, 1)).view(kind.newbyteorder(">")).reshape(shape)


def oriented(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Row 0 at the top and column 0 at the left, as tag 274 says."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    return pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def _meant(pixels: NDArray[Any], picture: _Picture) -> NDArray[Any]:
    """White-is-zero turned over, a palette looked up, one channel without an axis."""
    if picture.photometric == _PALETTE and picture.kind.kind == "u" and len(picture.colours) == 3 << picture.bits:
        palette = np.array(picture.colours, dtype=np.uint16).reshape(3, -1).T
        return np.asarray(palette[pixels[..., 0]])
    if picture.photometric == _WHITE_IS_ZERO:
        pixels = (1 << picture.bits) - 1 - pixels if picture.kind.kind == "u" else -pixels
    return pixels if picture.samples >= 3 else pixels[..., 0]  # grey and alpha
