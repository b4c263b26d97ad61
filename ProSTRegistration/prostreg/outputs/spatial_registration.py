"""registration.dcm: a pose as a DICOM Spatial Registration, for archives and other programs.

It maps the CT's frame of reference, and the frame of each X-ray's C-arm, into the world of the case, and names the
series of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import SpatialRegistrationStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

from prostreg.errors import FaultList
from prostreg.geometry.frames import RAS_FROM_LPS, Matrix, invert_rigid
from prostreg.images.dicom.frame_folder import frame_folder
from prostreg.outputs.dicom_object import FRAME, identity, new_object, reference_to, slice_identities
from prostreg.registration.case import Case
from prostreg.registration.result import Result


def spatial_registration(case: Case, result: Result) -> Dataset | None:
    """The pose of a result as a DICOM object; None where CT or X-rays are no DICOM files, or name no series or frame.

    A pose that failed is none that others shall use: None as well.
    """
    if result.status == "failed" or case.files is None or not case.files.ct.is_dir():
        return None
    # What became of the files since they were read must not keep the pose from being written.
    slices = slice_identities(case.files.ct)
    xrays = [_taken(path, view.frames.first) for path, view in zip(case.files.xrays, case.views, strict=True)]
    seen = [
        (xray, view.carm.camera_from_world) for xray, view in zip(xrays, case.views, strict=True) if xray is not None
    ]
    if not seen or not slices or FRAME not in slices[0]:
        return None
    content = new_object(SpatialRegistrationStorage, "REG", slices[0])
    content.PositionReferenceIndicator, content.ContentCreatorName = "", ""
    content.ContentLabel, content.ContentDescription = "CT_TO_XRAY", "2D/3D registration of a CT to X-rays"
    content.FrameOfReferenceUID = generate_uid()
    frame = slices[0][FRAME]
    registered = [_item(frame, slices, result.world_from_volume @ RAS_FROM_LPS, "CT to world")]
    taken = {frame}
    for number, (xray, camera_from_world) in enumerate(seen, start=1):
        # One frame lies at one place: pictures that share theirs, with the CT or each other, get new ones.
        own = xray.get(FRAME, frame)
        uid = generate_uid() if own in taken else own
        taken.add(uid)
        registered.append(_item(uid, [xray], invert_rigid(camera_from_world), f"C-arm {number} to world"))
    content.RegistrationSequence = Items(registered)
    _name_series(content, [*slices, *(xray for xray, _ in seen)])
    return content


def _taken(path: Path, number: int) -> dict[str, str] | None:
    """The UIDs of an X-ray's file; in a folder with a run, of the file with a frame, counted from 1."""
    if not path.is_dir():
        return identity(path)
    run = FaultList().collect(lambda: frame_folder(path))
    return None if run is None or number > len(run.paths) else identity(run.paths[number - 1])


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
    item.ReferencedImageSequence = Items([reference_to(image) for image in images])
    item.MatrixRegistrationSequence = Items([registration])
    return item


def _numbers(matrix: Matrix) -> list[str]:
    return [format_number_as_ds(float(number) + 0.0) for number in matrix.ravel()]


def _name_series(content: Dataset, images: Sequence[Mapping[str, str]]) -> None:
    """The series of all images: those of this study, and those of others by their study."""
    studies: dict[str, dict[str, list[Dataset]]] = {}
    for image in images:
        series = studies.setdefault(image["StudyInstanceUID"], {})
        series.setdefault(image["SeriesInstanceUID"], []).append(reference_to(image))
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
