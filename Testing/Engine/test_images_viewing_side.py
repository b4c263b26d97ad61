"""From which side a DICOM X-ray is seen: what its tags decide, what is said, and that a case may overrule it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from DicomSides import DETECTOR, SIDES, SOURCE, UNKNOWN

from DicomFiles import write_xray
from prostreg.images.xray_preparation import prepare_xray
from prostreg.images.xray_reading import read_xray_image
from prostreg.registration.case import View
from prostreg.registration.case_file import read_case

PICTURE = (np.arange(48)[:, None] * 40 + np.arange(64)[None, :] * 7).astype(np.uint16)
HEIGHT, WIDTH = PICTURE.shape
K = [[2000.0, 3.0, 20.0], [0.0, 2100.0, 15.0], [0.0, 0.0, 1.0]]
TOLD = {"K": K, "size": [WIDTH, HEIGHT]}
DISTANCES = {"DistanceSourceToDetector": "1000", "ImagerPixelSpacing": [0.5, 0.5]}


@pytest.mark.parametrize(("modality", "tags", "side", "words"), SIDES)
def test_the_side_that_the_tags_tell(tmp_path: Path, modality: str, tags: dict[str, Any], side: str, words: str):
    image = read_xray_image(write_xray(tmp_path / "x.dcm", modality, PICTURE, **tags))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.side.is_from_detector is (side == DETECTOR)
    assert side in image.side.sentence
    assert words in image.side.sentence
    decided = {DETECTOR: "are exchanged, ", SOURCE: "stay, ", UNKNOWN: "stay: "}
    assert image.side.sentence.startswith(f"Left and right {decided[side]}")


def view_of(folder: Path, flip: bool | None = None, camera: dict[str, Any] | None = None, **tags: Any) -> View:
    """The view of a case with an XA image, a mask of its left half, and a CT of one bright block."""
    values = np.zeros((12, 12, 12), dtype=np.float32)
    values[3:9, 3:9, 3:9] = 900.0
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((4.0, 4.0, 4.0))
    sitk.WriteImage(image, str(folder / "ct.nii.gz"))
    write_xray(folder / "x.dcm", "XA", PICTURE, **tags)
    sitk.WriteImage(sitk.GetImageFromArray(MASK.astype(np.uint8)), str(folder / "mask.nrrd"))
    view = {"image": "x.dcm", "mask": "mask.nrrd", "polarity": "bone-bright"}
    view |= {} if flip is None else {"flip": flip}
    view |= {} if camera is None else {"camera": camera}
    (folder / "case.json").write_text(json.dumps({"name": "case", "ct": "ct.nii.gz", "views": [view]}))
    (made,) = read_case(folder).views
    return made


@pytest.mark.parametrize(("flip", "orientation"), [(None, ["L", "F"]), (False, None), (True, None), (None, None)])
def test_a_side_is_known_where_the_user_or_the_tags_tell_it(tmp_path: Path, flip: bool | None, orientation: Any):
    tags = {} if orientation is None else {"PatientOrientation": orientation}
    view = view_of(tmp_path, flip, TOLD, **tags)
    assert view.is_side_known is (flip is not None or orientation is not None)


MASK = np.zeros(PICTURE.shape, dtype=bool)
MASK[:, : WIDTH // 2] = True


def shows(view: View, pixels: np.ndarray, mask: np.ndarray) -> bool:
    expected = prepare_xray(pixels.astype(np.float32), "bone-bright", mask)
    return np.array_equal(view.xray.line_integrals, expected.line_integrals) and np.array_equal(view.xray.mask, mask)


@pytest.mark.parametrize(("flip", "orientation"), [(None, ["L", "F"]), (True, ["L", "F"]), (True, ["R", "F"])])
def test_pixels_mask_and_camera_are_exchanged_together(tmp_path: Path, flip: bool | None, orientation: list[str]):
    view = view_of(tmp_path, flip, TOLD, PatientOrientation=orientation)
    assert shows(view, PICTURE[:, ::-1], MASK[:, ::-1])
    np.testing.assert_array_equal(view.carm.intrinsics, [[2000, -3, WIDTH - 1 - 20], [0, 2100, 15], [0, 0, 1]])
    np.testing.assert_array_equal(view.carm.camera_from_world, np.eye(4))


@pytest.mark.parametrize(("flip", "orientation"), [(None, ["R", "F"]), (False, ["R", "F"]), (False, ["L", "F"])])
def test_nothing_is_exchanged_where_the_tags_or_the_case_say_so(
    tmp_path: Path, flip: bool | None, orientation: list[str]
):
    view = view_of(tmp_path, flip, TOLD, PatientOrientation=orientation)
    assert shows(view, PICTURE, MASK)
    np.testing.assert_array_equal(view.carm.intrinsics, K)


def test_the_axis_by_the_tags_goes_with_the_pixels(tmp_path: Path):
    field = {"FieldOfViewOrigin": [60, 40], "DetectorActiveDimensions": [60.0, 80.0]}
    carms = [view_of(tmp_path, flip, **DISTANCES, **field, PatientOrientation=[]).carm for flip in (False, True, None)]
    (u, v), turned, decided = (carm.principal_point for carm in carms)
    assert u != (WIDTH - 1) / 2
    assert turned == decided == (WIDTH - 1 - u, v)


def test_the_decision_is_said_and_what_a_case_decides_is_not(tmp_path: Path):
    (note,) = view_of(tmp_path, **DISTANCES).notes
    assert note.startswith("View 1: Left and right are exchanged, the picture is stored as seen from the detector: ")
    assert note.endswith('"flip" of the view overrules this.')
    assert view_of(tmp_path, True, **DISTANCES).notes == ()
    assert view_of(tmp_path, False, **DISTANCES).notes == ()


def test_other_files_are_seen_from_the_source(tmp_path: Path):
    sitk.WriteImage(sitk.GetImageFromArray(PICTURE), str(tmp_path / "x.nrrd"))
    assert read_xray_image(tmp_path / "x.nrrd").side is None
