"""Headers of NRRD files, attached (.nrrd) and detached (.nhdr)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from prostreg.errors import InputError
from prostreg.geometry.frames import Matrix
from prostreg.images.formats.data_files import files_of_pattern
from prostreg.images.formats.grid_geometry import Stated, from_vectors, grid_geometry
from prostreg.images.formats.stored_image import (
    Encoding,
    StoredImage,
    ValueLayout,
    checked_sizes,
    count_of,
    header_error,
    numbers_in,
    quoted,
    whole_numbers_in,
)

_HEADER_BYTES = 1 << 22
_MOST_AXES = 16
_LONGEST_FIELD = 1000
"""Far longer than any field is; the files go on to programs that such a line harms."""

_KINDS = {
    "i1": ("signed char", "int8", "int8_t"), "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"), "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",), "f8": ("double",),
}  # fmt: skip
_ENCODINGS: dict[str, Encoding] = {
    "raw": "raw", "gzip": "deflate", "gz": "deflate", "bzip2": "bzip2", "bz2": "bzip2",
    "txt": "text", "text": "text", "ascii": "text", "hex": "hex",
}  # fmt: skip
_TO_LPS = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
    "scanner-xyz": (1, 1, 1), "3d-right-handed": (1, 1, 1),
}  # fmt: skip
_SAME_SPACING = 2e-3
_OTHER_NAMES = {
    "datafile": "data file", "byteskip": "byte skip", "lineskip": "line skip", "centerings": "centers",
    "axismins": "axis mins", "axismaxs": "axis maxs", "oldmin": "old min", "oldmax": "old max",
    "sampleunits": "sample units", "blocksize": "block size",
}  # fmt: skip
_KNOWN = frozenset(_OTHER_NAMES.values()) | {
    "type", "dimension", "sizes", "spacings", "endian", "encoding", "kinds", "space", "space dimension", "space origin",
    "space directions", "labels", "units", "thicknesses", "min", "max", "measurement frame", "space units", "content",
    "number",
}  # fmt: skip
_AXES_OF_SPACE_OR_TIME = ("domain", "space", "time", "???", "none")
_VECTOR = re.compile(r"\(([^()]*)\)|none", re.IGNORECASE)
_QUOTED = re.compile(r'"([^"]*)"')


def read_nrrd_header(path: Path, name: str) -> StoredImage:
    """The header of a NRRD file.

    Raises:
        InputError: no NRRD file, or one whose header contradicts itself.
    """
    fields, data_start, listed = _fields(path, name)
    axes = _whole(fields, "dimension", 0, 1, _MOST_AXES, name)
    sizes = checked_sizes(whole_numbers_in(fields.get("sizes", "")), axes, "sizes", name)
    encoding = _ENCODINGS.get(fields.get("encoding", "").lower())
    if encoding is None:
        raise header_error(name, f"gives the encoding {quoted(fields.get('encoding', ''))}")
    if "data file" in fields:
        files, start = files_of_pattern(path, fields["data file"], listed, name), 0
    else:
        files, start = [path], data_start
    lines, skip = _whole(fields, "line skip", 0, 0, 1 << 20, name), _whole(fields, "byte skip", 0, -1, 1 << 40, name)
    if skip < 0 and encoding != "raw":
        raise header_error(name, 'gives "byte skip" -1, which only raw voxels can have')
    offset = -1 if skip < 0 else _behind_lines(files[0], start, lines)
    layout = ValueLayout(files, offset, max(skip, 0), encoding, _kind(fields, name), count_of(sizes))
    of_space = _axes_of_space(fields, axes, name)
    others = [axis for axis in range(axes) if axis not in of_space]
    channel_axes = [axis for axis in others if sizes[axis] > 1] or others
    if len([axis for axis in others if sizes[axis] > 1]) > 1:
        raise InputError(f"{name} has several axes that are not of space (kinds): save one image of it.")
    kept = tuple(size for axis, size in enumerate(sizes) if axis in of_space or axis == (channel_axes or [-1])[0])
    channel = sum(axis in of_space for axis in range(channel_axes[0])) if channel_axes else None
    return StoredImage(kept, channel, *_geometry(fields, of_space, name), layout)


def _fields(path: Path, name: str) -> tuple[dict[str, str], int, list[str]]:
    """Fields by name, the byte behind the header, and the names of files where it lists them."""
    with path.open("rb") as file:
        start = file.read(_HEADER_BYTES)
    if re.match(rb"NRRD\d\d[\d.]{2,3}\s", start) is None:
        raise InputError(f"{name} cannot be read, it is damaged or not what its name says: write it anew.")
    fields: dict[str, str] = {}
    position = start.index(b"\n") + 1 if b"\n" in start else len(start)
    while position < len(start):
        end = start.find(b"\n", position)
        end = len(start) if end < 0 else end
        line = start[position:end].decode("latin-1").rstrip("\r")
        position = end + 1
        if not line:
            return fields, position, []
        if line.startswith("#") or ":=" in line:
            continue
        key, colon, value = line.partition(":")
        key = _OTHER_NAMES.get(key.strip().lower(), key.strip().lower())
        if not colon or key not in _KNOWN:
            raise header_error(name, f"has the line {quoted(line)}, which NRRD does not know")
        if key in fields:
            raise header_error(name, f"gives {quoted(key)} twice")
        if len(line) > _LONGEST_FIELD and key != "content":
            raise header_error(name, f"has the line {quoted(line)} of {len(line)} letters")
        fields[key] = value.strip()
        if key == "data file" and value.strip().startswith("LIST"):
            return fields, position, start[position:].decode("latin-1").splitlines()
    if "data file" in fields:
        return fields, len(start), []
    raise header_error(name, "has no end")


def _whole(fields: dict[str, str], key: str, otherwise: int, low: int, high: int, name: str) -> int:
    if key not in fields and low <= otherwise:
        return otherwise
    numbers = whole_numbers_in(fields.get(key, ""))
    if numbers is None or len(numbers) != 1 or not low <= numbers[0] <= high:
        given = quoted(fields.get(key, ""))
        raise header_error(name, f'gives "{key}" as {given}, a whole number from {low} to {high} is needed')
    return numbers[0]


def _kind(fields: dict[str, str], name: str) -> np.dtype[np.generic]:
    given = " ".join(fields.get("type", "").lower().split())
    kind = next((kind for kind, names in _KINDS.items() if given in names), None)
    if kind is None:
        raise header_error(name, f"gives the values' type {quoted(given)} (type)")
    endian = fields.get("endian", "").lower()
    if endian not in ("little", "big") and (
        endian or (kind[1] != "1" and fields["encoding"].lower() not in ("txt", "text", "ascii"))
    ):
        raise header_error(name, f"gives the byte order {quoted(endian)} (endian), not little or big")
    return np.dtype((">" if endian == "big" else "<") + kind)


def _behind_lines(path: Path, start: int, lines: int) -> int:
    if lines == 0:
        return start
    with path.open("rb") as file:
        file.seek(start)
        for _ in range(lines):
            while (piece := file.readline(1 << 16)) and not piece.endswith(b"\n"):
                pass
        return file.tell()


def _vectors(fields: dict[str, str], axes: int, name: str) -> list[list[float] | None]:
    """One vector or None for every axis."""
    given = fields["space directions"]
    found = list(_VECTOR.finditer(given))
    if _VECTOR.sub("", given).strip() or len(found) != axes:
        raise header_error(name, f"gives the space directions {quoted(given)}, where {axes} are needed")
    return [None if each.group(1) is None else numbers_in(each.group(1).replace(",", " ")) or [] for each in found]


def _axes_of_space(fields: dict[str, str], axes: int, name: str) -> list[int]:
    if "space directions" in fields:
        with_vector = [axis for axis, vector in enumerate(_vectors(fields, axes, name)) if vector is not None]
        if with_vector:
            return with_vector
    if "kinds" not in fields:
        return list(range(axes))
    kinds = fields["kinds"].lower().split()
    if len(kinds) != axes:
        raise header_error(name, f"gives the kinds {quoted(fields['kinds'])} for {axes} axes")
    return [axis for axis, kind in enumerate(kinds) if kind in _AXES_OF_SPACE_OR_TIME] or list(range(axes))


def _geometry(fields: dict[str, str], of_space: list[int], name: str) -> tuple[Matrix | None, tuple[str, ...]]:
    faults = [
        f"{name} measures in {quoted(unit)} ({field}): convert it to millimetres."
        for field in ("space units", "units")
        for unit in sorted({*_QUOTED.findall(fields.get(field, ""))} - {"", "mm", "s", "ms"})
    ]
    origin = None
    space = fields.get("space", "").lower()
    if space and space not in _TO_LPS:
        faults.append(
            f"{name} lies in the space {quoted(fields['space'])}, which is not known here: "
            "save it in left-posterior-superior."
        )
    to_lps = _TO_LPS.get(space, (1, 1, 1))
    axes = _whole(fields, "dimension", 0, 1, _MOST_AXES, name)
    if "space origin" in fields:
        given = _VECTOR.fullmatch(fields["space origin"].strip())
        origin = Stated("space origin", numbers_in((given.group(1) or "").replace(",", " ")) if given else None)
    if "space directions" in fields:
        vectors = [vector for vector in _vectors(fields, axes, name) if vector is not None]
        matrix, found = from_vectors(name, Stated("space directions", [n for v in vectors for n in v]), origin, to_lps)
        faults += _two_spacings(fields, vectors, of_space, name)
    else:
        if tuple(to_lps) != (1, 1, 1):
            faults.append(
                f"{name} lies in the space {quoted(fields['space'])} without space directions: where its axes point is"
                " not known. Put them into its header in place of spacings."
            )
        steps = numbers_in(fields["spacings"]) if "spacings" in fields else None
        if steps is not None and len(steps) == axes:
            steps = [steps[axis] for axis in of_space]
            origin = origin or _origin_of_axes(fields, of_space, steps)
        matrix, found = grid_geometry(name, Stated("spacings", steps), None, origin)
    faults += found
    return (None, tuple(faults)) if faults else (matrix, ())


def _two_spacings(fields: dict[str, str], vectors: list[list[float]], of_space: list[int], name: str) -> list[str]:
    """Says that spacings differ from the lengths of the space directions; NaN stands for none, as the format has it."""
    given = numbers_in(fields.get("spacings", "")) or []
    pairs = [(given[axis], np.linalg.norm(v)) for axis, v in zip(of_space, vectors, strict=False) if axis < len(given)]
    if all(np.isnan(step) or abs(step - length) <= _SAME_SPACING * length for step, length in pairs):
        return []
    shown = [" x ".join(f"{number:g}" for number in numbers) for numbers in zip(*pairs, strict=True)]
    return [
        f"{name} has two spacings, {shown[0]} mm (spacings) and {shown[1]} mm (space directions): one of them is wrong,"
        " correct its header."
    ]


def _origin_of_axes(fields: dict[str, str], of_space: list[int], steps: list[float]) -> Stated | None:
    """The first voxel's place where the axes' ends are given; voxels lie between ends unless they are nodes."""
    ends = numbers_in(fields.get("axis mins", ""))
    if not ends or len(ends) <= max(of_space):
        return None if ends == [] else Stated("axis mins", ends)
    to_centre = 0.0 if "node" in fields.get("centers", "").lower() else 0.5
    return Stated("axis mins", [ends[axis] + to_centre * step for axis, step in zip(of_space, steps, strict=True)])
