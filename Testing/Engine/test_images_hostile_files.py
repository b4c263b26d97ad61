"""Files that crashed, hung or filled the memory in native readers are refused in a sentence, or read right.

Every file is read in one child process with limits of time and memory; a crash there names its file.
"""

from __future__ import annotations

import gzip
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from HandmadeFiles import FLAT, SIZE, VALUES, metaimage, nifti, nifti2, nrrd, packed, png, tiff
from Patience import PATIENCE_S
from prostreg.errors import InputError
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.xray_reading import read_mask_image, read_xray_image

NAN, INF = float("nan"), float("inf")
LONG = "x" * 3000
NRRD_FIELDS = (
    "type", "dimension", "sizes", "spacings", "endian", "encoding", "kinds", "space", "space origin",
    "space directions", "data file", "byte skip", "line skip", "labels", "centers", "units", "thicknesses", "axis mins",
    "old min", "measurement frame", "space units",
)  # fmt: skip

HOSTILE: dict[str, bytes] = {
    # F1: a stack overflowed in Teem's message about a long line.
    "unknown_field.nrrd": nrrd(extra=LONG.encode() + b": y\n"),
    **{f"long_{field.replace(' ', '_')}.nrrd": nrrd(**{field.replace(" ", "_"): LONG}) for field in NRRD_FIELDS},
    # F2: MetaIO wrote outside an array.
    "ndims_negative.mha": metaimage(NDims="-1"),
    "ndims_huge.mha": metaimage(NDims="99999999999"),
    "ndims_zero.mha": metaimage(NDims="0"),
    "object_type.mha": metaimage(NDims="2147483647", ObjectType="Tube"),
    # F3: a singular value decomposition of these never ended.
    "matrix.mha": metaimage(TransformMatrix="1 0 0 0 1 0 0 1e308 1"),
    "matrix_nan.mha": metaimage(TransformMatrix="1 0 0 0 1 0 nan 0 1"),
    "sform_nan.nii": nifti(change=packed(280, 0, 0, 0, 1, 0, 2, 0, 2, 0, NAN, 3, 3)),
    "sform_inf.nii": nifti(change=packed(280, 0, 0, 0, 1, 0, 2, 0, 2, 0, INF, 3, 3)),
    # F5: what no file of this size can hold.
    "sizes.nrrd": nrrd(sizes="1500 1500 1500"),
    "sizes_64_bit.nrrd": nrrd(sizes="4294967296 4294967296 4294967296", type="double"),
    "sizes_zipped.nrrd": nrrd(zlib.compress(bytes(1440)), sizes="900 900 900", encoding="gzip"),
    "sizes.mha": metaimage(DimSize="1000 1000 1000"),
    "sizes_zipped.mha": metaimage(zlib.compress(bytes(1440)), DimSize="900 900 900", CompressedData="True"),
    "sizes.nii": nifti(change=packed(42, 1000, 1000, 1000, kind="h")),
    "zeros_behind.nii.gz": gzip.compress(nifti() + bytes(8 << 20)),
    # F6: offsets that are no numbers, and vectors.
    "offset_inf.nii": nifti(change=packed(108, INF)),
    "offset_nan.nii": nifti(change=packed(108, NAN)),
    "offset_huge.nii": nifti(change=packed(108, 1e30)),
    "offset_negative.nii": nifti(change=packed(108, -1)),
    "array.mha": metaimage(ElementType="MET_SHORT_ARRAY"),
    "header_size.mhd": metaimage(HeaderSize="-5", ElementDataFile="sizes.mha"),
    "bits.nii": nifti(change=packed(72, -16, kind="h")),
    "complex.nii": nifti(VALUES.tobytes() * 4, packed(70, 32, 64, kind="h")),
    # F8: geometry that ITK repaired in silence.
    "spacing_nan.nrrd": nrrd(spacings="nan 2 3"),
    "no_spacing.nrrd": nrrd(spacings=None),
    "no_directions.nrrd": nrrd(spacings=None, space="LPS", space_directions="none none none"),
    "direction_huge.nrrd": nrrd(spacings=None, space="LPS", space_directions="(2,0,0) (0,2,0) (0,1e308,3)"),
    "directions_huge.nrrd": nrrd(spacings=None, space="LPS", space_directions="(1e308,0,0) (0,1e308,0) (0,0,1e308)"),
    "pixdim_inf.nii": nifti(change=packed(80, INF)),
    "quaternion_nan.nii": nifti(change=lambda h: (packed(254, 0, kind="h")(h), packed(256, NAN)(h))[0]),
    "quaternion_inf.nii": nifti(change=lambda h: (packed(254, 0, kind="h")(h), packed(256, INF)(h))[0]),
    "q_offset_nan.nii": nifti(change=lambda h: (packed(254, 0, kind="h")(h), packed(268, NAN)(h))[0]),
    "two_spacings.nii": nifti(change=packed(80, 1.0)),
    "offset_of_two.mha": metaimage(Offset="1 2"),
    "offset_nan.mha": metaimage(Offset="nan 2 3"),
    "offset_word.mha": metaimage(Offset="x 2 3"),
    "no_spacing.mha": metaimage(ElementSpacing=None),
    "in_metres.mha": metaimage(ElementSpacing="0.0005 0.0005 0.0005"),
    "in_cm.nrrd": nrrd(units='"cm" "cm" "cm"'),
}  # fmt: skip

