"""Pixels of DICOM images are those stored, and their polarity that of the stored values, in every transfer syntax."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    RLELossless,
)

from DicomFiles import COMPRESSED, PICTURE, PLAIN, stream, write_in, write_xray
from prostreg.errors import FaultList, InputError
from prostreg.images.xray_reading import read_xray_image

SIGNED = [*PLAIN, RLELossless, UID("1.2.840.10008.1.2.4.70"), UID("1.2.840.10008.1.2.4.90")]
LOSS = {"1.2.840.10008.1.2.4.50": 2, "1.2.840.10008.1.2.4.51": 3, "1.2.840.10008.1.2.4.81": 2}
LOSS["1.2.840.10008.1.2.4.91"] = 40


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("syntax", [*PLAIN, *COMPRESSED], ids=lambda uid: uid.name)
def test_no_transfer_syntax_turns_values_round(tmp_path: Path, syntax: UID, photometric: str) -> None:
    """Slope and photometric interpretation tell how values are shown; what is read are the stored ones."""
    path = tmp_path / "x.dcm"
    tags = {"PhotometricInterpretation": photometric, "RescaleSlope": -2, "RescaleIntercept": 5000}
    stored = write_in(path, syntax, "CR", **tags)
    image = read_xray_image(path)
    np.testing.assert_allclose(image.pixels, stored, atol=LOSS.get(syntax, 0))
    assert image.polarity == ("bone-bright" if photometric == "MONOCHROME1" else "bone-dark")


@pytest.mark.parametrize("syntax", SIGNED, ids=lambda uid: uid.name)
def test_signed_values_keep_their_sign(tmp_path: Path, syntax: UID) -> None:
    path = tmp_path / "x.dcm"
    stored = write_in(path, syntax, is_signed=True)
    assert stored.min() < 0
    np.testing.assert_array_equal(read_xray_image(path).pixels, stored)


@pytest.mark.parametrize("is_signed", [False, True])
def test_bits_beside_those_stored_do_not_count(tmp_path: Path, is_signed: bool) -> None:
    """12 bits at the upper end of 16, as of old devices, with an overlay in the lowest bit."""
    values = PICTURE.astype(np.int32) - (1500 if is_signed else 0)
    kind = np.int16 if is_signed else np.uint16
    path = write_xray(tmp_path / "x.dcm", pixels=((values << 4) | 1).astype(kind), BitsStored=12, HighBit=15)
    np.testing.assert_array_equal(read_xray_image(path).pixels, values)


def test_eight_bits_in_words_of_the_other_byte_order(tmp_path: Path) -> None:
    pixels = (PICTURE // 16).astype(np.uint8)
    swapped = np.frombuffer(pixels.tobytes(), "<u2").byteswap().tobytes()
    path = write_xray(tmp_path / "x.dcm", pixels=pixels, syntax=ExplicitVRBigEndian)
    content = path.read_bytes()
    path.write_bytes(content.replace(pixels.tobytes(), swapped).replace(b"\x7f\xe0\x00\x10OB", b"\x7f\xe0\x00\x10OW"))
    np.testing.assert_array_equal(read_xray_image(path).pixels, pixels)


def lookup(first: int, last: int) -> Sequence:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [16, 0, 16])
    table.add_new("LUTData", "US", [int(value) for value in np.linspace(first, last, 16)])
    return Sequence([table])


@pytest.mark.parametrize(
    ("tags", "polarity"),
    [
        ({}, "bone-bright"),
        ({"RescaleSlope": -1, "RescaleIntercept": 4095}, "bone-dark"),
        ({"VOILUTSequence": lookup(4095, 0)}, "bone-dark"),
        ({"VOILUTSequence": lookup(0, 4095)}, "bone-bright"),
        ({"ModalityLUTSequence": lookup(4095, 0)}, "bone-dark"),
        ({"RescaleSlope": -1, "RescaleIntercept": 4095, "VOILUTSequence": lookup(4095, 0)}, "bone-bright"),
        ({"RescaleSlope": -1, "RescaleIntercept": 0, "PhotometricInterpretation": "MONOCHROME1"}, "bone-bright"),
        ({"RescaleSlope": -1, "RescaleIntercept": 0, "PixelIntensityRelationshipSign": 1}, "bone-dark"),
        ({"PresentationLUTShape": "IDENTITY"}, "bone-bright"),
        ({"PresentationLUTShape": "INVERSE", "PhotometricInterpretation": "MONOCHROME1"}, "bone-dark"),
        ({"PresentationLUTShape": "INVERSE"}, None),
    ],
)
def test_lookups_that_fall_turn_the_display_over(tmp_path: Path, tags: dict[str, Any], polarity: str | None) -> None:
    """The standard's way: stored values, modality and VOI lookup, photometric interpretation; bone is shown white."""
    assert read_xray_image(write_xray(tmp_path / "x.dcm", "CR", **tags)).polarity == polarity


def packed_lookup(descriptor: list[int], data: bytes) -> Sequence:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", descriptor)
    table.add_new("LUTData", "OW", data)
    return Sequence([table])


