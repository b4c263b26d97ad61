"""Image files that are sound in form and mean something else than they seem to: read right, or refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DicomFiles import PICTURE, write_ct, write_xray
from HandmadeFiles import VALUES, metaimage, nrrd, tiff
from prostreg.errors import InputError
from prostreg.geometry.carm_accuracy import GUESSED
from prostreg.images.reading import read_ct
from prostreg.images.xray_reading import read_xray_image

CARM = {"DistanceSourceToDetector": 1000, "ImagerPixelSpacing": [0.3, 0.3]}
GREY = (PICTURE >> 4).astype(np.uint8)


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_xray_image(path) if path.suffix in (".dcm", ".tif") else read_ct(path)
    return " ".join(caught.value.faults)


@pytest.mark.parametrize("modality", ["CT", "MR", "PT", "NM", "US", "RTDOSE"])
def test_images_that_are_no_projections_are_no_xrays(tmp_path: Path, modality: str) -> None:
    write_ct(tmp_path / "x.dcm", PICTURE, [0, 0, 0], Modality=modality, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert f"is no X-ray of a C-arm, its Modality is {modality}" in refused(tmp_path / "x.dcm")


@pytest.mark.parametrize("modality", ["XA", "RF", "DX", "CR", "OT", "RTIMAGE", "MG", None])
def test_projections_of_any_device_are_xrays(tmp_path: Path, modality: str | None) -> None:
    image = read_xray_image(write_xray(tmp_path / "x.dcm", "CR", **CARM, Modality=modality))
    np.testing.assert_array_equal(image.pixels, PICTURE)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"PixelAspectRatio": [2, 1]}, "1 times as high as wide, and PixelAspectRatio 2 times"),
        ({"PixelSpacing": [0.1, 0.2]}, "1 times as high as wide, and PixelSpacing 0.5 times"),
        (
            {"ImagerPixelSpacing": [0.4, 0.3], "PixelSpacing": [0.2, 0.2]},
            "1.33 times as high as wide, and PixelSp",
        ),
    ],
)
def test_pixels_of_two_shapes_are_said_and_trusted_less(tmp_path: Path, tags: dict[str, Any], said: str) -> None:
    image = read_xray_image(write_xray(tmp_path / "x.dcm", "XA", **(CARM | tags)))
    assert image.note is not None
    assert said in image.note
    assert image.carm is not None
    assert image.carm.accuracy == GUESSED


@pytest.mark.parametrize("tags", [{"PixelSpacing": [0.2, 0.2]}, {"PixelAspectRatio": [1, 1]}, {"PixelSpacing": [0, 0]}])
def test_pixels_of_one_shape_are_not_talked_about(tmp_path: Path, tags: dict[str, Any]) -> None:
    assert read_xray_image(write_xray(tmp_path / "x.dcm", "XA", **(CARM | tags))).note is None


def test_no_field_makes_oblong_pixels_square(tmp_path: Path) -> None:
    tags = {"DistanceSourceToDetector": 1000, "IntensifierSize": 100, "PixelAspectRatio": [2, 1]}
    assert read_xray_image(write_xray(tmp_path / "x.dcm", "XA", **tags)).carm is None


@pytest.mark.parametrize("kind", ["YBR_FULL", "YBR_FULL_422", "MONOCHROME2"])
def test_colours_are_called_what_the_file_calls_them(tmp_path: Path, kind: str) -> None:
    colours = np.stack([GREY] * 3, axis=-1).tobytes()
    tags = {"SamplesPerPixel": 3, "PhotometricInterpretation": kind, "PixelData": colours, "PlanarConfiguration": 0}
    write_xray(tmp_path / "x.dcm", "XA", GREY, **tags)
    assert f'is stored in colours (3 values per pixel, "{kind}")' in refused(tmp_path / "x.dcm")


@pytest.mark.parametrize("photometric", [1, 2])
def test_a_tiff_of_several_channels_is_grey_only_where_they_are_alike(tmp_path: Path, photometric: int) -> None:
    """Programs store colours as three channels of grey, too."""
    channels = np.stack([PICTURE] * 3, axis=-1)
    path = tmp_path / "x.tif"
    tags: dict[str, int | list[int]] = {"t258": [16, 16, 16], "t277": 3, "t262": photometric}
    path.write_bytes(tiff([channels.astype("<u2").tobytes()], PICTURE.shape, **tags))
    np.testing.assert_array_equal(read_xray_image(path).pixels, PICTURE)
    channels[3, 4:9, 1] = 0
    path.write_bytes(tiff([channels.astype("<u2").tobytes()], PICTURE.shape, **tags))
    assert "colour" in refused(path)


def test_a_stack_of_imagej_is_no_image_of_one_frame(tmp_path: Path) -> None:
    content = tiff([PICTURE.astype("<u2").tobytes()], PICTURE.shape)
    (tmp_path / "x.tif").write_bytes(content + b"ImageJ=1.54f\nimages=5\nslices=5\nloop=false\n\0")
    assert "has 5 frames" in refused(tmp_path / "x.tif")
    (tmp_path / "x.tif").write_bytes(content + b"ImageJ=1.54f\nimages=1\n\0")
    assert read_xray_image(tmp_path / "x.tif").pixels.shape == PICTURE.shape


@pytest.mark.parametrize(("tags", "said"), [({"t266": 2}, "FillOrder"), ({"t254": 1}, "only previews or masks")])
def test_tiffs_that_are_not_read_say_why(tmp_path: Path, tags: dict[str, int], said: str) -> None:
    (tmp_path / "x.tif").write_bytes(tiff([PICTURE.astype("<u2").tobytes()], PICTURE.shape, **tags))
    assert said in refused(tmp_path / "x.tif")


def test_voxels_lie_where_a_metaimage_says_also_behind_its_header(tmp_path: Path) -> None:
    path = tmp_path / "ct.mha"
    path.write_bytes(metaimage(b"words" + VALUES.tobytes(), HeaderSize="-1"))
    np.testing.assert_array_equal(read_ct(path).values, VALUES)
    header = len(metaimage(b"", HeaderSize="1000"))
    path.write_bytes(metaimage(bytes(1000 - header) + VALUES.tobytes(), HeaderSize="1000"))
    np.testing.assert_array_equal(read_ct(path).values, VALUES)
    path.write_bytes(metaimage(HeaderSize="100"))
    assert "byte 100 (HeaderSize), which is within the header" in refused(path)


@pytest.mark.parametrize("lowest", [0, -1024, 3000])
def test_greys_are_no_hu_wherever_they_begin(tmp_path: Path, lowest: int) -> None:
    """A window of HU in 8 bits, with the intercept of a CT left in the file."""
    values = (np.arange(720) % 256 + lowest).astype("<i2")
    (tmp_path / "ct.nrrd").write_bytes(nrrd(values.tobytes()))
    assert f"has values from {lowest} to {lowest + 255} only" in refused(tmp_path / "ct.nrrd")


@pytest.mark.parametrize(("voxel", "said"), [("0.05 0.05 0.2", "is only 6 x 6 x 13 mm large"), ("0.5 0.5 2", None)])
def test_a_scan_smaller_than_any_part_of_a_person_is_said(tmp_path: Path, voxel: str, said: str | None) -> None:
    """As of one whose distances are in cm."""
    values = np.tile(np.array([-1000, 40, 40, 900], "<i2"), 1 << 18)
    (tmp_path / "ct.nrrd").write_bytes(nrrd(values.tobytes(), sizes="128 128 64", spacings=voxel))
    note = read_ct(tmp_path / "ct.nrrd").note
    assert note is None if said is None else said in str(note)
