"""Damaged and hostile image files."""

from __future__ import annotations

import gzip
import io
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image
from targets import Target, damaged

from DicomFiles import COMPRESSED, PLAIN, segments, write_ct, write_in, write_segmentation, write_xray
from HandmadeFiles import FLAT, VALUES, metaimage, nifti, nifti2, nrrd, png, tiff
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.xray_reading import read_xray_image

NUMBERS = [
    "-1",
    "0",
    "1",
    "2",
    "3",
    "nan",
    "inf",
    "1e308",
    "-1e308",
    "99999999999999999999",
    "0x10",
    "",
    "(1,2)",
    "none",
]
NRRD_FIELDS = [
    "type", "dimension", "sizes", "spacings", "endian", "encoding", "kinds", "space", "space_origin",
    "space_directions", "data_file", "byte_skip", "line_skip", "axis_mins", "units", "space_dimension", "centers",
]  # fmt: skip
METAIMAGE_FIELDS = [
    "ObjectType", "NDims", "DimSize", "ElementType", "ElementSpacing", "ElementSize", "Offset", "Position",
    "HeaderSize", "TransformMatrix", "BinaryData", "CompressedData", "ElementByteOrderMSB", "ElementNumberOfChannels",
    "ElementDataFile", "DistanceUnits",
]  # fmt: skip
WORDS = [
    "True",
    "False",
    "LOCAL",
    "LIST",
    "a%02d.raw 1 5 1",
    "a%02d.raw 1 8 1",
    "a.raw",
    "../beside/a.raw",
    "/dev/zero",
    "%d%d 1 2 1",
    "gzip",
    "text",
    "hex",
    "bzip2",
    "double",
    "RAS",
]

texts = st.one_of(
    st.lists(st.sampled_from(NUMBERS), max_size=16).map(" ".join),
    st.sampled_from(WORDS),
    st.text(st.characters(max_codepoint=255, exclude_characters="\n"), max_size=40),
)


def _headers(
    make: Callable[..., bytes], fields: list[str], data: bytes = VALUES.tobytes(), **sound: str
) -> st.SearchStrategy[bytes]:
    """Sound files with some fields replaced or left out."""
    changes = st.dictionaries(st.sampled_from(fields), st.one_of(st.none(), texts), max_size=4)
    return changes.map(lambda change: make(data, **{**sound, **change}))


def _saved(name: str, mode: str = "L") -> bytes:
    file = io.BytesIO()
    Image.fromarray((FLAT & 0xFF).astype(np.uint8)).convert(mode).save(file, name)
    return file.getvalue()


_TIFFS = [
    tiff([FLAT.tobytes()], FLAT.shape),
    tiff([zlib.compress(FLAT.tobytes())], FLAT.shape, t259=8, t317=2),
    tiff([bytes([255, 7]) * 30], (4, 10), t259=32773),
    tiff([bytes(512)] * 4, (20, 20), t322=16, t323=16, t273=[], t279=[], t324=[8, 520, 1032, 1544], t325=[512] * 4),
]

_TAGS = [
    b"\x28\x00\x02\x00", b"\x28\x00\x04\x00", b"\x28\x00\x08\x00", b"\x28\x00\x10\x00", b"\x28\x00\x11\x00",
    b"\x28\x00\x00\x01", b"\x28\x00\x01\x01", b"\x28\x00\x02\x01", b"\x28\x00\x03\x01", b"\x28\x00\x30\x00",
    b"\x28\x00\x52\x10", b"\x28\x00\x53\x10", b"\x20\x00\x32\x00", b"\x20\x00\x37\x00", b"\x18\x00\x10\x11",
    b"\x18\x00\x64\x11", b"\x02\x00\x10\x00", b"\xe0\x7f\x10\x00", b"\x00\x52\x30\x92", b"\x20\x00\x13\x91",
]  # fmt: skip


_PIECES = [b"\xff" * 4, bytes(4), b"SQ", b"\xfe\xff\x00\xe0", b"\\1e308"]


@st.composite
def _damaged_dicom(draw: st.DrawFn, sound: list[bytes]) -> bytes:
    """A sound file, with the kind, length or value of elements changed, or damaged anywhere."""
    content = bytearray(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(1, 4))):
        place = content.find(draw(st.sampled_from(_TAGS)))
        if place < 0 or draw(st.booleans()):
            place = draw(st.integers(128, max(128, len(content) - 1)))
        place += draw(st.sampled_from([0, 4, 6, 8, 8, 10, 12]))
        piece = draw(st.one_of(st.binary(max_size=8), st.sampled_from(_PIECES)))
        content[place : place + draw(st.sampled_from([len(piece), 0, 2, 4]))] = piece
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 3)) == 0 else content)


