"""Sound image files of a few lines, and what hostile or careless programs make of them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np

SIZE = (10, 9, 8)
VALUES = (np.arange(720).reshape(SIZE[::-1]) - 360).astype("<i2")
FLAT = VALUES[4]


def nrrd(data: bytes = VALUES.tobytes(), extra: bytes = b"", **fields: str | None) -> bytes:
    """A NRRD file; a field of None is left out, "_" in a name stands for a blank."""
    given = {"type": "short", "dimension": "3", "sizes": "10 9 8", "spacings": "2 2 3"}
    given |= {"endian": "little", "encoding": "raw"}
    given |= {name.replace("_", " "): value for name, value in fields.items()}
    lines = [f"{name}: {value}\n" for name, value in given.items() if value is not None]
    return b"NRRD0004\n" + "".join(lines).encode() + extra + b"\n" + data


def metaimage(data: bytes = VALUES.tobytes(), **fields: str | None) -> bytes:
    """A MetaImage file; a field of None is left out."""
    given: dict[str, str | None] = {"ObjectType": "Image", "NDims": "3", "DimSize": "10 9 8", "Offset": "1 2 3"}
    given |= {"ElementSpacing": "2 2 3", "ElementType": "MET_SHORT"}
    given |= fields
    given["ElementDataFile"] = given.pop("ElementDataFile", "LOCAL")
    return "".join(f"{name} = {value}\n" for name, value in given.items() if value is not None).encode() + data


def nifti(data: bytes = VALUES.tobytes(), change: Callable[[bytearray], None] | None = None) -> bytes:
    """A NIfTI-1 file with qform and sform; ``change`` gets its header of 352 bytes."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *SIZE, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, 2, 2, 3, 0, 0, 0, 0)
    struct.pack_into("<3f", header, 108, 352, 1, 0)
    struct.pack_into("<2h6f", header, 252, 1, 1, 0, 0, 0, 1, 2, 3)
    struct.pack_into("<12f", header, 280, 2, 0, 0, 1, 0, 2, 0, 2, 0, 0, 3, 3)
    header[123] = 2
    header[344:348] = b"n+1\0"
    if change is not None:
        change(header)
    return bytes(header) + data


def nifti2(data: bytes = VALUES.tobytes()) -> bytes:
    """The same as NIfTI-2."""
    header = bytearray(544)
    struct.pack_into("<i8s2h", header, 0, 540, b"n+2\0\r\n\x1a\n", 4, 16)
    struct.pack_into("<8q", header, 16, 3, *SIZE, 1, 1, 1, 1)
    struct.pack_into("<8d", header, 104, 1, 2, 2, 3, 0, 0, 0, 0)
    struct.pack_into("<q2d", header, 168, 544, 1, 0)
    struct.pack_into("<2i18d", header, 344, 1, 1, 0, 0, 0, 1, 2, 3, 2, 0, 0, 1, 0, 2, 0, 2, 0, 0, 3, 3)
    struct.pack_into("<i", header, 500, 2)
    return bytes(header) + data


def packed(place: int, *numbers: float, kind: str = "f") -> Callable[[bytearray], None]:
    """A change of a NIfTI header: numbers at a byte."""

    def change(header: bytearray) -> None:
        struct.pack_into(f"<{len(numbers)}{kind}", header, place, *numbers)

    return change


def tiff(
    blocks: list[bytes], shape: tuple[int, int], order: str = "<", following: int | None = 0, **tags: int | list[int]
) -> bytes:
    """A TIFF file of one directory behind its strips; numbers of tags as ``t259=8``."""
    content = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 0))
    offsets = []
    for block in blocks:
        offsets.append(len(content))
        content += block + b"\0" * (len(block) % 2)
    rows, columns = shape
    given: dict[int, int | list[int]] = {256: columns, 257: rows, 258: 16, 259: 1, 262: 1, 277: 1, 278: rows}
    given |= {273: offsets, 279: [len(block) for block in blocks]}
    given |= {int(name[1:]): value for name, value in tags.items()}
    given = {tag: value for tag, value in given.items() if value != []}
    entries, beyond = b"", b""
    start = len(content) + 2 + 12 * len(given) + 4
    for tag in sorted(given):
        value = given[tag]
        numbers = value if isinstance(value, list) else [value]
        body = struct.pack(f"{order}{len(numbers)}I", *numbers)
        place = body if len(numbers) == 1 else struct.pack(order + "I", start + len(beyond))
        beyond += body if len(numbers) > 1 else b""
        entries += struct.pack(order + "2HI", tag, 4, len(numbers)) + place
    directory = len(content)
    struct.pack_into(order + "I", content, 4, directory)
    content += struct.pack(order + "H", len(given)) + entries
    content += struct.pack(order + "I", directory if following is None else following)
    return bytes(content + beyond)


def png(raw: bytes, shape: tuple[int, int], depth: int = 8, colour: int = 0) -> bytes:
    """A PNG file around rows with their filter bytes."""
    rows, columns = shape
    chunks = [(b"IHDR", struct.pack(">2I5B", columns, rows, depth, colour, 0, 0, 0)), (b"IDAT", zlib.compress(raw))]
    chunks.append((b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
