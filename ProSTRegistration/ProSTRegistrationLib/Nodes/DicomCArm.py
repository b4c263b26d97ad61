"""C-arm settings from an X-ray's DICOM tags: what they tell, and what has to be entered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from pydicom.datadict import tag_for_keyword

from prostreg.geometry.carm_devices import PRESETS
from prostreg.images.dicom.opening import is_dicom
from prostreg.images.dicom.padding import padded, stored_from_itk
from prostreg.images.dicom.pixels import frame_count
from prostreg.images.dicom.shutter import open_part
from prostreg.images.dicom.subtraction import subtraction_note
from prostreg.images.dicom_geometry.carm_from_dicom import carm_from_dicom, said_of_carm
from prostreg.images.dicom_geometry.distances import pixel_pitch, source_detector, source_patient_mm
from prostreg.images.dicom_geometry.frame_tags import FrameTags
from prostreg.images.dicom_geometry.viewing_side import ViewingSide, viewing_side
from prostreg.images.dicom_tags import Tags, number_within, read_header, whole_number_of
from prostreg.images.formats.picture_size import MOST_PIXELS
from ProSTRegistrationLib.Nodes.CArmNode import pixelsOf
from ProSTRegistrationLib.Nodes.CArmPresets import presetSettings
from ProSTRegistrationLib.Nodes.CArmSettings import LARGEST_ANGLE_DEG, TYPICAL_SOD_SHARE, CArmSettings, offCentrePoint
from ProSTRegistrationLib.Nodes.FluoroscopyImage import isFlipped, keepShutter, turnAsStored
from ProSTRegistrationLib.Nodes.ImageMarks import FRAME_ATTRIBUTE
from ProSTRegistrationLib.Nodes.KeptTexts import keptWhole
from ProSTRegistrationLib.Nodes.Scene import OWNER_REFERENCE

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

INSTANCE_UIDS_ATTRIBUTE = "DICOM.instanceUIDs"
PADDING_SAID = "What is padding by PixelPaddingValue is left out."


@dataclass(frozen=True)
class DicomSettings:
    """Settings with their origin.

    Attributes:
        settings: CArmSettings; what DICOM does not tell is that of a usual device.
        found: names of the values that came from DICOM.
        missing: names of the others.
        side: the side from which the file's image is seen; the settings are those of the image as stored.
        said: sentences on values that are missing, in another unit or estimated; None where there is nothing to say.
    """

    settings: CArmSettings
    found: tuple[str, ...]
    missing: tuple[str, ...]
    side: ViewingSide
    said: str | None

    @property
    def summary(self) -> str:
        """Sentences for people."""
        found = f"Read from DICOM: {', '.join(self.found)}" if self.found else "DICOM tells nothing about the C-arm"
        told = f"{found}; missing: {', '.join(self.missing)}." if self.missing else f"{found}."
        return told if self.said is None else f"{told} {self.said}"


class DatabaseTags:
    """The tags of an instance in Slicer's DICOM database, by keyword.

    Args:
        database: slicer.dicomDatabase, which gives texts, several values separated by backslashes.
        instanceUid: of the instance.
    """

    def __init__(self, database: Any, instanceUid: str) -> None:
        self._database, self._instanceUid = database, instanceUid

    def get(self, keyword: str) -> str | list[str] | None:
        """A text, several in a list, or None where the file has no such tag."""
        tag = tag_for_keyword(keyword)
        if tag is None:
            return None
        text = self._database.instanceValue(self._instanceUid, f"{tag >> 16:04X},{tag & 0xFFFF:04X}")
        return text.split("\\") if text and "\\" in text else text


def slicerDatabase() -> Any | None:
    """Slicer's DICOM database; None without its DICOM module."""
    return getattr(slicer, "dicomDatabase", None)


