"""DICOM objects that are made: about which files they are, and what all of them have.

What tells who the patient is stays out: an archive may ask to have it filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from prostreg.errors import FaultList
from prostreg.images.dicom_series import series_files
from prostreg.images.dicom_tags import read_header, value_of
from prostreg.images.library_messages import quiet_libraries

FRAME = "FrameOfReferenceUID"

_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


def slice_identities(folder: Path) -> list[dict[str, str]]:
    """The UIDs of each slice of the CT in a folder; empty where there is none now, or where a slice lacks one."""
    paths = FaultList().collect(lambda: series_files(folder)) or []
    found = [identity(path) for path in paths]
    whole = [one for one in found if one is not None]
    return whole if len(whole) == len(found) else []


def identity(path: Path) -> dict[str, str] | None:
    """The UIDs of a file, its frame of reference among them where it has one; None for what lacks one of the others."""
    with quiet_libraries():
        header = read_header(path, [*_UIDS, FRAME])
        values = {} if header is None else {keyword: value_of(header, keyword) for keyword in (*_UIDS, FRAME)}
        found = {keyword: str(value) for keyword, value in values.items() if value is not None}
    return found if all(keyword in found for keyword in _UIDS) else None


def new_object(sop_class: UID, modality: str, of_study: Mapping[str, str]) -> FileDataset:
    """An object in a series of its own and the study of another; who the patient is stays empty."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    content = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    content.SOPClassUID, content.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    for keyword in (
        "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
        "AccessionNumber", "ReferringPhysicianName",
    ):  # fmt: skip
        setattr(content, keyword, "")
    now = datetime.now()
    content.ContentDate, content.ContentTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    content.Modality, content.Manufacturer = modality, "ProSTRegistration"
    content.StudyInstanceUID, content.SeriesInstanceUID = of_study["StudyInstanceUID"], generate_uid()
    content.SeriesNumber, content.InstanceNumber = 1, 1
    return content


def write_object(path: Path, content: Dataset) -> None:
    """Writes the object as a DICOM file."""
    content.save_as(path, enforce_file_format=True)


def reference_to(image: Mapping[str, str]) -> Dataset:
    """An item that names an image by its UIDs."""
    reference = Dataset()
    reference.ReferencedSOPClassUID = image["SOPClassUID"]
    reference.ReferencedSOPInstanceUID = image["SOPInstanceUID"]
    return reference
