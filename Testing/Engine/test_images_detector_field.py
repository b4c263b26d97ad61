"""Where the beam's axis meets an image, by DICOM tags of fields of view that are not in the detector's middle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, XRayAngiographicImageStorage, generate_uid

from prostreg.geometry.frames import transform_points
from prostreg.images.dicom_geometry.carm_from_dicom import carm_from_dicom, field_trouble
from prostreg.registration.case_file import read_case

ROWS, COLUMNS = 40, 60
DETECTOR = {"DetectorActiveDimensions": [60.0, 80.0], "DetectorElementSpacing": [0.25, 0.25]}
"""Of 240 x 320 elements, so that the middle is element border (120, 160)."""


def tags(modality: str = "XA", **more: Any) -> Dataset:
    dataset = Dataset()
    dataset.Modality, dataset.Rows, dataset.Columns = modality, ROWS, COLUMNS
    dataset.DistanceSourceToDetector, dataset.ImagerPixelSpacing = "1000", [0.5, 0.5]
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    return dataset


def principal_point(**more: Any) -> tuple[float, float]:
    carm = carm_from_dicom(tags(**more))
    assert carm is not None
    return carm.principal_point


def test_without_these_tags_it_is_the_middle():
    assert principal_point() == (29.5, 19.5)
    assert principal_point(**DETECTOR) == (29.5, 19.5)
    assert carm_from_dicom(tags()).accuracy == "dicom"


def test_a_field_in_the_detectors_middle_is_like_none():
    assert principal_point(FieldOfViewOrigin=[80, 100], **DETECTOR) == (29.5, 19.5)


def test_a_field_beside_the_middle_moves_it():
    """The field starts 20 elements above and 60 left of the centred one: 10 and 30 pixels, the axis is that far in."""
    assert principal_point(FieldOfViewOrigin=[60, 40], **DETECTOR) == (29.5 + 30, 19.5 + 10)


def test_the_active_area_may_be_a_part_of_the_detector():
    moved = {"FieldOfViewOrigin": [60 + 8, 40 + 12], "DetectorActiveOrigin": [8, 12]}
    assert principal_point(**moved, **DETECTOR) == (29.5 + 30, 19.5 + 10)


def test_the_size_of_elements_follows_from_binning():
    dimensions = {"DetectorActiveDimensions": [60.0, 80.0], "DetectorBinning": [2, 2]}
    assert principal_point(FieldOfViewOrigin=[60, 40], **dimensions) == (29.5 + 30, 19.5 + 10)


def test_the_detectors_width_may_come_first():
    wide = {"DetectorActiveDimensions": [90.0, 30.0], "DetectorElementSpacing": [0.25, 0.25]}
    assert principal_point(FieldOfViewOrigin=[40, 200], **wide) == (29.5 - 40, 19.5 - 10)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", ["NO", "YES"])
def test_a_turned_and_mirrored_field(turn: int, flip: str):
    """The axis is where a picture of it goes, turned clockwise and then mirrored by numpy."""
    shape = (ROWS, COLUMNS) if turn in (0, 180) else (COLUMNS, ROWS)
    picture = np.zeros(shape)
    picture[11, 7] = 1.0
    picture = np.rot90(picture, -turn // 90)
    picture = picture[:, ::-1] if flip == "YES" else picture
    (row,), (column,) = np.nonzero(picture)
    # Element border (2 (11 + 0.5), 2 (7 + 0.5)) of the field is the detector's middle (120, 160).
    origin = [120 - 23, 160 - 15]
    found = principal_point(
        FieldOfViewOrigin=origin, FieldOfViewRotation=turn, FieldOfViewHorizontalFlip=flip, **DETECTOR
    )
    assert found == pytest.approx((column, row))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"FieldOfViewOrigin": [60, 40]}, "without DetectorActiveDimensions"),
        ({"FieldOfViewOrigin": [300, 40], **DETECTOR}, "put the image beyond the detector"),
        ({"FieldOfViewOrigin": [60, 40], "FieldOfViewRotation": 45, **DETECTOR}, "not a multiple of 90"),
    ],
)
def test_what_cannot_be_used_is_said_and_counts_as_little_known(more: dict[str, Any], words: str):
    carm = carm_from_dicom(tags(**more))
    assert carm.principal_point == (29.5, 19.5)
    assert carm.accuracy == "preset"
    assert words in field_trouble(tags(**more))


def test_nothing_is_said_where_nothing_is_wrong():
    assert field_trouble(tags()) is None
    assert field_trouble(tags(FieldOfViewOrigin=[0, 0])) is None
    assert field_trouble(tags(FieldOfViewOrigin=[60, 40], **DETECTOR)) is None


@pytest.mark.parametrize(
    ("modality", "accuracy"), [("XA", "dicom"), ("RF", "dicom"), ("DX", "preset"), ("CR", "preset")]
)
def test_how_well_a_distance_is_known_depends_on_the_device(modality: str, accuracy: str):
    assert carm_from_dicom(tags(modality)).accuracy == accuracy


def write_case(folder: Path, camera: dict[str, Any] | None, **more: Any) -> Path:
    """A case of a DICOM X-ray with an off-centre field, as stored, and a CT of one bright block."""
    import SimpleITK as sitk  # noqa: N813

    values = np.full((12, 12, 12), 0.0, dtype=np.float32)
    values[3:9, 3:9, 3:9] = 900.0
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((4.0, 4.0, 4.0))
    sitk.WriteImage(image, str(folder / "ct.nii.gz"))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = XRayAngiographicImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("x.dcm", tags(**more), file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "MONOCHROME2", 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelData = np.arange(ROWS * COLUMNS, dtype=np.uint16).tobytes()
    dataset.save_as(folder / "x.dcm", enforce_file_format=True)
    view = {"image": "x.dcm", "flip": False} | ({} if camera is None else {"camera": camera})
    (folder / "case.json").write_text(json.dumps({"name": "case", "ct": "ct.nii.gz", "views": [view]}))
    return folder


def test_a_case_takes_the_axis_from_the_tags_and_says_what_it_could_not_use(tmp_path: Path):
    (view,) = read_case(write_case(tmp_path, None, FieldOfViewOrigin=[60, 40], **DETECTOR)).views
    assert view.carm.principal_point == (59.5, 29.5)
    np.testing.assert_allclose(view.carm.project(transform_points(np.eye(4), [[0, 0, 500]])), [[59.5, 29.5]])
    assert view.notes == ()
    (view,) = read_case(write_case(tmp_path, None, FieldOfViewOrigin=[60, 40])).views
    assert view.notes[0].startswith("View 1: The DICOM tags do not tell where the beam's axis meets the image")


def test_a_camera_that_is_told_needs_no_tags(tmp_path: Path):
    told = {"K": [[2000, 0, 29.5], [0, 2000, 19.5], [0, 0, 1]], "size": [COLUMNS, ROWS]}
    (view,) = read_case(write_case(tmp_path, told, FieldOfViewOrigin=[60, 40])).views
    assert (view.notes, view.carm.accuracy) == ((), "calibrated")


def test_a_case_may_say_how_well_the_tags_are_to_be_believed(tmp_path: Path):
    (view,) = read_case(write_case(tmp_path, {"accuracy": "calibrated"}, FieldOfViewOrigin=[60, 40], **DETECTOR)).views
    assert (view.carm.accuracy, view.carm.principal_point) == ("calibrated", (59.5, 29.5))