HOSTILE_PICTURES: dict[str, bytes] = {
    # F4: a directory that follows itself.
    "circle.tif": tiff([FLAT.tobytes()], FLAT.shape, following=None),
    # F5
    "height.tif": tiff([bytes(480)], (3212836864, 24)),
    "sides.tif": tiff([bytes(480)], (2**31 - 1, 2**31 - 1)),
    "million.tif": tiff([bytes(480)], (9000, 9000)),
    "packed.tif": tiff([zlib.compress(bytes(480))], (9000, 9000), t259=8),
    "lzw.tif": tiff([bytes(480)], (9000, 9000), t259=5),
    "offsets.tif": tiff([FLAT.tobytes()], FLAT.shape, t273=4_000_000_000),
    "tiles.tif": tiff([FLAT.tobytes()], FLAT.shape, t322=0, t323=0, t324=8, t325=180),
    "sides.png": png(bytes(100), (2**31 - 1, 2**31 - 1)),
    "million.png": png(bytes(100), (9000, 9000)),
}  # fmt: skip

_READ_ALL = """
import json, resource, sys
from pathlib import Path
from prostreg.errors import InputError
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.xray_reading import read_mask_image, read_xray_image
resource.setrlimit(resource.RLIMIT_AS, (5 << 29, 5 << 29))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for role, path in json.load(sys.stdin):
    print(json.dumps(path), end=" ", flush=True)
    try:
        {"ct": read_ct, "labels": read_labels, "xray": read_xray_image, "mask": read_mask_image}[role](Path(path))
        print(json.dumps(None), flush=True)
    except InputError as error:
        print(json.dumps(error.faults), flush=True)
"""


@pytest.fixture(scope="module")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for name, content in (HOSTILE | HOSTILE_PICTURES).items():
        (folder / name).write_bytes(content)
    return folder


