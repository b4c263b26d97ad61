"""Headers that say two things, or something else than the voxels beside them: refused with both, or read and said."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from HandmadeFiles import VALUES, metaimage, nifti, nrrd
from prostreg.errors import InputError
from prostreg.geometry.frames import ras_from_lps
from prostreg.images.reading import read_ct

DIRECTIONS = "(2,0,0) (0,2,0) (0,0,3)"
TEXT = b" ".join(str(value + 40_000).encode() for value in VALUES.ravel().astype(int))


def in_space(space: str | None, **fields: str | None) -> bytes:
    return nrrd(**{"space": space, "space_directions": DIRECTIONS, "spacings": None, **fields})


def written(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


REFUSED = {
    "two spacings.nrrd": (in_space("LPS", spacings="5 5 5"), ["5 x 5 x 5 mm (spacings)", "2 x 2 x 3 mm"]),
    "left-handed.nrrd": (in_space("3D-left-handed"), ["3D-left-handed"]),
    "no directions.nrrd": (nrrd(space="RAS"), ['space "RAS" without space directions']),
    "out of range.nrrd": (nrrd(TEXT, encoding="text", endian=None), ["its header cannot hold"]),
    "byte order.mha": (
        metaimage(BinaryDataByteOrderMSB="False", ElementByteOrderMSB="True"),
        ["contradicts itself in BinaryDataByteOrderMSB and ElementByteOrderMSB"],
    ),
    "long directions.mha": (metaimage(TransformMatrix="2 0 0 0 2 0 0 0 2"), ["2 x 2 x 2 (TransformMatrix)"]),
    "units.mha": (metaimage(ElementSpacing="2 0.002 3"), ["2 x 0.002 x 3 mm", "another unit"]),
    "scale.mha": (metaimage(ElementToIntensityFunctionSlope="0"), ["scales its values by 0"]),
    "longer.mha": (metaimage(VALUES.tobytes() * 2), ["holds more voxels"]),
    "longer.nrrd": (nrrd(gzip.compress(VALUES.tobytes() + bytes(1440)), encoding="gzip"), ["holds more voxels"]),
    "longer.nii": (nifti() + bytes(1440), ["holds more voxels"]),
    "zipped longer.mha": (metaimage(zlib.compress(VALUES.tobytes() * 2), CompressedData="True"), ["holds more voxels"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_headers_that_cannot_be_meant_are_refused_with_what_they_say(tmp_path: Path, name: str) -> None:
    content, words = REFUSED[name]
    with pytest.raises(InputError) as raised:
        read_ct(written(tmp_path, name, content))
    assert len(raised.value.faults) == 1
    for word in [name, *words]:
        assert word in raised.value.faults[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.nrrd", in_space("LPS", spacings="2 2 3")),
        ("a.nrrd", in_space("LPS", spacings="nan nan nan")),
        ("a.nrrd", nrrd(VALUES.tobytes() + b"\n")),
        ("a.mha", metaimage(TransformMatrix="0.9999 0 0 0 0.9999 0 0 0 1")),
        ("a.mha", metaimage(AnatomicalOrientation="RAI")),
        ("a.nii", nifti()),
    ],
)
def test_what_says_the_same_twice_is_read_without_a_word(tmp_path: Path, name: str, content: bytes) -> None:
    ct = read_ct(written(tmp_path, name, content))
    np.testing.assert_array_equal(ct.values, VALUES)
    assert ct.note is None


def moved_sform(content: bytearray) -> None:
    struct.pack_into("<f", content, 292, 50.0)


def moved_aligned_sform(content: bytearray) -> None:
    moved_sform(content)
    struct.pack_into("<h", content, 254, 2)


@pytest.mark.parametrize(("change", "used"), [(moved_sform, "sform"), (moved_aligned_sform, "qform")])
def test_qform_and_sform_that_differ_are_said_and_one_is_taken_as_itk_does(tmp_path: Path, change, used: str) -> None:
    file = written(tmp_path, "a.nii", nifti(change=change))
    ct, by_itk = read_ct(file), sitk.ReadImage(str(file))
    origin = ras_from_lps(np.block([[np.eye(3), np.array(by_itk.GetOrigin())[:, None]], [np.zeros(3), 1.0]]))[:3, 3]
    np.testing.assert_allclose(ct.volume_from_index[:3, 3], origin, atol=1e-4)
    assert ct.note is not None
    assert f"its {used} is taken" in ct.note


def test_letters_that_contradict_the_matrix_are_said(tmp_path: Path) -> None:
    ct = read_ct(written(tmp_path, "a.mha", metaimage(AnatomicalOrientation="LPI")))
    assert "AnatomicalOrientation LPI, but by TransformMatrix it is RAI" in (ct.note or "")


def test_a_metaimage_is_scaled_as_its_header_says(tmp_path: Path) -> None:
    fields = {"ElementToIntensityFunctionSlope": "2", "ElementToIntensityFunctionOffset": "-24"}
    ct = read_ct(written(tmp_path, "a.mha", metaimage(**fields)))
    np.testing.assert_array_equal(ct.values, 2.0 * VALUES - 24)


def test_pictures_in_a_list_are_not_read_as_voxels(tmp_path: Path) -> None:
    for number in range(1, 9):
        written(tmp_path, f"a{number:02d}.png", b"\x89PNG" + bytes(200))
    header = metaimage(b"\n".join(b"a%02d.png" % number for number in range(1, 9)), ElementDataFile="LIST")
    with pytest.raises(InputError, match="needs 180 bytes of its data file, which has 204"):
        read_ct(written(tmp_path, "a.mhd", header))
