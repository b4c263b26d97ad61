"""Values of an image: as many as its header says, checked against the file's size, its checksums and the memory."""

from __future__ import annotations

import bz2
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.formats.stored_image import StoredImage, ValueLayout, unreadable
from prostreg.machine import refuse_too_large

_MOST_INFLATION = 1032
"""A deflated byte cannot stand for more bytes than these."""

_BLOCK_BYTES = 1 << 20
_SURPLUS_BYTES = 1 << 20
_ZLIB_OR_GZIP = 47
_BYTES_AS_FLOAT = 4


def read_values(image: StoredImage, name: str) -> NDArray[Any]:
    """Values on the image's grid, slowest axis first; channels are the last axis where there are several.

    Args:
        image: the header.
        name: of the file with its role, as messages begin.

    Raises:
        InputError: data that end early, do not match their checksum, or that memory cannot hold.
    """
    layout, slab_bytes = image.layout, image.layout.count // max(image.sizes) * image.layout.kind.itemsize
    _refuse_what_cannot_be_there(layout, slab_bytes, name)
    refuse_too_large(layout.count * (layout.kind.itemsize + _BYTES_AS_FLOAT), name)
    each = layout.count // len(layout.files)
    try:
        parts = [_values_of(path, layout, each, slab_bytes, name) for path in layout.files]
    except OSError as error:
        raise InputError(unreadable(name, error)) from None
    stored = parts[0] if len(parts) == 1 else np.concatenate(parts)
    values = stored.reshape(image.sizes[::-1])
    if image.channel_axis is not None:
        values = np.moveaxis(values, len(image.sizes) - 1 - image.channel_axis, -1)
    values = values.reshape(image.grid[::-1] + ((image.channels,) if image.channels > 1 else ()))
    return values if (layout.slope, layout.intercept) == (1.0, 0.0) else _scaled(values, layout)


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Values of any kind as float32; what is beyond its range becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)


def ends_early(name: str) -> InputError:
    return InputError(f"{name} is damaged, it ends before its last voxel: copy or write it anew.")


def holds_more(name: str) -> InputError:
    return InputError(f"{name} holds more voxels than its header says: it is damaged, write it anew.")


def checksum_differs(name: str) -> InputError:
    return InputError(f"{name} is damaged, its compressed data do not match their checksum: copy or write it anew.")


def inflated(packed: bytes, needed: int, name: str) -> NDArray[np.uint8]:
    """Bytes of a deflated block in memory, exactly ``needed``; less or more is an InputError, as is a wrong sum."""
    if needed > _MOST_INFLATION * len(packed):
        raise ends_early(name)
    return _Unpacked(needed, name).filled_from(iter((packed,)))


def _refuse_what_cannot_be_there(layout: ValueLayout, slab_bytes: int, name: str) -> None:
    each = layout.count // len(layout.files) * layout.kind.itemsize
    if layout.count % len(layout.files):
        raise InputError(
            f"{name} is spread over {len(layout.files)} files that cannot hold equal parts of it: save it anew."
        )
    for path in layout.files:
        there = path.stat().st_size - max(layout.offset, 0)
        if layout.encoding == "raw":
            there -= layout.skip
            _refuse_surplus(layout, path.stat().st_size, there - each, slab_bytes, name)
        most = {"raw": there, "deflate": _MOST_INFLATION * there, "text": 8 * there, "hex": there}
        if layout.encoding != "bzip2" and each > most[layout.encoding]:
            raise ends_early(name)


def _refuse_surplus(layout: ValueLayout, file_bytes: int, surplus: int, slab_bytes: int, name: str) -> None:
    """Refuses a row of raw voxels and more behind the last one, and in a file of their own anything: it may be before
    the first one."""
    if layout.offset >= 0 and surplus >= slab_bytes:
        raise holds_more(name)
    is_whole_file = layout.offset == 0 and layout.skip == 0
    if is_whole_file and surplus > 0:
        raise InputError(
            f"{name} needs {file_bytes - surplus} bytes of its data file, which has {file_bytes}: its sizes or its type"
            " are not those of the voxels, or these begin later. Correct it in the header, or skip bytes there."
        )


