"""Beads in X-rays of every kind of DICOM file lie where the C-arm that is read puts them, to half a pixel."""

from __future__ import annotations

from pathlib import Path

import pytest
from DicomBeads import JPEG_2000, JPEG_LOSSLESS, PART, VARIANTS, error_px, read_error_px
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless

from DicomFiles import write_xray
from prostreg.images.xray_reading import read_xray_image

PLAIN = [(name, ExplicitVRLittleEndian) for name in VARIANTS]
COMPRESSED = [("XA", JPEG_LOSSLESS), ("XA, enhanced", RLELossless), ("DX", JPEG_2000)]


@pytest.mark.parametrize(("name", "syntax"), PLAIN + COMPRESSED)
def test_beads_lie_where_the_c_arm_puts_them(tmp_path: Path, name: str, syntax: UID) -> None:
    assert read_error_px(name, syntax, tmp_path)[0] <= 0.5


def test_beads_notice_a_c_arm_that_is_not_the_files(tmp_path: Path) -> None:
    """Without the tags of its field an image counts as the whole detector's."""
    tags = {"DistanceSourceToDetector": PART.sdd_mm, "ImagerPixelSpacing": PART.pixel_mm}
    write_xray(tmp_path / "x.dcm", "XA", PART.picture(), **tags)
    assert error_px(read_xray_image(tmp_path / "x.dcm")) > 20
