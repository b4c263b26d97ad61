"""registration.dcm: a pose that other programs read back as it was, with the series that it is about."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from DicomFiles import write_ct, write_xray
from prostreg.geometry.frames import transform_points
from prostreg.outputs.case_outputs import write_case_outputs
from prostreg.outputs.dicom_object import write_object
from prostreg.outputs.spatial_registration import spatial_registration
from prostreg.registration.case import Case, CaseFiles
from prostreg.registration.case_file import read_case
from prostreg.registration.result import Result

POSE = np.eye(4)
POSE[:3, :3] = Rotation.from_euler("xyz", [95, -7, 3], degrees=True).as_matrix()
POSE[:3, 3] = -12.25, 31.5, 600.125
SECOND = np.eye(4)
SECOND[:3, :3] = Rotation.from_euler("y", 80, degrees=True).as_matrix()
SECOND[:3, 3] = 400.5, 0.25, 300.0
RESULT = Result(
    name="case", status="accepted", confidence=0.9, world_from_volume=POSE, camera_from_volume=(POSE, SECOND @ POSE),
    stages=(), seconds=1.0, device="cpu", projector="fused-cpu", mtre_mm=None, config={}, versions={},
)  # fmt: skip
CT_UIDS = {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.1", "FrameOfReferenceUID": "1.2.1.9"}
XRAY = {"DistanceSourceToDetector": 1000, "ImagerPixelSpacing": [2.0, 2.0], "PatientName": "Who^Ever"}


def write_files(folder: Path, ct: dict[str, Any], *xrays: dict[str, Any]) -> Path:
    """A CT of a cube, and X-rays; gives the case file."""
    pixels = np.full((20, 20), 24, np.uint16)
    pixels[6:14, 6:14] = 1900
    for number in range(12):
        write_ct(folder / "ct" / f"{number}.dcm", pixels, [0, 0, 2.0 * number], **ct)
    views = []
    for number, tags in enumerate(xrays):
        noise = np.random.default_rng(number).integers(0, 4000, (60, 80)).astype(np.uint16)
        write_xray(folder / f"x{number}.dcm", "XA", noise, **(XRAY | tags))
        views.append({"image": f"x{number}.dcm", "camera": {"camera_from_world": (np.eye(4), SECOND)[number].tolist()}})
    (folder / "case.json").write_text(json.dumps({"name": "case", "ct": "ct", "views": views}))
    return folder / "case.json"


@pytest.fixture
def two_views(tmp_path: Path) -> Case:
    study = {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.5"}
    other = {"StudyInstanceUID": "1.2.7", "SeriesInstanceUID": "1.2.7.5", "FrameOfReferenceUID": "1.2.7.9"}
    return read_case(write_files(tmp_path, CT_UIDS, study, other))


def written(case: Case, path: Path, result: Result = RESULT) -> pydicom.Dataset:
    content = spatial_registration(case, result)
    assert content is not None
    write_object(path, content)
    return pydicom.dcmread(path)


def matrix_of(item: pydicom.Dataset) -> NDArray[np.float64]:
    (registration,) = item.MatrixRegistrationSequence
    (matrix,) = registration.MatrixSequence
    assert matrix.FrameOfReferenceTransformationMatrixType == "RIGID"
    return np.array(matrix.FrameOfReferenceTransformationMatrix, dtype=np.float64).reshape(4, 4)


def test_the_pose_reads_back_as_it_was(two_views: Case, tmp_path: Path) -> None:
    """A place of the CT in DICOM's own axes comes to the same place before each C-arm."""
    read = written(two_views, tmp_path / "r.dcm")
    ct, first, second = read.RegistrationSequence
    assert ct.FrameOfReferenceUID == "1.2.1.9"
    np.testing.assert_allclose(matrix_of(ct) @ np.diag([-1.0, -1, 1, 1]), POSE, atol=1e-9)
    place_ras = np.array([[3.0, -4.0, 17.0]])
    world = transform_points(matrix_of(ct), place_ras * (-1, -1, 1))
    for item, expected in ((first, POSE), (second, SECOND @ POSE)):
        seen = transform_points(np.linalg.inv(matrix_of(item)), world)
        np.testing.assert_allclose(seen, transform_points(expected, place_ras), atol=1e-8)


