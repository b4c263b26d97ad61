"""DICOM X-rays: stored pixels, polarity and C-arm as the tags tell them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLossless,
    RLELossless,
)

import DicomFiles
from prostreg.errors import InputError
from prostreg.images.xray_reading import read_xray_image

HIP = Path(__file__).parents[3] / "shared" / "data" / "xray" / "hip_cr" / "hip_cr.dcm"

PICTURE = (np.arange(48)[:, None] * 40 + np.arange(64)[None, :] * 7).astype(np.uint16)


def write_xray(
    path: Path, modality: str = "XA", pixels: NDArray[np.generic] = PICTURE, *given: Any, **tags: Any
) -> Path:
    return DicomFiles.write_xray(path, modality, pixels, *given, **tags)


@pytest.mark.parametrize("modality", ["XA", "RF", "DX", "CR"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_pixels_are_those_stored(tmp_path: Path, modality: str, dtype: type, syntax: UID) -> None:
    pixels = (PICTURE % 251).astype(dtype)
    path = write_xray(tmp_path / "x.dcm", modality, pixels, syntax, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_xray_image(path).pixels, pixels)


def test_a_name_without_suffix_will_do(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_xray_image(write_xray(tmp_path / "IM 0001")).pixels, PICTURE)


@pytest.mark.parametrize(
    ("modality", "tags", "polarity"),
    [
        ("XA", {}, None),
        ("XA", {"PixelIntensityRelationship": "LIN"}, "bone-dark"),
        ("RF", {"PixelIntensityRelationship": "LOG"}, None),
        ("DX", {"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": -1}, "bone-bright"),
        ("DX", {"PixelIntensityRelationship": "LIN", "PixelIntensityRelationshipSign": 1}, "bone-dark"),
        ("DX", {"PhotometricInterpretation": "MONOCHROME1"}, "bone-dark"),
        ("CR", {"PhotometricInterpretation": "MONOCHROME2"}, "bone-bright"),
    ],
)
def test_polarity_from_tags(tmp_path: Path, modality: str, tags: dict[str, Any], polarity: str | None) -> None:
    assert read_xray_image(write_xray(tmp_path / "x.dcm", modality, **tags)).polarity == polarity


def test_carm_from_tags(tmp_path: Path) -> None:
    """Spacing stands as (between rows, between columns) in DICOM; the detector is square-on."""
    path = write_xray(
        tmp_path / "x.dcm", DistanceSourceToDetector="1020.0", ImagerPixelSpacing=[0.4, 0.3], PixelSpacing=[0.2, 0.15]
    )
    carm = read_xray_image(path).carm
    assert carm is not None
    assert carm.size == (64, 48)
    np.testing.assert_allclose(carm.intrinsics, [[3400, 0, 31.5], [0, 2550, 23.5], [0, 0, 1]])
    assert carm.spacing_mm == (0.3, 0.4)
    assert carm.sdd_mm == pytest.approx(1020)
    np.testing.assert_array_equal(carm.camera_from_world, np.eye(4))


@pytest.mark.parametrize(
    "tags",
    [
        {"DistanceSourceToDetector": "1020.0", "PixelSpacing": [0.3, 0.3]},
        {"ImagerPixelSpacing": [0.3, 0.3]},
        {"DistanceSourceToDetector": "0", "ImagerPixelSpacing": [0.3, 0.3]},
        {"DistanceSourceToDetector": None, "ImagerPixelSpacing": None},
    ],
)
def test_tags_that_make_no_carm(tmp_path: Path, tags: dict[str, Any]) -> None:
    assert read_xray_image(write_xray(tmp_path / "x.dcm", **tags)).carm is None


def test_detector_element_spacing_stands_in(tmp_path: Path) -> None:
    path = write_xray(tmp_path / "x.dcm", "DX", DistanceSourceToDetector="1800", DetectorElementSpacing=[0.15, 0.15])
    carm = read_xray_image(path).carm
    assert carm is not None
    assert carm.intrinsics[0, 0] == pytest.approx(12000)


def only_fault(path: Path) -> str:
    with pytest.raises(InputError) as raised:
        read_xray_image(path)
    assert len(raised.value.faults) == 1
    return raised.value.faults[0]


def test_colour(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    tags = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PixelData": colours.tobytes()}
    assert "colour (RGB)" in only_fault(write_xray(tmp_path / "x.dcm", "XA", colours[..., 0], **tags))


def test_no_pixels(tmp_path: Path) -> None:
    path = write_xray(tmp_path / "x.dcm", PixelData=None)
    assert "pixel" in only_fault(path)


def test_pixels_that_cannot_be_decoded(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from pydicom.encaps import encapsulate

    path = write_xray(
        tmp_path / "x.dcm", syntax=JPEGLossless, PixelData=encapsulate([b"\xff\xd8 no such JPEG \xff\xd9"])
    )
    assert "JPEG Lossless" in only_fault(path)
    assert capfd.readouterr() == ("", "")


def test_run_length_encoding(tmp_path: Path) -> None:
    path = write_xray(tmp_path / "x.dcm")
    import pydicom

    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless)
    dataset.save_as(path)
    np.testing.assert_array_equal(read_xray_image(path).pixels, PICTURE)


def test_damaged_bytes_are_a_fault_or_harmless(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = write_xray(tmp_path / "x.dcm", DistanceSourceToDetector="1000", ImagerPixelSpacing=[0.3, 0.3])
    whole = path.read_bytes()
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(4):
            damaged[rng.integers(0, 1400)] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            read_xray_image(path)
        except InputError:
            refused += 1
    assert refused > 20


@pytest.mark.skipif(not HIP.exists(), reason="../shared/data is not there")
def test_real_hip_radiograph() -> None:
    image = read_xray_image(HIP)
    assert image.pixels.shape == (2140, 1760)
    assert image.polarity == "bone-bright"
    assert image.carm is None  # it has no source distance