def _values_of(path: Path, layout: ValueLayout, count: int, slab_bytes: int, name: str) -> NDArray[Any]:
    needed = count * layout.kind.itemsize
    with path.open("rb") as file:
        offset = layout.offset if layout.offset >= 0 else path.stat().st_size - needed
        file.seek(offset)
        if layout.encoding == "raw":
            file.seek(layout.skip, 1)
            read = np.fromfile(file, layout.kind, count)
            if read.size < count:
                raise ends_early(name)
            return read
        if layout.encoding == "text":
            return _from_text(file.read(), layout.kind, count, name)
        if layout.encoding == "hex":
            return _from_hex(file.read(), layout.kind, count, name)
        blocks = iter(lambda: file.read(_BLOCK_BYTES), b"")
        most_surplus = min(slab_bytes - 1, _SURPLUS_BYTES)
        unpacked = _Unpacked(layout.skip + needed, name, layout.encoding == "bzip2", most_surplus).filled_from(blocks)
        return unpacked[layout.skip :].view(layout.kind)


class _Unpacked:
    """A buffer of fixed size that compressed blocks fill; streams may follow one another."""

    def __init__(self, needed: int, name: str, bzip2: bool = False, most_surplus: int = _SURPLUS_BYTES) -> None:
        self._needed, self._name, self._bzip2, self._most_surplus = needed, name, bzip2, most_surplus
        self._buffer = np.empty(needed, np.uint8)
        self._filled = self._surplus = 0

    def filled_from(self, blocks: Any) -> NDArray[np.uint8]:
        stream, complete = self._new_stream(), False
        for read in blocks:
            block = read
            while block:
                try:
                    block = self._take(stream, block)
                except (zlib.error, OSError, ValueError):
                    if complete and self._filled == self._needed:
                        return self._buffer  # padding behind the last stream
                    raise checksum_differs(self._name) from None
                complete = stream.eof
                if complete:
                    if self._filled == self._needed and not stream.unused_data.strip(b"\0"):
                        return self._buffer
                    block, stream = stream.unused_data, self._new_stream()
        if self._filled < self._needed or not complete:
            raise ends_early(self._name)
        return self._buffer

    def _new_stream(self) -> Any:
        return bz2.BZ2Decompressor() if self._bzip2 else zlib.decompressobj(_ZLIB_OR_GZIP)

    def _take(self, stream: Any, block: bytes) -> bytes:
        """Unpacks one block or part of it; what is left of the block."""
        piece = stream.decompress(block, 4 * _BLOCK_BYTES)
        room = min(len(piece), self._needed - self._filled)
        self._buffer[self._filled : self._filled + room] = np.frombuffer(piece, np.uint8, room)
        self._filled += room
        self._surplus += len(piece) - room
        if self._surplus > self._most_surplus:
            raise holds_more(self._name)
        if self._bzip2:
            while not stream.eof and not stream.needs_input:
                self._take(stream, b"")
            return b""
        return bytes(stream.unconsumed_tail)


def _from_text(text: bytes, kind: np.dtype[Any], count: int, name: str) -> NDArray[Any]:
    words = text.split(maxsplit=count)[:count]
    if len(words) < count:
        raise ends_early(name)
    try:
        numbers = np.array(words).astype(np.float64)
    except ValueError:
        raise InputError(f"{name} is damaged, its text contains values that are no numbers: write it anew.") from None
    with np.errstate(all="ignore"):
        values = numbers.astype(kind)
    if kind.kind != "f" and not np.array_equal(values, numbers):
        raise InputError(f"{name} contains numbers that the type in its header cannot hold: correct the type there.")
    return values


def _from_hex(text: bytes, kind: np.dtype[Any], count: int, name: str) -> NDArray[Any]:
    try:
        content = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        raise InputError(f"{name} is damaged, its values are no hexadecimal digits: write it anew.") from None
    if len(content) < count * kind.itemsize:
        raise ends_early(name)
    return np.frombuffer(content, kind, count)


def _scaled(values: NDArray[Any], layout: ValueLayout) -> NDArray[np.float32]:
    scaled = np.empty(values.shape, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for stored, made in zip(values, scaled, strict=True):
            made[...] = stored.astype(np.float64) * layout.slope + layout.intercept
    return scaled
