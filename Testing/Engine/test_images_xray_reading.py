"""X-ray images come as they are stored, from every format, or are refused with a reason."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from PIL import Image, ImageOps

from HandmadeFiles import png
from prostreg.errors import InputError
from prostreg.images.xray_reading import read_mask_image, read_xray_image


def picture(dtype: type) -> NDArray[np.generic]:
    """Not square, and different under every flip and turn."""
    v, u = np.mgrid[:40, :56]
    values = 3.0 * u + 1.0 * v + np.where((u < 10) & (v < 6), 60.0, 0.0)
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("name", ["x.tif", "x.TIFF", "x.nrrd", "x.mha", "x.nii", "x.nii.gz"])
def test_nothing_is_flipped(tmp_path: Path, name: str, dtype: type) -> None:
    assert_read_as_stored(tmp_path / name, dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_nothing_is_flipped_in_png(tmp_path: Path, dtype: type) -> None:
    assert_read_as_stored(tmp_path / "x.png", dtype)


def assert_read_as_stored(path: Path, dtype: type) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(picture(dtype)), str(path))
    image = read_xray_image(path)
    assert image.pixels.dtype == np.float32
    np.testing.assert_array_equal(image.pixels, picture(dtype))
    assert image.carm is None
    assert image.polarity is None


def test_one_slice_volume_with_any_directions(tmp_path: Path) -> None:
    """As Slicer saves an oriented fluoroscopy: the pixels' order counts, not their place."""
    image = sitk.GetImageFromArray(picture(np.int16)[np.newaxis])
    image.SetDirection((0, 1, 0, 0, 0, -1, -1, 0, 0))
    sitk.WriteImage(image, str(tmp_path / "Fluoro Ü.nrrd"))
    np.testing.assert_array_equal(read_xray_image(tmp_path / "Fluoro Ü.nrrd").pixels, picture(np.int16))


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_grey_stored_as_colour(tmp_path: Path, name: str, mode: str) -> None:
    Image.fromarray(picture(np.uint8)).convert(mode).save(tmp_path / name)
    np.testing.assert_array_equal(read_xray_image(tmp_path / name).pixels, picture(np.uint8))


def test_grey_and_alpha_in_16_bits(tmp_path: Path) -> None:
    grey = picture(np.uint16) * 200
    rows = b"".join(b"\0" + np.stack([row, 65535 - row], -1).astype(">u2").tobytes() for row in grey)
    (tmp_path / "x.png").write_bytes(png(rows, grey.shape, depth=16, colour=4))
    np.testing.assert_array_equal(read_xray_image(tmp_path / "x.png").pixels, grey)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