def read_in_a_child(role: str, paths: list[Path]) -> dict[str, list[str] | None]:
    """What a child process says about each file; a test that fails where it dies."""
    read = subprocess.run(
        [sys.executable, "-c", _READ_ALL],
        input=json.dumps([(role, str(path)) for path in paths]),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert read.returncode == 0, f"{role}: {read.stdout[-200:]} {read.stderr[-1000:]}"
    decoder = json.JSONDecoder()
    said = {}
    for line in read.stdout.splitlines():
        path, end = decoder.raw_decode(line)
        said[Path(path).name] = json.loads(line[end:])
    return said


@pytest.mark.skipif(sys.platform == "win32", reason="limits of memory are set as POSIX has them")
@pytest.mark.parametrize("role", ["ct", "labels"])
def test_no_volume_reaches_native_code_unchecked(hostile_folder: Path, role: str) -> None:
    said = read_in_a_child(role, [hostile_folder / name for name in HOSTILE])
    assert [name for name, faults in said.items() if faults is None] == []
    for name, faults in said.items():
        for fault in faults or []:
            assert name in fault
            assert len(fault) < 400
            assert "\n" not in fault


@pytest.mark.skipif(sys.platform == "win32", reason="limits of memory are set as POSIX has them")
@pytest.mark.parametrize("role", ["xray", "mask"])
def test_no_picture_reaches_native_code_unchecked(hostile_folder: Path, role: str) -> None:
    said = read_in_a_child(role, [hostile_folder / name for name in HOSTILE_PICTURES])
    assert [name for name, faults in said.items() if faults is None] == []
    read_in_a_child(role, [hostile_folder / name for name in HOSTILE])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("spacing_nan.nrrd", ["nan x 2 x 3", "spacings"]),
        ("no_spacing.nrrd", ["no spacing", "spacings"]),
        ("direction_huge.nrrd", ["directions 2 0 0", "1e+308", "space directions"]),
        ("pixdim_inf.nii", ["inf x 2 x 3", "pixdim"]),
        ("quaternion_nan.nii", ["nan", "quatern_b"]),
        ("q_offset_nan.nii", ["nan", "qoffset_x"]),
        ("sform_inf.nii", ["directions 0 0 0", "inf", "srow_x"]),
        ("two_spacings.nii", ["1 x 2 x 3", "2 x 2 x 3", "pixdim", "srow_x"]),
        ("offset_of_two.mha", ["origin 1 2", "Offset"]),
        ("offset_nan.mha", ["origin nan 2 3", "Offset"]),
        ("no_spacing.mha", ["no spacing", "ElementSpacing"]),
        ("in_metres.mha", ["0.0005", "ElementSpacing"]),
        ("in_cm.nrrd", ["cm", "units"]),
        ("matrix.mha", ["1e+308", "TransformMatrix"]),
        ("ndims_negative.mha", ["NDims", '"-1"']),
    ],
)
def test_geometry_is_refused_with_its_field_and_value(hostile_folder: Path, name: str, words: list[str]) -> None:
    with pytest.raises(InputError) as raised:
        read_ct(hostile_folder / name)
    assert len(raised.value.faults) == 1
    for word in words:
        assert word in raised.value.faults[0]


@pytest.mark.parametrize(
    "content",
    [
        nrrd(zlib.compress(bytes(1440)), sizes="20000 20000 20000", encoding="gzip"),
        nrrd(b"1 " * 720, sizes="20000 20000 20000", encoding="text"),
        nrrd(b"00" * 1440, sizes="20000 20000 20000", encoding="hex"),
        nrrd(sizes="20000 20000 20000"),
    ],
    ids=["gzip", "text", "hex", "raw"],
)
def test_voxels_that_cannot_be_there_are_no_want_of_memory(tmp_path: Path, content: bytes) -> None:
    """ "Crop the CT" would be the wrong advice for a file that was cut off."""
    (tmp_path / "a.nrrd").write_bytes(content)
    with pytest.raises(InputError, match="is damaged, it ends before its last voxel"):
        read_ct(tmp_path / "a.nrrd")


def test_directories_that_share_their_values_take_no_memory(tmp_path: Path) -> None:
    """A megabyte of TIFF asked for 16 GB: each of 2000 directories names the whole file as its strips' offsets."""
    entries, length, count = b"", 2 + 3 * 12 + 4, 2000
    for number in range(count):
        following = 8 + (number + 1) * length if number + 1 < count else 0
        tags = [(256, 3, 1, 10), (257, 3, 1, 10), (273, 1, 1_000_000, 8)]
        directory = b"".join(struct.pack("<2H2I", *tag) for tag in tags)
        entries += struct.pack("<H", len(tags)) + directory + struct.pack("<I", following)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", 8) + entries + bytes(1_000_000))
    with pytest.raises(InputError, match="its tags have more than 4194304 values"):
        read_xray_image(tmp_path / "a.tif")


def test_a_picture_larger_than_any_detector_is_refused_though_it_is_sound(tmp_path: Path) -> None:
    rows, columns = 10_000, 10_001
    (tmp_path / "a.tif").write_bytes(tiff([zlib.compress(bytes(2 * rows * columns), 1)], (rows, columns), t259=8))
    with pytest.raises(InputError, match="has 10001 x 10000 pixels, from 1 to 100 million are read"):
        read_xray_image(tmp_path / "a.tif")


