"""docs/formats.md says of every kind of file what reading it gives.

After a change on purpose, write the table anew: PYTHONPATH=Testing python Testing/Engine/test_docs_formats.py
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import DicomVariants
from HandmadeFiles import FLAT, VALUES, metaimage, nifti, nifti2, nrrd, packed, png, tiff
from prostreg.errors import InputError
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.volume import Volume
from prostreg.images.xray_reading import XRayImage, read_xray_image

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
BEGIN, END = "<!-- table by Testing/Engine/test_docs_formats.py -->", "<!-- end of the table -->"

_DIRECTIONS = {"spacings": None, "space": "LPS", "space_directions": "(2,0,0) (0,2,0) (0,0,3)"}
_LIST = {"dimension": "4", "kinds": "list domain domain domain"} | _DIRECTIONS
_LIST["space_directions"] = "none (2,0,0) (0,2,0) (0,0,3)"


_GREY_AND_ALPHA = b"".join(b"\0" + np.stack([row + 360, row], -1).astype(">u2").tobytes() for row in FLAT)


def _saved(kind: str, mode: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(((FLAT - FLAT.min()) // 4).astype(np.uint8)).convert(mode).save(file, kind, **options)
    return file.getvalue()


def _coloured(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.stack([(FLAT & 127).astype(np.uint8)] * 2 + [np.zeros(FLAT.shape, np.uint8)], -1)).save(
        file, kind
    )
    return file.getvalue()


def _flat_tiff(**tags: int | list[int]) -> bytes:
    return tiff([FLAT.astype("<u2").tobytes()], FLAT.shape, **tags)


VARIANTS: list[tuple[str, str, str, bytes]] = [
    ("NRRD, raw", "CT", "a.nrrd", nrrd()),
    ("NRRD, gzip", "CT", "a.nrrd", nrrd(gzip.compress(VALUES.tobytes()), encoding="gzip")),
    ("NRRD, text", "CT", "a.nrrd", nrrd(" ".join(map(str, VALUES.ravel())).encode(), encoding="ascii")),
    ("NRRD in RAS", "CT", "a.nrrd", nrrd(**(_DIRECTIONS | {"space": "RAS"}))),
    ("NRRD with a list axis of one", "CT", "a.nrrd", nrrd(**_LIST, sizes="1 10 9 8")),
    (
        "NRRD with segments in layers (.seg.nrrd)",
        "labels",
        "a.seg.nrrd",
        nrrd(VALUES.tobytes() * 2, **_LIST, sizes="2 10 9 8"),
    ),
    ("NRRD without spacing", "CT", "a.nrrd", nrrd(spacings=None)),
    ("NRRD with a spacing that is no number", "CT", "a.nrrd", nrrd(spacings="nan 2 3")),
    ("NRRD larger than its file", "CT", "a.nrrd", nrrd(sizes="1500 1500 1500")),
    ("NRRD with two spacings", "CT", "a.nrrd", nrrd(**(_DIRECTIONS | {"spacings": "5 5 5"}))),
    ("NRRD in RAS without directions", "CT", "a.nrrd", nrrd(space="RAS")),
    ("NRRD with voxels left over", "CT", "a.nrrd", nrrd(VALUES.tobytes() * 2)),
    ("MetaImage, raw", "CT", "a.mha", metaimage()),
    ("MetaImage, compressed", "CT", "a.mha", metaimage(zlib.compress(VALUES.tobytes()), CompressedData="True")),
    (
        "MetaImage, damaged",
        "CT",
        "a.mha",
        metaimage(zlib.compress(VALUES.tobytes())[:-1] + b"x", CompressedData="True"),
    ),
    ("MetaImage without spacing", "CT", "a.mha", metaimage(ElementSpacing=None)),
    ("MetaImage with half an origin", "CT", "a.mha", metaimage(Offset="1 2")),
    ("MetaImage in metres", "CT", "a.mha", metaimage(ElementSpacing="0.0005 0.0005 0.0005")),
    (
        "MetaImage with two byte orders",
        "CT",
        "a.mha",
        metaimage(BinaryDataByteOrderMSB="False", ElementByteOrderMSB="True"),
    ),
    ("MetaImage with letters beside its matrix", "CT", "a.mha", metaimage(AnatomicalOrientation="LPI")),
    ("NIfTI-1", "CT", "a.nii", nifti()),
    ("NIfTI-1, zipped, whatever its name says", "CT", "a.nii", gzip.compress(nifti())),
    ("NIfTI-1, not zipped, whatever its name says", "CT", "a.nii.gz", nifti()),
    ("NIfTI-2", "CT", "a.nii", nifti2()),
    ("NIfTI with complex values", "CT", "a.nii", nifti(VALUES.tobytes() * 4, packed(70, 32, 64, kind="h"))),
    ("NIfTI with two spacings", "CT", "a.nii", nifti(change=packed(80, 1.0))),
    ("NIfTI with two places", "CT", "a.nii", nifti(change=packed(292, 50.0))),
    (
        "Analyze, header and voxels apart",
        "CT",
        "a.nii",
        nifti(change=lambda header: header.__setitem__(slice(344, 348), b"ni1\0")),
    ),
    ("TIFF, 16 bits", "X-ray", "a.tif", _flat_tiff()),
    ("TIFF with an orientation", "X-ray", "a.tif", _flat_tiff(t274=6)),
    ("TIFF, LZW", "X-ray", "a.tif", _saved("TIFF", "L", compression="tiff_lzw")),
    ("TIFF compressed as JPEG", "X-ray", "a.tif", _flat_tiff(t259=7)),
    ("TIFF with 12 bits packed", "X-ray", "a.tif", _flat_tiff(t258=12)),
    ("TIFF in a circle", "X-ray", "a.tif", tiff([FLAT.tobytes()], FLAT.shape, following=None)),
    ("PNG, 8 or 16 bits", "X-ray", "a.png", _saved("PNG", "L")),
    ("PNG in colour", "X-ray", "a.png", _coloured("PNG")),
    ("PNG, too large", "X-ray", "a.png", png(b"", (2**30, 2**30))),
    ("PNG of grey and alpha, 16 bits", "X-ray", "a.png", png(_GREY_AND_ALPHA, FLAT.shape, 16, 4)),
    ("JPEG of greys", "X-ray", "a.jpg", _saved("JPEG", "L")),
    ("JPEG for print (CMYK)", "X-ray", "a.jpg", _saved("JPEG", "CMYK")),
    ("BMP of greys", "X-ray", "a.bmp", _saved("BMP", "RGB")),
    ("GIF and others", "X-ray", "a.gif", _saved("GIF", "L")),
]

READERS: dict[str, Callable[[Path], Volume | XRayImage]] = {
    "CT": read_ct,
    "labels": read_labels,
    "X-ray": read_xray_image,
}


def _told(read: Volume | XRayImage) -> str:
    """All that is said of a file that is read, but for the side from which it is seen."""
    said = ["read"]
    if isinstance(read, XRayImage):
        said += [read.polarity or "", *read.notes, read.note or "", read.polarity_note or ""]
    else:
        said += [read.note or ""]
    return ": ".join(part for part in (said[0], "; ".join(filter(None, said[1:]))) if part)


def table() -> str:
    lines = ["| file | as | what comes of it |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        for label, role, name, content in [*VARIANTS, *DicomVariants.VARIANTS]:
            path = Path(folder) / str(len(lines)) / name
            path.parent.mkdir()
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                content(path)
            try:
                said = _told(READERS[role](path))
            except InputError as error:
                said = " ".join(error.faults).replace("|", "/").replace(f"{path.parent}{os.sep}", "")
            lines.append(f"| {label} | {role} | {said} |")
    return "\n".join(lines)


def test_the_page_says_what_reading_gives() -> None:
    written = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert written.strip() == table()


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    sys.exit(0)