@pytest.mark.parametrize("falls", [False, True])
@pytest.mark.parametrize(
    ("descriptor", "kind", "last"),
    [
        ([255, 0, 8], "u1", 0),  # an odd number of bytes has one more
        ([256, 0, 8], "<u2", 0),
        ([300, 0, 16], "<u2", 0),
        ([300, 0, 16], "<u2", 9),  # more than the descriptor says
        ([0, 0, 16], "<u2", 0),  # 65536
    ],
)
def test_lookups_of_any_layout_are_judged_as_a_whole(
    tmp_path: Path, falls: bool, descriptor: list[int], kind: str, last: int
) -> None:
    """The ends tell nothing: they may be padding, or cut off."""
    count = descriptor[0] or 65536
    table = np.arange(count)[:: -1 if falls else 1].astype(kind)
    table[0] = table[-1] = 0
    data = table.tobytes() + bytes(last * 2 + len(table.tobytes()) % 2)
    image = read_xray_image(write_xray(tmp_path / "x.dcm", "CR", VOILUTSequence=packed_lookup(descriptor, data)))
    assert image.polarity == ("bone-dark" if falls else "bone-bright")


def test_a_palette_of_colours_is_no_grey_value(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is stored by a palette of colours"):
        read_xray_image(write_xray(tmp_path / "x.dcm", PhotometricInterpretation="PALETTE COLOR"))


def test_tags_that_contradict_each_other_are_said_and_do_not_decide(tmp_path: Path) -> None:
    tags = {"PixelIntensityRelationshipSign": 1, "PhotometricInterpretation": "MONOCHROME2"}
    image = read_xray_image(write_xray(tmp_path / "x.dcm", "CR", **tags))
    assert image.polarity is None
    assert image.polarity_note is not None
    assert "contradict each other" in image.polarity_note
    not_shown = read_xray_image(write_xray(tmp_path / "y.dcm", "DX", **tags))  # for processing: only the sign tells
    assert (not_shown.polarity, not_shown.polarity_note) == ("bone-dark", None)


def refused(path: Path) -> str:
    with pytest.raises(InputError) as raised:
        read_xray_image(path)
    (fault,) = raised.value.faults
    return fault


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"Rows": 0}, "20 x 0 pixels"),
        ({"Rows": 60000, "Columns": 60000}, "60000 x 60000 pixels"),
        ({"Rows": 17}, "ends before its last pixel"),
        ({"BitsAllocated": 12, "BitsStored": 12, "HighBit": 11}, "12 bits per pixel"),
        ({"BitsStored": 17}, "BitsStored 17 and HighBit 15 do not fit"),
        ({"BitsStored": 12, "HighBit": 9}, "BitsStored 12 and HighBit 9 do not fit"),
        ({"BitsStored": 12, "HighBit": 16}, "BitsStored 12 and HighBit 16 do not fit"),
    ],
)
def test_sizes_are_held_against_the_bytes(tmp_path: Path, tags: dict[str, Any], said: str) -> None:
    assert said in refused(write_xray(tmp_path / "x.dcm", **tags))


@pytest.mark.parametrize("syntax", COMPRESSED, ids=lambda uid: uid.name)
def test_streams_that_are_cut_or_damaged_end_in_words(tmp_path: Path, syntax: UID) -> None:
    """Whatever a decoder makes of it, this process lives on: values or a sentence come out."""
    whole = stream(syntax) if syntax != RLELossless else b"\2" + bytes(63) + b"\x7f" * 20
    damaged = bytearray(whole[: len(whole) * 2 // 3])
    for place in np.random.default_rng(3).integers(0, len(damaged), 8):
        damaged[place] ^= 0x55
    write_xray(tmp_path / "x.dcm", syntax=syntax, compressed=bytes(damaged), BitsStored=12, HighBit=11)
    outcome = FaultList()
    image = outcome.collect(lambda: read_xray_image(tmp_path / "x.dcm"))
    assert (image is None) == bool(outcome.faults)
    assert all("x.dcm" in fault for fault in outcome.faults)


def test_a_stream_of_another_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    syntax = UID("1.2.840.10008.1.2.4.70")
    write_xray(path, syntax=syntax, compressed=stream(syntax), Rows=32, Columns=40, BitsStored=12, HighBit=11)
    assert "its tags say 32 x 40 pixels of 1 value, and its compressed data 16 x 20 of 1" in refused(path)


def test_no_deflated_file_is_inflated_without_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transfer syntax may stand anywhere in the header: whatever pydicom would inflate is inflated here."""
    path = tmp_path / "x.dcm"
    picture = write_in(path, DeflatedExplicitVRLittleEndian)
    content = path.read_bytes()
    version = content.index(b"\x02\x00\x01\x00OB\0\0") + 8
    header = bytearray(content[:version] + struct.pack("<I", 3002) + bytes(3000) + content[version + 4 :])
    struct.pack_into("<I", header, 140, struct.unpack_from("<I", header, 140)[0] + 3000)
    path.write_bytes(header)
    np.testing.assert_array_equal(read_xray_image(path).pixels, picture)
    monkeypatch.setattr("prostreg.images.dicom.opening.MOST_INFLATED", 500)
    assert "unpacks to more than" in refused(path)


def test_a_deflated_file_that_is_damaged_or_endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.dcm"
    write_in(path, DeflatedExplicitVRLittleEndian)
    monkeypatch.setattr("prostreg.images.dicom.opening.MOST_INFLATED", 500)
    assert "unpacks to more than" in refused(path)
    monkeypatch.undo()
    path.write_bytes(path.read_bytes()[:-300])
    assert "ends before its last pixel" in refused(path)
    path.write_bytes(path.read_bytes()[:-300] + b"\xff" * 300)
    assert "x.dcm is a deflated DICOM file that is damaged" in refused(path)
