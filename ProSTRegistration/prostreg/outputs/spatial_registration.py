"""registration.dcm: a pose as a DICOM Spatial Registration, for archives and other programs.

It maps the CT's frame of reference, and the frame of each X-ray's C-arm, into the world of the case, and names the
series of both. What tells who the patient is stays out: an archive may ask to have it filled in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, SpatialRegistrationStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

from prostreg.errors import FaultList
from prostreg.geometry.frames import RAS_FROM_LPS, Matrix, invert_rigid
from prostreg.images.dicom_series import series_files
from prostreg.images.dicom_tags import read_header, value_of
from prostreg.images.library_messages import quiet_libraries
from prostreg.registration.case import Case
from prostreg.registration.result import Result

_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_FRAME = "FrameOfReferenceUID"


def spatial_registration(case: Case, result: Result) -> Dataset | None:
    """The pose of a result as a DICOM object; None where CT or X-rays are no DICOM files, or name no series or frame.

    A pose that failed is none that others shall use: None as well.
    """
    if result.status == "failed" or case.files is None or not case.files.ct.is_dir():
        return None
    folder = case.files.ct
    # What became of the files since they were read must not keep the pose from being written.
    paths = FaultList().collect(lambda: series_files(folder)) or []
    with quiet_libraries():
        ct, xrays = ([_identity(path) for path in some] for some in (paths, case.files.xrays))
    seen = [
        (xray, view.carm.camera_from_world)
        for xray, view in zip(xrays, case.views, strict=True)
        if xray is not None and _is_whole(xray)
    ]
    slices = [one for one in ct if one is not None and _is_whole(one)]
    if not seen or not slices or len(slices) != len(ct) or _FRAME not in slices[0]:
        return None
    content = _file()
    content.StudyInstanceUID = slices[0]["StudyInstanceUID"]
    content.FrameOfReferenceUID = generate_uid()
    frame = slices[0][_FRAME]
    registered = [_item(frame, slices, result.world_from_volume @ RAS_FROM_LPS, "CT to world")]
    taken = {frame}
    for number, (xray, camera_from_world) in enumerate(seen, start=1):
        # One frame lies at one place: pictures that share theirs, with the CT or each other, get new ones.
        own = xray.get(_FRAME, frame)
        uid = generate_uid() if own in taken else own
        taken.add(uid)
        registered.append(_item(uid, [xray], invert_rigid(camera_from_world), f"C-arm {number} to world"))
    content.RegistrationSequence = Items(registered)
    _name_series(content, [*slices, *(xray for xray, _ in seen)])
    return content


def write_spatial_registration(path: Path, content: Dataset) -> None:
    """Writes the object as a DICOM file."""
    content.save_as(path, enforce_file_format=True)


def _identity(path: Path) -> dict[str, str] | None:
    """The UIDs of a file; None for what is no DICOM file."""
    header = read_header(path, [*_UIDS, _FRAME])
    if header is None:
        return None
    found = {keyword: value_of(header, keyword) for keyword in (*_UIDS, _FRAME)}
    return {keyword: str(value) for keyword, value in found.items() if value is not None}


def _is_whole(identity: Mapping[str, str]) -> bool:
    return all(keyword in identity for keyword in _UIDS)


def _file() -> FileDataset:
    """An object without content; who the patient is stays empty."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SpatialRegistrationStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    content = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    content.SOPClassUID, content.SOPInstanceUID = SpatialRegistrationStorage, meta.MediaStorageSOPInstanceUID
    for keyword in (
        "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
        "AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator", "ContentCreatorName",
    ):  # fmt: skip
        setattr(content, keyword, "")
    now = datetime.now()
    content.ContentDate, content.ContentTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    content.Modality, content.Manufacturer = "REG", "ProSTRegistration"
    content.SeriesInstanceUID, content.SeriesNumber, content.InstanceNumber = generate_uid(), 1, 1
    content.ContentLabel, content.ContentDescription = "CT_TO_XRAY", "2D/3D registration of a CT to X-rays"
    return content


def _item(frame: str, images: Iterable[Mapping[str, str]], world_from_frame: NDArray[Any], comment: str) -> Dataset:
    matrix = Dataset()
    matrix.FrameOfReferenceTransformationMatrixType = "RIGID"
    matrix.FrameOfReferenceTransformationMatrix = _numbers(world_from_frame)
    registration = Dataset()
    registration.FrameOfReferenceTransformationComment = comment
    registration.RegistrationTypeCodeSequence = Items()
    registration.MatrixSequence = Items([matrix])
    item = Dataset()
    item.FrameOfReferenceUID = frame
    item.ReferencedImageSequence = Items([_reference(image) for image in images])
    item.MatrixRegistrationSequence = Items([registration])
    return item


def _numbers(matrix: Matrix) -> list[str]:
    return [format_number_as_ds(float(number) + 0.0) for number in matrix.ravel()]


def _reference(image: Mapping[str, str]) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = image["SOPClassUID"]
    reference.ReferencedSOPInstanceUID = image["SOPInstanceUID"]
    return reference


def _name_series(content: Dataset, images: Sequence[Mapping[str, str]]) -> None:
    """The series of all images: those of this study, and those of others by their study."""
    studies: dict[str, dict[str, list[Dataset]]] = {}
    for image in images:
        series = studies.setdefault(image["StudyInstanceUID"], {})
        series.setdefault(image["SeriesInstanceUID"], []).append(_reference(image))
    content.ReferencedSeriesSequence = _series_items(studies.pop(str(content.StudyInstanceUID)))
    others = []
    for uid, series in studies.items():
        study = Dataset()
        study.StudyInstanceUID, study.ReferencedSeriesSequence = uid, _series_items(series)
        others.append(study)
    if others:
        content.StudiesContainingOtherReferencedInstancesSequence = Items(others)


def _series_items(series: Mapping[str, list[Dataset]]) -> pydicom.Sequence:
    items = []
    for uid, references in series.items():
        item = Dataset()
        item.SeriesInstanceUID, item.ReferencedInstanceSequence = uid, Items(references)
        items.append(item)
    return Items(items)