@pytest.mark.parametrize("content", [nifti2(), gzip.compress(nifti2())])
def test_nifti_2(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.nii.gz").write_bytes(content)
    ct = read_ct(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(ct.values, VALUES)
    np.testing.assert_allclose(ct.volume_from_index, [[2, 0, 0, 1], [0, 2, 0, 2], [0, 0, 3, 3], [0, 0, 0, 1]])


def test_qform_and_sform_say_the_same(tmp_path: Path) -> None:
    """The scanner's sform counts before the qform, a template's sform behind it."""
    for qform_code, sform_code, moved in ((1, 1, True), (1, 4, False), (0, 4, True), (1, 0, False)):
        change = lambda h, q=qform_code, s=sform_code: (packed(252, q, s, kind="h")(h), packed(292, 50)(h))[0]  # noqa: E731
        (tmp_path / "a.nii").write_bytes(nifti(change=change))
        assert read_ct(tmp_path / "a.nii").volume_from_index[0, 3] == (50 if moved else 1)


def test_list_axis_of_one(tmp_path: Path) -> None:
    fields = {"space": "LPS", "space_directions": "none (2,0,0) (0,2,0) (0,0,3)", "spacings": None}
    listed = {"dimension": "4", "sizes": "1 10 9 8", "kinds": "list domain domain domain"}
    (tmp_path / "a.nrrd").write_bytes(nrrd(**fields, **listed))
    np.testing.assert_array_equal(read_ct(tmp_path / "a.nrrd").values, VALUES)
    (tmp_path / "b.nrrd").write_bytes(nrrd(VALUES.tobytes() * 2, **fields, **(listed | {"sizes": "2 10 9 8"})))
    with pytest.raises(InputError, match="2 values per voxel"):
        read_labels(tmp_path / "b.nrrd")


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd", "a.nii.gz", "a.tif", "a.png"])
def test_flipped_byte_of_compressed_data(tmp_path: Path, name: str) -> None:
    """Each flip is refused or changes nothing: checksums are looked at."""
    shape = (60, 80) if name in ("a.tif", "a.png") else (20, 30, 40)
    noise = np.random.default_rng(0).integers(0, 2000, shape).astype(np.uint16)
    path = tmp_path / name
    if name == "a.tif":
        path.write_bytes(tiff([zlib.compress(noise.tobytes())], (60, 80), t259=8))
    else:
        sitk.WriteImage(sitk.GetImageFromArray(noise), str(path), useCompression=True)
    sound, read = path.read_bytes(), read_xray_image if noise.ndim == 2 else read_ct
    for place in (len(sound) // 3, len(sound) // 2, 3 * len(sound) // 4):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 16]) + sound[place + 1 :])
        with pytest.raises(InputError, match="damaged"):
            read(path)


def test_pieces_of_gzip_behind_one_another(tmp_path: Path) -> None:
    whole = nifti()
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(whole[:700]) + gzip.compress(whole[700:]) + bytes(512))
    np.testing.assert_array_equal(read_ct(tmp_path / "a.nii.gz").values, VALUES)


def test_a_file_beside_the_zipped_one_is_not_read_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_bytes(nifti((VALUES + 1).tobytes()))
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(nifti()))
    np.testing.assert_array_equal(read_ct(tmp_path / "a.nii.gz").values, VALUES)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="rights bind no administrator")
def test_file_without_rights(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_bytes(nrrd())
    (tmp_path / "a.nrrd").chmod(0)
    with pytest.raises(InputError, match="check its rights"):
        read_ct(tmp_path / "a.nrrd")


def test_what_the_system_does_not_let_us_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.nrrd").write_bytes(nrrd())

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(InputError, match=r"Permission denied.*rights"):
        read_ct(tmp_path / "a.nrrd")


def test_labels_and_mask_pass_the_same_gate(tmp_path: Path) -> None:
    (tmp_path / "a.mha").write_bytes(metaimage(ElementSpacing="2 2 0"))
    with pytest.raises(InputError, match="ElementSpacing"):
        read_labels(tmp_path / "a.mha")
    (tmp_path / "m.nrrd").write_bytes(nrrd(FLAT.tobytes()[:-2], dimension="2", sizes="10 9", spacings="1 1"))
    with pytest.raises(InputError, match="damaged"):
        read_mask_image(tmp_path / "m.nrrd")
    assert SIZE == (10, 9, 8)
