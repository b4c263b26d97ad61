"""Sizes in compressed DICOM streams are compared with the tags before a decoder makes room for them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from pydicom.uid import UID

from DicomFiles import STREAMS, stream, write_xray
from prostreg.errors import InputError
from prostreg.images.dicom.stream_size import told_size
from prostreg.images.xray_reading import read_xray_image

JPEG_LOSSLESS, JPEG_LS, JPEG_2000 = (UID(f"1.2.840.10008.1.2.4.{end}") for end in (70, 80, 90))


@pytest.mark.parametrize("syntax", [syntax for syntax in STREAMS if not syntax.startswith("signed")])
def test_every_kind_of_stream_tells_its_size(syntax: str) -> None:
    assert told_size(stream(syntax)) == (16, 20, 1)


def larger(syntax: UID, rows: int, columns: int, values: int) -> bytes:
    content = bytearray(stream(syntax))
    if syntax == JPEG_2000:
        struct.pack_into(">2I", content, 8, columns, rows)
        struct.pack_into(">H", content, 40, values)
        return bytes(content)
    place = max(content.find(b"\xff\xc3"), content.find(b"\xff\xf7"))
    struct.pack_into(">2HB", content, place + 5, rows, columns, values)
    return bytes(content)


@pytest.mark.parametrize("syntax", [JPEG_LOSSLESS, JPEG_LS, JPEG_2000], ids=lambda uid: uid.name)
@pytest.mark.parametrize("told", [(65535, 65535, 1), (16, 20, 4), (15, 20, 1)])
def test_a_stream_that_tells_another_size_reaches_no_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syntax: UID, told: tuple[int, int, int]
) -> None:
    monkeypatch.setattr("prostreg.images.dicom.decoding.run_confined", lambda *given: pytest.fail("it was decoded"))
    write_xray(tmp_path / "x.dcm", syntax=syntax, compressed=larger(syntax, *told), BitsStored=12, HighBit=11)
    with pytest.raises(InputError) as caught:
        read_xray_image(tmp_path / "x.dcm")
    assert (
        f"its tags say 16 x 20 pixels of 1 value, and its compressed data {told[0]} x {told[1]} of {told[2]}"
        in (caught.value.faults[0])
    )


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xff\xff", b"\xff\x4f\xff\x51\0", b"no stream"])
def test_what_tells_no_size_is_left_to_the_decoder(content: bytes) -> None:
    assert told_size(content) is None
    assert told_size(content + b"\xff\xda" + bytes(20)) is None