def readGeometry(
    volumeNode: vtkMRMLScalarVolumeNode, dicomDatabase: Any | None = None
) -> tuple[CArmSettings, str] | None:
    """The C-arm of an image as its tags tell it, and sentences on that; None for an image without tags.

    The image keeps its shutter and padding, and is turned as seen from the source, unless a person has decided on that.

    Raises:
        InputError: the image cannot be used.
    """
    tags = tagsOf(volumeNode, dicomDatabase)
    if tags is None:
        return None
    size = pixelsOf(volumeNode).shape[::-1]
    found = settingsFromTags(tags, size)
    keepShutter(volumeNode, tags)
    turnAsStored(volumeNode, found.side.is_from_detector)
    isTurned = isFlipped(volumeNode)
    isAsDecided = isTurned is found.side.is_from_detector
    hasPadding = padded(stored_from_itk(pixelsOf(volumeNode), tags), tags) is not None
    said = f"{found.summary} {PADDING_SAID}" if hasPadding else found.summary
    note = f"{said}\n{found.side.sentence}" if isAsDecided else said
    return (found.settings.mirrored(size[0]) if isTurned else found.settings), note


def settingsFromTags(tags: Tags, size: tuple[int, int]) -> DicomSettings:
    """The settings that an image's tags tell, read as the command line reads them.

    The detector's own angles (0018,1530) are left alone: they tell how the beam meets it, nothing of the patient.

    Args:
        size: (width, height) of the image, for the usual device's pixel size.

    Returns:
        DicomSettings. Texts that cannot be read and values that no device has count as missing.
    """
    usual = presetSettings(next(iter(PRESETS)), size)
    carm, detector, pixelSizeMm = carm_from_dicom(tags), source_detector(tags), pixel_pitch(tags).mm
    sddMm, sodMm = detector.mm, source_patient_mm(tags, detector)
    primary, secondary = (
        number_within(tags, keyword, -LARGEST_ANGLE_DEG, LARGEST_ANGLE_DEG)
        for keyword in ("PositionerPrimaryAngle", "PositionerSecondaryAngle")
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
        None if carm is None else offCentrePoint(carm),
        primaryAngleDeg=primary or 0.0,
        secondaryAngleDeg=secondary or 0.0,
        accuracy=usual.accuracy if carm is None else carm.accuracy,
    )
    found = tuple(name for name, value in read.items() if value is not None)
    missing = tuple(name for name in read if name not in found)
    turning = tags.said if isinstance(tags, FrameTags) else None
    said = " ".join(filter(None, (turning, subtraction_note(tags), _shutterNote(tags), said_of_carm(tags)))) or None
    return DicomSettings(settings, found, missing, viewing_side(tags), said)


def _shutterNote(tags: Tags) -> str | None:
    shape = whole_number_of(tags, "Rows", 0), whole_number_of(tags, "Columns", 0)
    if min(shape) < 1 or shape[0] * shape[1] > MOST_PIXELS or open_part(tags, shape)[0] is None:
        return None
    return "What its shutter covers is left out."


def tagsOf(volumeNode: vtkMRMLScalarVolumeNode, dicomDatabase: Any | None = None) -> Tags | None:
    """The tags of the DICOM file that a volume came from.

    A volume made of another one has the file of that, and of its tags those of its own frame.

    Args:
        dicomDatabase: slicer.dicomDatabase; asked first for a volume that came from it.

    Returns:
        None for a volume that did not come from DICOM.
    """
    uids = (volumeNode.GetAttribute(INSTANCE_UIDS_ATTRIBUTE) or "").split()
    if uids and dicomDatabase is not None:
        # The file tells more than the database does, as of each frame; it may have been moved since.
        header = read_header(Path(dicomDatabase.fileForInstance(uids[0]) or ""))
        return header if header is not None else DatabaseTags(dicomDatabase, uids[0])
    storageNode = volumeNode.GetStorageNode()
    path = Path((storageNode.GetFileName() if storageNode else None) or "")
    if is_dicom(path):
        return read_header(path)
    madeOf = volumeNode.GetNodeReference(OWNER_REFERENCE)
    tags = tagsOf(madeOf, dicomDatabase) if madeOf is not None else None
    frame = keptWhole(volumeNode.GetAttribute(FRAME_ATTRIBUTE))
    return tags if tags is None or frame is None else FrameTags(tags, frame, frame_count(tags))
