"""Padding around a DICOM picture: left out of X-rays, and air in CTs, whatever number it was given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from DicomFiles import PICTURE, write_ct, write_xray
from prostreg.errors import InputError
from prostreg.images.reading import read_ct
from prostreg.images.xray_reading import read_xray_image

SIZE = 40
_ROWS, _COLUMNS = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
OUTSIDE = np.hypot(_ROWS, _COLUMNS) > SIZE / 2
BODY = np.hypot(_ROWS, _COLUMNS) < 12


@pytest.mark.parametrize(
    ("kind", "value", "tags"),
    [
        (np.uint16, 65535, {"PixelPaddingValue": 65535}),
        (np.int16, -2000, {"PixelPaddingValue": -2000}),
        (np.uint16, 5000, {"PixelPaddingValue": 4990, "PixelPaddingRangeLimit": 5010}),
    ],
)
def test_padding_of_an_xray_is_left_out_and_said(tmp_path: Path, kind: type, value: int, tags: dict[str, int]) -> None:
    pixels = np.pad(PICTURE.astype(kind), 2, constant_values=value)
    pixels[8, 8] = value  # inside, the same value is the patient's
    image = read_xray_image(write_xray(tmp_path / "x.dcm", pixels=pixels, **tags))
    assert image.open_part is not None
    inside = np.zeros(pixels.shape, dtype=bool)
    inside[2:-2, 2:-2] = True
    np.testing.assert_array_equal(image.open_part, inside)
    assert "By PixelPaddingValue 33% of the image" in " ".join(image.notes)


@pytest.mark.parametrize("kind", ["Float", "DoubleFloat"])
def test_padding_of_floats_is_left_out(tmp_path: Path, kind: str) -> None:
    pixels = np.pad(PICTURE / 1000.0, 2, constant_values=-1e6).astype("<f4" if kind == "Float" else "<f8")
    path = write_xray(tmp_path / "x.dcm", pixels=pixels, **{f"{kind}PixelPaddingValue": -1e6})
    dataset = pydicom.dcmread(path)
    del dataset.PixelData
    setattr(dataset, f"{kind}PixelData", pixels.tobytes())
    dataset.save_as(path)
    image = read_xray_image(path)
    assert image.open_part is not None
    assert image.open_part.sum() == PICTURE.size


def test_a_value_that_would_cover_all_is_no_padding(tmp_path: Path) -> None:
    pixels = np.full((20, 20), 7, np.uint16)
    pixels[10, 10] = 900
    assert read_xray_image(write_xray(tmp_path / "x.dcm", pixels=pixels, PixelPaddingValue=7)).open_part is None


def test_some_dark_pixels_at_the_border_are_no_padding(tmp_path: Path) -> None:
    pixels = np.full((60, 60), 500, np.uint16)
    pixels[20:40, 20:40], pixels[0, 3:7] = 900, 0
    image = read_xray_image(write_xray(tmp_path / "x.dcm", pixels=pixels, PixelPaddingValue=0))
    assert image.open_part is None
    assert not any("Padding" in note for note in image.notes)


def body(value: int) -> NDArray[np.uint16]:
    pixels = np.where(BODY, 1100, 24).astype(np.uint16)
    pixels[18:22, 18:22] = 2000
    return np.where(OUTSIDE, value, pixels).astype(np.uint16)


@pytest.mark.parametrize(
    ("value", "told", "bits"), [(4095, 4095, 16), (2000, 2000, 16), (63536, -2000, 16), (63536, 63536, 12)]
)
def test_dense_padding_of_a_ct_is_air(tmp_path: Path, value: int, told: int, bits: int) -> None:
    for k in range(3):
        tags = {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": 0}
        path = write_ct(tmp_path / f"{k}.dcm", body(value), [0, 0, k], **tags)
        path.write_bytes(with_padding_value(path.read_bytes(), told % 65536))
    hu = read_ct(tmp_path).values
    assert (hu[:, OUTSIDE] == -1024).all()
    assert (hu[:, 18:22, 18:22] == 976).all()


def with_padding_value(content: bytes, value: int) -> bytes:
    """The file with PixelPaddingValue behind BitsStored's group, whatever its kind of value would allow."""
    place = content.index(b"\x28\x00\x52\x10")  # RescaleIntercept, the next element in order
    return content[:place] + b"\x28\x00\x20\x01US\x02\x00" + value.to_bytes(2, "little") + content[place:]


@pytest.mark.parametrize(("keyword", "usual"), [("RescaleIntercept", -1024), ("RescaleSlope", 2)])
def test_slices_of_which_some_tell_no_hu_are_refused(tmp_path: Path, keyword: str, usual: int) -> None:
    for k in range(3):
        write_ct(tmp_path / f"{k}.dcm", body(24), [0, 0, k], **{keyword: None if k == 1 else usual})
    with pytest.raises(InputError, match=rf"1\.dcm in the CT folder .* has no {keyword}, which 2 of 3 slices have"):
        read_ct(tmp_path)


@pytest.mark.parametrize(
    ("step_mm", "tags", "words"),
    [
        (1, {"PixelSpacing": [800, 800]}, "the pixel spacing 800 x 800 mm"),
        (1, {"PixelSpacing": [0.0008, 0.0008]}, "the pixel spacing 0.0008 x 0.0008 mm"),
        (0.001, {}, "1 x 1 x 0.001 mm: one of them must be in another unit"),
        (500, {}, "slices that lie 500 mm apart"),
        (1e7, {}, "farther away than 1e\\+06 mm"),
    ],
)
def test_distances_that_no_ct_has_are_refused(tmp_path: Path, step_mm: float, tags: dict, words: str) -> None:
    for k in range(3):
        write_ct(tmp_path / f"{k}.dcm", body(24), [0, 0, step_mm * k], **tags)
    with pytest.raises(InputError, match=words):
        read_ct(tmp_path)


def test_a_ct_without_contrast_is_none(tmp_path: Path) -> None:
    for k in range(3):
        write_ct(tmp_path / f"{k}.dcm", body(24), [0, 0, k], RescaleSlope=0.001)
    with pytest.raises(InputError, match=r"values from -1023\.98 to -1022 only: these are no HU"):
        read_ct(tmp_path)
