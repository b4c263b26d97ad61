"""Headers of MetaImage files (.mha, .mhd)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from prostreg.errors import InputError
from prostreg.geometry.frames import Matrix
from prostreg.images.formats.data_files import files_of_pattern
from prostreg.images.formats.grid_geometry import Stated, grid_geometry
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

_HEADER_BYTES = 1 << 16
_LINE = re.compile(r"\s*([^=\s]+)\s*=\s*(.*?)\s*")
_KINDS = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
_SPACING = ("ElementSpacing", "ElementSize")
_ORIGIN = ("Offset", "Position", "Origin")
_DIRECTIONS = ("TransformMatrix", "Rotation", "Orientation")
_BIG_ENDIAN = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
_MOST_CHANNELS = 64


def read_metaimage_header(path: Path, name: str) -> StoredImage:
    """The header of a MetaImage file.

    Raises:
        InputError: no MetaImage file, or one whose header contradicts itself.
    """
    fields, data_start, listed = _fields(path, name)
    if fields.get("ObjectType", "Image").lower() != "image":
        raise header_error(name, f"describes an object of the kind {quoted(fields['ObjectType'])}, not an image")
    axes = _whole(fields, "NDims", 0, 1, 4, name)
    sizes = checked_sizes(whole_numbers_in(fields.get("DimSize", "")), axes, "DimSize", name)
    channels = _whole(fields, "ElementNumberOfChannels", 1, 1, _MOST_CHANNELS, name)
    kind = np.dtype((">" if _true(fields, _BIG_ENDIAN, name) else "<") + _kind(fields, name))
    if channels > 1:
        sizes = (channels, *sizes)
    encoding: Encoding = "raw"
    if not _true(fields, ("BinaryData",), name, otherwise=True):
        encoding = "text"
    elif _true(fields, ("CompressedData",), name):
        encoding = "deflate"
    data_file = fields["ElementDataFile"]
    local = data_file.upper() == "LOCAL"
    offset = _whole(fields, "HeaderSize", 0, -1, 1 << 40, name)
    if local and 0 < offset < data_start:
        raise header_error(name, f"puts the voxels at byte {offset} (HeaderSize), which is within the header")
    offset = data_start if local and offset == 0 else offset
    files = [path] if local else files_of_pattern(path, data_file, listed, name)
    layout = ValueLayout(files, offset, 0, encoding, kind, count_of(sizes), *_scaling(fields, name))
    matrix, faults = _geometry(fields, axes, name)
    note = _orientation_note(fields.get("AnatomicalOrientation", ""), matrix, name)
    return StoredImage(sizes, 0 if channels > 1 else None, matrix, faults, layout, note)


def _fields(path: Path, name: str) -> tuple[dict[str, str], int, list[str]]:
    """Fields by name, the byte behind the header, and the lines behind it where they name files."""
    with path.open("rb") as file:
        start = file.read(_HEADER_BYTES)
    fields: dict[str, str] = {}
    position = 0
    while (end := start.find(b"\n", position)) >= 0 or position < len(start):
        end = len(start) if end < 0 else end
        line = start[position:end].decode("latin-1").rstrip("\r")
        position = end + 1
        found = _LINE.fullmatch(line)
        if found is None:
            if not line.strip():
                continue
            break
        key, value = found.groups()
        if key in fields:
            raise header_error(name, f"gives {quoted(key)} twice")
        fields[key] = value
        if key == "ElementDataFile":
            listed = start[position:].decode("latin-1").splitlines() if value.upper().startswith("LIST") else []
            return fields, position, listed
    if "NDims" in fields or "ObjectType" in fields:
        raise header_error(name, "does not say where the voxels are (ElementDataFile)")
    raise InputError(f"{name} cannot be read, it is damaged or not what its name says: write it anew.")


def _whole(fields: dict[str, str], key: str, otherwise: int, low: int, high: int, name: str) -> int:
    if key not in fields and low <= otherwise:
        return otherwise
    numbers = whole_numbers_in(fields.get(key, ""))
    if numbers is None or len(numbers) != 1 or not low <= numbers[0] <= high:
        raise header_error(name, f"gives {key} as {quoted(fields.get(key, ''))}, a whole number from {low} is needed")
    return numbers[0]


def _true(fields: dict[str, str], keys: Sequence[str], name: str, otherwise: bool = False) -> bool:
    given = {key: fields[key].lower() for key in keys if key in fields}
    if not given:
        return otherwise
    if any(value not in ("true", "false", "1", "0") for value in given.values()):
        raise header_error(
            name, f"gives {next(iter(given))} as {quoted(next(iter(given.values())))}, not True or False"
        )
    if len({value in ("true", "1") for value in given.values()}) > 1:
        raise header_error(name, f"contradicts itself in {' and '.join(given)}")
    return any(value in ("true", "1") for value in given.values())


def _scaling(fields: dict[str, str], name: str) -> tuple[float, float]:
    """Slope and intercept from stored values to those that are meant."""
    numbers = []
    for key, usual in (("ElementToIntensityFunctionSlope", 1.0), ("ElementToIntensityFunctionOffset", 0.0)):
        given = numbers_in(fields[key]) if key in fields else [usual]
        if given is None or len(given) != 1 or not np.isfinite(given[0]):
            raise header_error(name, f"gives {key} as {quoted(fields[key])}, a number is needed")
        numbers.append(given[0])
    if numbers[0] == 0:
        raise header_error(name, "scales its values by 0 (ElementToIntensityFunctionSlope)")
    return numbers[0], numbers[1]


def _orientation_note(given: str, matrix: Matrix | None, name: str) -> str | None:
    """A sentence where AnatomicalOrientation, the sides on which the axes begin, is not what the matrix says."""
    letters = given.strip().upper()
    if matrix is None or len(letters) != 3 or not all(letter in "RLAPIS" for letter in letters):
        return None
    by_matrix = "".join(
        ("RL", "AP", "IS")[axis][int(column[axis] < 0)]
        for column in matrix[:3, :3].T
        for axis in [int(np.abs(column).argmax())]
    )
    if letters == by_matrix:
        return None
    return (
        f"{name} gives the AnatomicalOrientation {letters}, but by TransformMatrix it is {by_matrix}: the matrix is"
        " taken, as ITK does. Check left and right."
    )


def _kind(fields: dict[str, str], name: str) -> str:
    given = fields.get("ElementType", "")
    if given.endswith("_ARRAY"):
        raise InputError(f"{name} has vectors in place of numbers (ElementType {quoted(given)}): give a scalar image.")
    if given not in _KINDS:
        raise header_error(name, f"gives the values' type {quoted(given)} (ElementType)")
    return _KINDS[given]


def _geometry(fields: dict[str, str], axes: int, name: str) -> tuple[Matrix | None, tuple[str, ...]]:
    """Rows of the matrix are the directions of the index axes; a fourth axis is time."""
    faults = []
    if fields.get("DistanceUnits", "mm").lower() not in ("mm", "?"):
        faults.append(
            f"{name} measures in {quoted(fields['DistanceUnits'])} (DistanceUnits): convert it to millimetres."
        )
    stated = {}
    for keys in (_SPACING, _ORIGIN, _DIRECTIONS):
        key = next((key for key in keys if key in fields), keys[0])
        if keys is not _SPACING and len({fields[k] for k in keys if k in fields}) > 1:
            faults.append(f"{name} gives different values for {' and '.join(k for k in keys if k in fields)}.")
        stated[keys] = _of_space(Stated(key, numbers_in(fields[key])), axes) if key in fields else None
    spacing = stated[_SPACING] or Stated(_SPACING[0], None)
    matrix, found = grid_geometry(name, spacing, stated[_DIRECTIONS], stated[_ORIGIN])
    faults += found
    return (None, tuple(faults)) if faults else (matrix, ())


def _of_space(stated: Stated, axes: int) -> Stated:
    """The part of a four-dimensional image's numbers that is of space; others are left as they are."""
    numbers = stated.numbers
    if axes != 4 or numbers is None:
        return stated
    if len(numbers) == 16:
        return Stated(stated.field, [numbers[4 * row + column] for row in range(3) for column in range(3)])
    return Stated(stated.field, numbers[:3] if len(numbers) == 4 else numbers)