def test_the_right_series_are_named(two_views: Case, tmp_path: Path) -> None:
    read = written(two_views, tmp_path / "r.dcm")
    assert read.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.1"
    assert (read.Modality, read.StudyInstanceUID) == ("REG", "1.2.1")
    here = {item.SeriesInstanceUID: len(item.ReferencedInstanceSequence) for item in read.ReferencedSeriesSequence}
    assert here == {"1.2.1.1": 12, "1.2.1.5": 1}
    (study,) = read.StudiesContainingOtherReferencedInstancesSequence
    assert study.StudyInstanceUID == "1.2.7"
    assert [item.SeriesInstanceUID for item in study.ReferencedSeriesSequence] == ["1.2.7.5"]
    ct, first, second = read.RegistrationSequence
    sop = {str(pydicom.dcmread(path).SOPInstanceUID) for path in (tmp_path / "ct").iterdir()}
    assert {item.ReferencedSOPInstanceUID for item in ct.ReferencedImageSequence} == sop
    assert len(sop) == 12
    for number, item in enumerate((first, second)):
        (image,) = item.ReferencedImageSequence
        assert image.ReferencedSOPInstanceUID == pydicom.dcmread(tmp_path / f"x{number}.dcm").SOPInstanceUID
    assert second.FrameOfReferenceUID == "1.2.7.9"
    assert read.FrameOfReferenceUID not in {item.FrameOfReferenceUID for item in read.RegistrationSequence}


def test_of_a_run_in_a_folder_the_registered_frame_is_named(tmp_path: Path) -> None:
    path = write_files(tmp_path, CT_UIDS, {})
    (tmp_path / "run").mkdir()
    uids = {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.5"}
    for number in (1, 2, 3):
        noise = np.random.default_rng(number).integers(0, 4000, (60, 80)).astype(np.uint16)
        write_xray(tmp_path / "run" / f"{9 - number}.dcm", "XA", noise, InstanceNumber=number, **(XRAY | uids))
    content = json.loads(path.read_text())
    content["views"][0] |= {"image": "run", "frame": 3}
    path.write_text(json.dumps(content))
    read = written(read_case(path), tmp_path / "r.dcm")
    (image,) = read.RegistrationSequence[1].ReferencedImageSequence
    assert image.ReferencedSOPInstanceUID == pydicom.dcmread(tmp_path / "run" / "6.dcm").SOPInstanceUID


def test_nobody_is_named(two_views: Case, tmp_path: Path) -> None:
    read = written(two_views, tmp_path / "r.dcm")
    assert (str(read.PatientName), read.PatientID) == ("", "")
    assert b"Who" not in (tmp_path / "r.dcm").read_bytes()


@pytest.mark.parametrize("shared", ["1.2.1.9", "1.2.8"])
def test_one_frame_lies_at_one_place(tmp_path: Path, shared: str) -> None:
    tags = {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.5", "FrameOfReferenceUID": shared}
    read = written(read_case(write_files(tmp_path, CT_UIDS, tags, tags)), tmp_path / "r.dcm")
    assert len({item.FrameOfReferenceUID for item in read.RegistrationSequence}) == 3


def test_without_frame_or_series_or_dicom_or_pose_there_is_none(two_views: Case, tmp_path: Path) -> None:
    study = {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.5"}
    assert spatial_registration(two_views, replace(RESULT, status="failed")) is None
    assert spatial_registration(replace(two_views, files=None), RESULT) is None
    files = two_views.files
    assert files is not None
    assert spatial_registration(replace(two_views, files=CaseFiles(tmp_path / "ct.nrrd", files.xrays)), RESULT) is None
    no_frame = read_case(write_files(tmp_path / "a", CT_UIDS | {"FrameOfReferenceUID": None}, study))
    assert spatial_registration(no_frame, RESULT) is None
    no_series = read_case(write_files(tmp_path / "b", CT_UIDS, {"StudyInstanceUID": "1.2.1"}))
    assert spatial_registration(no_series, RESULT) is None
    for path in (tmp_path / "ct").iterdir():
        path.unlink()
    assert spatial_registration(two_views, RESULT) is None


def test_it_lies_beside_the_other_results_and_goes_with_them(two_views: Case, tmp_path: Path) -> None:
    result = replace(RESULT, camera_from_volume=(POSE, SECOND @ POSE))
    assert "registration.dcm" in write_case_outputs(tmp_path / "out", two_views, result)
    assert (tmp_path / "out" / "registration.dcm").is_file()
    write_case_outputs(tmp_path / "out", two_views, replace(result, status="failed"))
    assert not (tmp_path / "out" / "registration.dcm").exists()
