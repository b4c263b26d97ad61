"""C-arm settings from an X-ray's DICOM tags: what they tell, and what has to be entered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prostreg.images.dicom_tags import is_dicom, read_header, value_of
from ProSTRegistrationLib.Nodes.CArmPresets import PRESETS, presetSettings
from ProSTRegistrationLib.Nodes.CArmSettings import (
    LARGEST_ANGLE_DEG,
    LARGEST_PIXEL_MM,
    LARGEST_SDD_MM,
    SMALLEST_PIXEL_MM,
    SMALLEST_SDD_MM,
    TYPICAL_SOD_SHARE,
    CArmSettings,
)
from ProSTRegistrationLib.Nodes.Scene import OWNER_REFERENCE

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

INSTANCE_UIDS_ATTRIBUTE = "DICOM.instanceUIDs"
KEYWORDS = {
    "0018,1110": "DistanceSourceToDetector",
    "0018,1111": "DistanceSourceToPatient",
    "0018,1114": "EstimatedRadiographicMagnificationFactor",
    "0018,1164": "ImagerPixelSpacing",
    "0018,7022": "DetectorElementSpacing",
    "0018,1510": "PositionerPrimaryAngle",
    "0018,1511": "PositionerSecondaryAngle",
}
"""The tags that are read. The detector's own angles (0018,1530) tell how the beam meets it, nothing of the patient."""


TagReader = Callable[[str], str | None]
"""Gives the text of a tag such as "0018,1110"; empty or None where there is none."""


@dataclass(frozen=True)
class DicomSettings:
    """Settings with their origin.

    Attributes:
        settings: CArmSettings; what DICOM does not tell is that of a usual device.
        found: names of the values that came from DICOM.
        missing: names of the others.
    """

    settings: CArmSettings
    found: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One line for people."""
        found = f"Read from DICOM: {', '.join(self.found)}" if self.found else "DICOM tells nothing about the C-arm"
        return f"{found}; missing: {', '.join(self.missing)}." if self.missing else f"{found}."


def settingsFromTags(valueOf: TagReader, size: tuple[int, int]) -> DicomSettings:
    """The settings that an image's tags tell.

    Args:
        valueOf: gives the text of a tag such as "0018,1110", several values separated by backslashes; empty or None
            where there is none.
        size: (width, height) of the image, for the usual device's pixel size.

    Returns:
        DicomSettings. Texts that cannot be read and values that no device has count as missing.
    """
    usual = presetSettings(next(iter(PRESETS)), size)
    sddMm = _number(valueOf("0018,1110"), SMALLEST_SDD_MM, LARGEST_SDD_MM)
    sodMm = _sodMm(valueOf, sddMm)
    pixelSizeMm = _pixelSizeMm(valueOf("0018,1164")) or _pixelSizeMm(valueOf("0018,7022"))
    primary, secondary = (
        _number(valueOf(tag), -LARGEST_ANGLE_DEG, LARGEST_ANGLE_DEG) for tag in ("0018,1510", "0018,1511")
    )
    read = {
        "SDD": sddMm, "SOD": sodMm, "pixel size": pixelSizeMm, "primary angle": primary, "secondary angle": secondary,
    }  # fmt: skip
    knownSddMm = usual.sddMm if sddMm is None else sddMm
    usualSodMm = usual.sodMm if sddMm is None else TYPICAL_SOD_SHARE * sddMm
    settings = CArmSettings(
        knownSddMm,
        usualSodMm if sodMm is None else sodMm,
        pixelSizeMm or usual.pixelSizeMm,
        primaryAngleDeg=primary or 0.0,
        secondaryAngleDeg=secondary or 0.0,
    )
    found = tuple(name for name, value in read.items() if value is not None)
    return DicomSettings(settings, found, tuple(name for name in read if name not in found))


def tagReaderOf(volumeNode: vtkMRMLScalarVolumeNode, dicomDatabase: Any | None = None) -> TagReader | None:
    """A function as `settingsFromTags` takes it, for the DICOM file that a volume came from.

    A volume made of another one, as a single frame, has the file of that.

    Args:
        dicomDatabase: slicer.dicomDatabase; asked first for a volume that came from it.

    Returns:
        None for a volume that did not come from DICOM.
    """
    uids = (volumeNode.GetAttribute(INSTANCE_UIDS_ATTRIBUTE) or "").split()
    if uids and dicomDatabase is not None:
        return lambda tag: dicomDatabase.instanceValue(uids[0], tag)
    storageNode = volumeNode.GetStorageNode()
    path = Path((storageNode.GetFileName() if storageNode else None) or "")
    if is_dicom(path):
        return _fileReader(path)
    madeOf = volumeNode.GetNodeReference(OWNER_REFERENCE)
    return tagReaderOf(madeOf, dicomDatabase) if madeOf is not None else None


def _fileReader(path: Path) -> TagReader | None:
    header = read_header(path, list(KEYWORDS.values()))
    if header is None:
        return None

    def valueOf(tag: str) -> str:
        value = value_of(header, KEYWORDS[tag])
        values = [value] if value is None or isinstance(value, (str, float, int)) else value
        return "\\".join(str(entry) for entry in values if entry is not None)

    return valueOf


def _sodMm(valueOf: TagReader, sddMm: float | None) -> float | None:
    if sddMm is None:
        return None
    sodMm = _number(valueOf("0018,1111"), 1.0, sddMm - 1.0)
    magnification = _number(valueOf("0018,1114"), 1.001, 100.0)
    return sddMm / magnification if sodMm is None and magnification is not None else sodMm


def _pixelSizeMm(text: str | None) -> tuple[float, float] | None:
    sizes = [_number(part, SMALLEST_PIXEL_MM, LARGEST_PIXEL_MM) for part in (text or "").split("\\")]
    if len(sizes) != 2:
        return None
    betweenRows, betweenColumns = sizes
    return None if betweenRows is None or betweenColumns is None else (betweenColumns, betweenRows)


def _number(text: str | None, low: float, high: float) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) and low <= value <= high else None
