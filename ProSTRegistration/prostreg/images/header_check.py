"""Faults in a volume file's header that ITK repairs in silence: spacing that is zero or negative."""

from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path

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
        if name.endswith((".nii", ".nii.gz", ".hdr")):
            spacing = _nifti_spacing(path)
        elif name.endswith((".mha", ".mhd")):
            spacing = _text_spacing(path, rb"^\s*(?:ElementSpacing|ElementSize)\s*=(.*)$")
        elif name.endswith((".nrrd", ".nhdr")):
            spacing = _text_spacing(path, rb"^spacings\s*:(.*)$")
        else:
            spacing = []
    except (OSError, EOFError, struct.error):
        return []
    if all(s > 0 for s in spacing):
        return []
    shown = " x ".join(f"{s:g}" for s in spacing)
    return [f"{what} {path.name} has the spacing {shown} mm: every spacing must be positive, correct its header."]


def _nifti_spacing(path: Path) -> list[float]:
    with path.open("rb") as raw:
        if path.name.lower().endswith(".gz"):
            with gzip.open(raw, "rb") as unpacked:
                header = unpacked.read(348)
        else:
            header = raw.read(348)
    order = "<" if struct.unpack("<i", header[:4])[0] in (348, 540) else ">"
    if struct.unpack(order + "i", header[:4])[0] != 348:
        return []
    dimensions = struct.unpack(order + "8h", header[40:56])[0]
    spacing = struct.unpack(order + "8f", header[76:108])
    return list(spacing[1 : 1 + min(3, max(dimensions, 0))])


def _text_spacing(path: Path, pattern: bytes) -> list[float]:
    with path.open("rb") as file:
        found = re.search(pattern, file.read(_TEXT_HEADER_BYTES), re.MULTILINE)
    return [float(number) for number in re.findall(_NUMBER, found.group(1).decode("ascii", "ignore"))] if found else []
