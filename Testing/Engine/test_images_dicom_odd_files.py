"""DICOM files as old archives and cone-beam devices write them: read, or said to be what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from DicomFiles import PICTURE, write_ct, write_in, write_xray
from prostreg.errors import InputError
from prostreg.images.reading import read_ct
from prostreg.images.xray_reading import read_xray_image


def without_preamble(path: Path, is_meta_kept: bool = False) -> Path:
    """The same file without its first 132 bytes, or without all that comes before the data set."""
    content = path.read_bytes()
    meta_bytes = int.from_bytes(content[140:144], "little")
    path.write_bytes(content[132:] if is_meta_kept else content[144 + meta_bytes :])
    return path


@pytest.mark.parametrize("name", ["x.dcm", "x"])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_a_data_set_without_meta_header(tmp_path: Path, name: str, syntax: str) -> None:
    path = without_preamble(write_xray(tmp_path / name, syntax=syntax, DistanceSourceToDetector=1000))
    np.testing.assert_array_equal(read_xray_image(path).pixels, PICTURE)


def test_a_meta_header_without_preamble(tmp_path: Path) -> None:
    path = without_preamble(write_xray(tmp_path / "x"), is_meta_kept=True)
    np.testing.assert_array_equal(read_xray_image(path).pixels, PICTURE)


def series(folder: Path, **tags: object) -> Path:
    slices = np.random.default_rng(5).integers(0, 1500, (4, 16, 16)).astype(np.uint16)
    for number, pixels in enumerate(slices):
        write_ct(folder / f"{number}", pixels, [0, 0, 2.0 * number], **tags)
    return folder


def test_a_ct_without_meta_headers(tmp_path: Path) -> None:
    expected = read_ct(series(tmp_path / "ct"))
    for path in (tmp_path / "ct").iterdir():
        without_preamble(path)
    read = read_ct(tmp_path / "ct")
    np.testing.assert_array_equal(read.values, expected.values)
    np.testing.assert_array_equal(read.volume_from_index, expected.volume_from_index)


@pytest.mark.parametrize("modality", ["XA", "OT"])
def test_a_cone_beam_ct_in_slices_of_another_name_is_read_and_said(tmp_path: Path, modality: str) -> None:
    read = read_ct(series(tmp_path / "ct", Modality=modality))
    assert read.size == (16, 16, 4)
    assert read.note is not None
    assert f"stored as {modality} and not as CT" in read.note


def test_a_ct_goes_before_angiograms_beside_it(tmp_path: Path) -> None:
    series(tmp_path / "ct")
    series(tmp_path / "ct" / "angio", Modality="XA", SeriesInstanceUID="1.2.4")
    assert read_ct(tmp_path / "ct").note is None


def refused(path: Path) -> str:
    with pytest.raises(InputError) as raised:
        read_ct(path)
    (fault,) = raised.value.faults
    return fault


def test_other_images_are_called_what_they_are(tmp_path: Path) -> None:
    fault = refused(series(tmp_path / "mr", Modality="MR"))
    assert "no DICOM slices of a CT, only other images (4 x MR)" in fault


def test_a_volume_in_frames_is_called_so(tmp_path: Path) -> None:
    folder = tmp_path / "cone beam"
    folder.mkdir()
    path = write_xray(folder / "a.dcm", "XA", np.stack([PICTURE] * 3), NumberOfFrames=3)
    for place in (folder, path):
        fault = refused(place)
        assert "3 frames" in fault
        assert "load it in Slicer and save it as NRRD" in fault
    write_ct(tmp_path / "enhanced" / "a.dcm", np.stack([PICTURE] * 3), [0, 0, 0], NumberOfFrames=3)
    assert "multi-frame (enhanced) CT" in refused(tmp_path / "enhanced")


def test_a_segmentation_is_no_ct(tmp_path: Path) -> None:
    path = write_xray(tmp_path / "seg.dcm", "SEG", np.stack([PICTURE] * 3), NumberOfFrames=3)
    assert "segmentation" in refused(path)


def test_compressed_slices_come_out_as_stored(tmp_path: Path) -> None:
    """One child decodes them all; each has its own transfer syntax, slope and intercept."""
    syntaxes = [ExplicitVRLittleEndian, RLELossless, *(UID(f"1.2.840.10008.1.2.4.{end}") for end in (70, 80, 90, 201))]
    for number, syntax in enumerate(syntaxes):
        place = {"ImagePositionPatient": [0, 0, 2.0 * number], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        tags = {"PixelSpacing": [1, 1], "SeriesInstanceUID": "1.2", "RescaleSlope": 1 + number % 2}
        write_in(tmp_path / f"{number}", syntax, "CT", RescaleIntercept=-1024, **place, **tags)
    read = read_ct(tmp_path)
    for number, values in enumerate(read.values):
        np.testing.assert_array_equal(values, PICTURE * (1.0 + number % 2) - 1024)


def test_a_damaged_compressed_slice_is_named(tmp_path: Path) -> None:
    series(tmp_path / "ct", SamplesPerPixel=1)
    syntax = UID("1.2.840.10008.1.2.4.70")
    tags = {"PixelSpacing": [1, 1], "SeriesInstanceUID": "1.2.3", "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    pixels = np.zeros((16, 16), np.uint16)
    place = tmp_path / "ct" / "bad"
    write_xray(place, "CT", pixels, syntax, b"\xff\xd8 no JPEG \xff\xd9", ImagePositionPatient=[0, 0, 8.0], **tags)
    fault = refused(tmp_path / "ct")
    assert "bad in the CT folder ct cannot be decoded (JPEG Lossless" in fault
