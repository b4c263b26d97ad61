"""Faults of volume files that ITK repairs or passes over in silence.

Spacing that is zero or negative (all formats), and, in NIfTI, data that end early or are not
numbers: ITK fills the one up and replaces the other by zeros, which would be water in a CT.
"""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_NIFTI_HEADER_BYTES = 348
_NIFTI_FLOATS = {16: "f4", 64: "f8"}
_TEXT_HEADER_BYTES = 16384
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


def header_faults(path: Path, what: str) -> list[str]:
    """Zero or negative spacing as it stands in the header of a NIfTI, MetaImage or NRRD file.

    Args:
        path: an existing file; files of other kinds have no faults here.
        what: the file's role, as messages begin.
    """
    name = path.name.lower()
    try:
        if name.endswith((".nii", ".nii.gz")):
            header = _nifti_header(_unpacked(path, _NIFTI_HEADER_BYTES))
            spacing = [] if header is None else header.spacing[: min(3, len(header.size))]
        elif name.endswith((".mha", ".mhd")):
            spacing = _text_spacing(path, rb"^\s*(?:ElementSpacing|ElementSize)\s*=(.*)$")
        elif name.endswith((".nrrd", ".nhdr")):
            spacing = _text_spacing(path, rb"^spacings\s*:(.*)$")
        else:
            spacing = []
    except (OSError, EOFError, zlib.error):
        return []
    if all(s > 0 for s in spacing):
        return []
    shown = " x ".join(f"{s:g}" for s in spacing)
    return [f"{what} {path.name} has the spacing {shown} mm: every spacing must be positive, correct its header."]


def nifti_data_faults(path: Path, what: str) -> list[str]:
    """Voxels of a NIfTI file (.nii, .nii.gz) that are missing, NaN or infinite; other files have none here."""
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return []
    damaged = [f"{what} {path.name} is damaged, it ends before its last voxel: copy or write it anew."]
    try:
        content = _unpacked(path, -1)
    except (OSError, EOFError, zlib.error):
        return damaged
    header = _nifti_header(content)
    if header is None:
        return []
    count = int(np.prod(header.size, dtype=np.int64))
    if len(content) < header.data_offset + count * header.bytes_per_voxel:
        return damaged
    if header.float_type is None:
        return []
    voxels = np.frombuffer(content, header.float_type, count, header.data_offset)
    bad = count - int(np.count_nonzero(np.isfinite(voxels)))
    return [not_finite_fault(f"{what} {path.name}", bad)] if bad else []


def not_finite_fault(name: str, count: int) -> str:
    return f"{name} has {count} values that are NaN or infinite: fill them (air in a CT is -1000 HU)."


@dataclass(frozen=True)
class _NiftiHeader:
    size: tuple[int, ...]
    spacing: list[float]
    data_offset: int
    bytes_per_voxel: int
    float_type: str | None


def _nifti_header(content: bytes) -> _NiftiHeader | None:
    """The fields of a NIfTI-1 header; None for anything else, NIfTI-2 too."""
    if len(content) < _NIFTI_HEADER_BYTES:
        return None
    order = next((o for o in "<>" if struct.unpack_from(o + "i", content)[0] == _NIFTI_HEADER_BYTES), None)
    if order is None:
        return None
    dimensions = struct.unpack_from(order + "8h", content, 40)
    kind, bits = struct.unpack_from(order + "2h", content, 70)
    spacing = struct.unpack_from(order + "8f", content, 76)
    axes = min(max(dimensions[0], 0), 7)
    float_type = order + _NIFTI_FLOATS[kind] if kind in _NIFTI_FLOATS else None
    offset = int(struct.unpack_from(order + "f", content, 108)[0])
    return _NiftiHeader(dimensions[1 : axes + 1], list(spacing[1 : axes + 1]), offset, bits // 8, float_type)


def _unpacked(path: Path, count: int) -> bytes:
    """The first ``count`` bytes of a file that may be gzipped; all of them where count is -1."""
    with path.open("rb") as raw:
        if path.name.lower().endswith(".gz"):
            with gzip.open(raw, "rb") as unpacked:
                return unpacked.read(count)
        return raw.read(count)


def _text_spacing(path: Path, pattern: bytes) -> list[float]:
    with path.open("rb") as file:
        found = re.search(pattern, file.read(_TEXT_HEADER_BYTES), re.MULTILINE)
    return [float(number) for number in re.findall(_NUMBER, found.group(1).decode("ascii", "ignore"))] if found else []
