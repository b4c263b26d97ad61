"""Damaged and odd DICOM X-rays: the sentence that each gets; none ends in anything else than an InputError."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, JPEGLosslessSV1, RLELossless

from DicomFiles import PICTURE, run_lengths, stream, write_xray
from prostreg.errors import FaultList, InputError
from prostreg.images.frames import Frames
from prostreg.images.xray_reading import read_xray_image

RUN = np.stack([PICTURE] * 3)
GOOD = stream(JPEGLosslessSV1)
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 8)

Write = Callable[[Path], object]


def plain(**tags: Any) -> Write:
    return lambda path: write_xray(path, **tags)


def run(**tags: Any) -> Write:
    return lambda path: write_xray(path, "XA", RUN, **({"NumberOfFrames": 3} | tags))


def packed(data: bytes, syntax: UID = JPEGLosslessSV1, **tags: Any) -> Write:
    given = {"BitsStored": 12, "HighBit": 11, "PixelData": data} | tags
    return lambda path: write_xray(path, "XA", PICTURE, syntax, b"\0\0", **given)


def cut(write: Write, kept: int) -> Write:
    def shorten(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes()[:kept])

    return shorten


def renamed(write: Write) -> Write:
    """The same file in a transfer syntax that nobody has."""

    def rename(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes().replace(JPEGLosslessSV1.encode(), b"1.2.840.10008.1.2.4.79"))

    return rename


TWO = encapsulate([GOOD] * 2)
THREE = {"NumberOfFrames": 3}
MALFORMED: list[tuple[str, Write, str]] = [
    ("empty file", lambda path: path.write_bytes(b""), "not a readable DICOM file: export it anew"),
    ("text", lambda path: path.write_text("no image"), "not a readable DICOM file: export it anew"),
    ("preamble alone", lambda path: path.write_bytes(bytes(128) + b"DICM"), "has no pixel data: give the image itself"),
    ("cut in its tags", cut(plain(), 400), "has no pixel data: give the image itself"),
    ("cut in its pixels", cut(plain(), -40), "ends before its last pixel: copy or export it anew"),
    ("run cut in its last frame", cut(run(), -40), "ends before its last pixel: copy or export it anew"),
    ("no rows", plain(Rows=None), "has 20 x 0 pixels, from 1 to 100 million are read"),
    ("no columns", plain(Columns=0), "has 0 x 16 pixels"),
    ("two rows' numbers", plain(Rows=[16, 16]), "has 20 x 0 pixels"),
    ("65535 x 65535", plain(Rows=65535, Columns=65535), "has 65535 x 65535 pixels"),
    ("more rows than pixels", plain(Rows=17), "ends before its last pixel"),
    ("a million frames", run(NumberOfFrames=1000000), "ends before its last pixel"),
    ("more frames than pixels", run(NumberOfFrames=4), "ends before its last pixel"),
    ("no depth", plain(BitsAllocated=0), "has 0 bits per pixel (BitsAllocated)"),
    ("24 bits", plain(BitsAllocated=24), "has 24 bits per pixel (BitsAllocated), which is not read here"),
    ("1 bit", plain(BitsAllocated=1), "has 1 bits per pixel (BitsAllocated)"),
    ("more bits stored than there are", plain(BitsStored=20), "BitsStored 20 and HighBit 15 do not fit"),
    ("high bit beyond", plain(BitsStored=12, HighBit=16), "BitsStored 12 and HighBit 16 do not fit"),
    ("high bit below", plain(BitsStored=12, HighBit=3), "BitsStored 12 and HighBit 3 do not fit"),
    ("four values per pixel", plain(SamplesPerPixel=4), "is stored in colours"),
    ("palette", plain(SamplesPerPixel=3, PhotometricInterpretation="PALETTE COLOR"), "is stored in colours"),
    ("colours cut off", plain(SamplesPerPixel=3, PhotometricInterpretation="RGB"), "ends before its last pixel"),
    ("no pixels", plain(PixelData=None), "has no pixel data"),
    ("constant", plain(pixels=np.full((16, 20), 7, np.uint16)), "is constant, all pixels are 7: it shows nothing"),
    ("7 x 7", plain(pixels=PICTURE[:7, :7].copy()), "has the shape (7, 7): an image of 8 x 8 pixels or more is needed"),
    ("no JPEG", packed(encapsulate([b"\xff\xd8 nothing \xff\xd9"])), "cannot be decoded (JPEG Lossless"),
    ("JPEG cut off", packed(encapsulate([GOOD[: len(GOOD) // 2]])), "cannot be decoded (JPEG Lossless"),
    ("JPEG of another size", packed(encapsulate([GOOD]), Rows=15), "its tags say 15 x 20 pixels of 1 value, and its"),
    ("frames without pixels", packed(ITEM + bytes(8), **THREE), "has no compressed pixels: export it anew"),
    ("frames that are no items", packed(ITEM + b"x" * 64, **THREE), "compressed pixels are cut off or mixed up"),
    ("an item cut off", packed(encapsulate([GOOD] * 3)[:-100], **THREE), "compressed pixels are cut off or mixed up"),
    ("fewer frames than told", packed(TWO, **THREE), "NumberOfFrames is 3, and its pixels are in 2"),
    ("more frames than told", packed(encapsulate([GOOD] * 4), **THREE), "NumberOfFrames is 3, and its pixels are in 4"),
    ("damaged lengths of RLE", packed(encapsulate([b"\xff" * 64]), RLELossless), "cannot be decoded (RLE Lossless)"),
    ("RLE cut off", packed(encapsulate([run_lengths(PICTURE)[:200]]), RLELossless), "cannot be decoded (RLE Lossless)"),
    ("unknown transfer syntax", renamed(packed(encapsulate([GOOD]))), "1.2.840.10008.1.2.4.79"),
    ("a film", packed(encapsulate([GOOD]), UID("1.2.840.10008.1.2.4.102")), "cannot be decoded (MPEG-4 AVC/H.264"),
    ("deflated, cut off", cut(plain(syntax=DeflatedExplicitVRLittleEndian), -200), "ends before its last pixel"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "write", "words"), MALFORMED, ids=[kind for kind, _, _ in MALFORMED])
def test_each_gets_its_sentence(tmp_path: Path, kind: str, write: Write, words: str) -> None:
    write(tmp_path / "x.dcm")
    with pytest.raises(InputError) as raised:
        read_xray_image(tmp_path / "x.dcm")
    (fault,) = raised.value.faults
    assert words in fault, kind
    assert "x.dcm" in fault
    assert fault.endswith(".")


@pytest.mark.parametrize("number", range(60))
def test_runs_with_damaged_bytes_are_refused_or_read(tmp_path: Path, number: int) -> None:
    """Any frame of them, too."""
    rng = np.random.default_rng(number)
    path = tmp_path / "x.dcm"
    write_xray(path, "XA", RUN, NumberOfFrames=3, PositionerPrimaryAngle=3, PositionerPrimaryAngleIncrement=[1, 2, 3])
    damaged = bytearray(path.read_bytes())
    for place in rng.integers(132, len(damaged) - RUN.nbytes, 4):
        damaged[place] = rng.integers(0, 256)
    path.write_bytes(damaged)
    outcome = FaultList()
    image = outcome.collect(lambda: read_xray_image(path, Frames(2, 2)))
    assert image is not None or all(len(fault) < 400 for fault in outcome.faults)