def _written(write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "a")
        return (Path(folder) / "a").read_bytes()


def _read_slices(path: Path) -> object:
    """A CT whose second slice is sound."""
    write_ct(path.with_name("sound.dcm"), SLICE, [0, 0, 2])
    return read_ct(path.parent)


def _read_detached(path: Path) -> object:
    """A CT of a header beside sound voxels: in one file, zipped, and a file for each slice."""
    path.with_name("a.raw").write_bytes(VALUES.tobytes())
    path.with_name("a.raw.gz").write_bytes(gzip.compress(VALUES.tobytes()))
    for number, piece in enumerate(VALUES, start=1):
        path.with_name(f"a{number:02d}.raw").write_bytes(piece.tobytes())
    return read_ct(path)


_NHDRS = [
    nrrd(b"", data_file="a.raw"),
    nrrd(b"", data_file="a.raw.gz", encoding="gzip"),
    nrrd(b"", data_file="a%02d.raw 1 8 1"),
    nrrd(b"", data_file="LIST", extra=b"") + b"\n".join(b"a%02d.raw" % number for number in range(1, 9)),
]
_MHDS = [
    metaimage(b"", ElementDataFile="a.raw"),
    metaimage(b"", ElementDataFile="a%02d.raw 1 8 1"),
    metaimage(b"\n".join(b"a%02d.raw" % number for number in range(1, 9)), ElementDataFile="LIST"),
]

_PNGS = [png(bytes(900), (20, 44)), _saved("PNG", "RGB"), _saved("PNG", "P")]
SLICE = (np.arange(256).reshape(16, 16) * 8).astype(np.uint16)
_XRAYS = [_written(lambda path, syntax=syntax: write_in(path, syntax)) for syntax in PLAIN]
_XRAYS.append(_written(lambda path: write_xray(path, DistanceSourceToDetector=1000, ImagerPixelSpacing=[0.3, 0.3])))
_SLICES = [_written(lambda path: write_ct(path, SLICE, [0, 0, 0]))]
_SEGMENTATIONS = [
    _written(lambda path, kind=kind: write_segmentation(path, segments(), kind=kind)) for kind in ("BINARY", "LABELMAP")
]
_STREAMS = [_written(lambda path, syntax=syntax: write_in(path, syntax)) for syntax in COMPRESSED]

TARGETS = {
    "nrrd": Target("a.nrrd", read_ct, st.one_of(_headers(nrrd, NRRD_FIELDS), damaged([nrrd()]))),
    "metaimage": Target("a.mha", read_ct, st.one_of(_headers(metaimage, METAIMAGE_FIELDS), damaged([metaimage()]))),
    "nifti": Target("a.nii", read_ct, damaged([nifti(), nifti2(), gzip.compress(nifti())])),
    "tiff": Target("a.tif", read_xray_image, damaged(_TIFFS)),
    "png": Target("a.png", read_xray_image, damaged(_PNGS)),
    "jpeg": Target("a.jpg", read_xray_image, damaged([_saved("JPEG"), _saved("JPEG", "RGB")])),
    "bmp": Target("a.bmp", read_xray_image, damaged([_saved("BMP"), _saved("BMP", "1")])),
    "dicom": Target("a.dcm", read_xray_image, _damaged_dicom(_XRAYS)),
    "dicom slices": Target("ct/a.dcm", _read_slices, _damaged_dicom(_SLICES)),
    "dicom labels": Target("seg.dcm", read_labels, _damaged_dicom(_SEGMENTATIONS)),
    "dicom compressed": Target("b.dcm", read_xray_image, _damaged_dicom(_STREAMS), one_in=10),
    "nrrd picture": Target("x.nrrd", read_xray_image, _headers(nrrd, NRRD_FIELDS)),
    "nrrd detached": Target(
        "beside/a.nhdr",
        _read_detached,
        st.one_of(_headers(nrrd, NRRD_FIELDS, b"", data_file="a.raw"), damaged(_NHDRS)),
    ),
    "metaimage detached": Target(
        "beside/a.mhd",
        _read_detached,
        st.one_of(_headers(metaimage, METAIMAGE_FIELDS, b"", ElementDataFile="a.raw"), damaged(_MHDS)),
    ),
    "metaimage picture": Target("x.mha", read_xray_image, _headers(metaimage, METAIMAGE_FIELDS)),
}