def test_the_orientation_of_exif_is_applied(tmp_path: Path, name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(picture(np.uint8)).save(tmp_path / name, exif=exif, quality=100)
    with Image.open(tmp_path / name) as stored:
        shown = ImageOps.exif_transpose(stored)
    np.testing.assert_array_equal(read_xray_image(tmp_path / name).pixels, np.asarray(shown))


def test_a_picture_for_print_is_no_grey_image(tmp_path: Path) -> None:
    Image.fromarray(picture(np.uint8)).convert("CMYK").save(tmp_path / "x.jpg")
    with pytest.raises(InputError, match=r"x\.jpg is a picture for print \(CMYK\)"):
        read_xray_image(tmp_path / "x.jpg")


def test_a_jpeg_of_a_thousand_scans_is_refused(tmp_path: Path) -> None:
    """Half a megabyte of them took 40 s."""
    Image.fromarray(picture(np.uint8)).save(tmp_path / "x.jpg", progressive=True)
    content = (tmp_path / "x.jpg").read_bytes()
    assert read_xray_image(tmp_path / "x.jpg").pixels.shape == (40, 56)
    scan = content[content.rindex(b"\xff\xda") : -2]
    (tmp_path / "x.jpg").write_bytes(content[:-2] + 1000 * scan + content[-2:])
    with pytest.raises(InputError, match="has more than 100 scans"):
        read_xray_image(tmp_path / "x.jpg")


def test_a_mask_that_was_compressed_with_loss_is_refused(tmp_path: Path) -> None:
    Image.fromarray((picture(np.uint8) > 100).view(np.uint8) * np.uint8(255)).save(tmp_path / "m.jpg")
    with pytest.raises(InputError, match=r"The mask m\.jpg is a JPEG"):
        read_mask_image(tmp_path / "m.jpg")


def test_palette_of_greys(tmp_path: Path) -> None:
    grey = Image.fromarray(picture(np.uint8))
    grey.quantize(256).save(tmp_path / "x.png")
    read = read_xray_image(tmp_path / "x.png").pixels
    assert np.abs(read - picture(np.uint8)).max() <= 1


def only_fault(path: Path) -> str:
    with pytest.raises(InputError) as raised:
        read_xray_image(path)
    assert len(raised.value.faults) == 1
    assert path.name in raised.value.faults[0]
    return raised.value.faults[0]


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
def test_colour(tmp_path: Path, name: str) -> None:
    colours = np.stack([picture(np.uint8)] * 3, axis=-1)
    colours[5, 5] = (255, 0, 0)
    Image.fromarray(colours).save(tmp_path / name)
    assert "colour (RGB)" in only_fault(tmp_path / name)


def test_colour_in_nrrd(tmp_path: Path) -> None:
    grey = sitk.GetImageFromArray(picture(np.uint8))
    sitk.WriteImage(sitk.Compose([grey, grey, sitk.Cast(grey / 2, sitk.sitkUInt8)]), str(tmp_path / "x.nrrd"))
    assert "colour (RGB)" in only_fault(tmp_path / "x.nrrd")


def test_several_frames_are_counted(tmp_path: Path) -> None:
    stack = np.stack([picture(np.uint8)] * 5)
    sitk.WriteImage(sitk.GetImageFromArray(stack), str(tmp_path / "x.nrrd"))
    assert "has 5 frames" in only_fault(tmp_path / "x.nrrd")
    frames = [Image.fromarray(frame) for frame in stack]
    frames[0].save(tmp_path / "x.tif", save_all=True, append_images=frames[1:])
    assert "has 5 frames" in only_fault(tmp_path / "x.tif")


def test_constant(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.full((20, 30), 7, np.uint16)), str(tmp_path / "x.tif"))
    assert "constant, all pixels are 7" in only_fault(tmp_path / "x.tif")


@pytest.mark.parametrize("name", ["x.tif", "x.nrrd", "x.nii"])
def test_not_finite(tmp_path: Path, name: str) -> None:
    values = picture(np.float32)
    values[3, 4] = np.nan
    sitk.WriteImage(sitk.GetImageFromArray(values), str(tmp_path / name))
    assert "NaN" in only_fault(tmp_path / name)


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.nrrd", "x.mha", "x.nii", "x.dcm", "x.bmp"])
def test_garbage(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_bytes(b"not an image at all " * 50)
    assert "read" in only_fault(tmp_path / name)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.nrrd", "x.mha", "x.nii", "x.nii.gz"])
def test_cut_short(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 60000, (80, 90)).astype(np.uint16)
    sitk.WriteImage(sitk.GetImageFromArray(noise), str(tmp_path / name))
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    assert "damaged" in only_fault(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_missing_and_folder(tmp_path: Path) -> None:
    assert "does not exist" in only_fault(tmp_path / "none.tif")
    (tmp_path / "x.tif").mkdir()
    assert "is a folder: give the file in it" in only_fault(tmp_path / "x.tif")


def test_no_warning_of_a_library_is_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A colour profile that libpng and Pillow grumble about."""
    Image.fromarray(picture(np.uint8)).save(tmp_path / "x.png")
    raw = (tmp_path / "x.png").read_bytes()
    body = b"iCCP" + b"broken\0\0" + zlib.compress(b"no profile")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "x.png").write_bytes(raw[:33] + chunk + raw[33:])
    np.testing.assert_array_equal(read_xray_image(tmp_path / "x.png").pixels, picture(np.uint8))
    assert capfd.readouterr() == ("", "")
