"""A bright blob of known centroid keeps its place in the patient through every volume format."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from prostreg.errors import InputError
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.volume import Volume

SIZE = (20, 16, 12)
SPACING = (0.8, 1.1, 2.5)
ORIGIN_LPS = (-31.0, 12.5, 140.0)
BLOB_INDEX = (13.0, 4.0, 7.0)

UPRIGHT = np.eye(3)
OBLIQUE = Rotation.from_euler("zyx", [25, -12, 8], degrees=True).as_matrix()
LEFT_HANDED = OBLIQUE @ np.diag([1, 1, -1])
PERMUTED = np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], dtype=float)

FORMATS = ["ct.nii", "ct.nii.gz", "ct.nrrd", "ct.nhdr", "ct.mha", "ct.mhd"]


def blob(dtype: type = np.int16) -> NDArray[np.generic]:
    k, j, i = np.mgrid[: SIZE[2], : SIZE[1], : SIZE[0]]
    squared = sum((axis - at) ** 2 for axis, at in zip((i, j, k), BLOB_INDEX, strict=True))
    return (-1000 + 2000 * np.exp(-squared / 2)).astype(dtype)


def itk_image(values: NDArray[np.generic], direction: NDArray[np.float64]) -> sitk.Image:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN_LPS)
    image.SetDirection(direction.ravel().tolist())
    return image


def centroid_ras(volume: Volume) -> NDArray[np.float64]:
    weights = np.where(volume.values > 0, volume.values, 0).astype(np.float64)
    k, j, i = np.mgrid[tuple(slice(n) for n in volume.values.shape)]
    index = np.array([np.sum(axis * weights) / weights.sum() for axis in (i, j, k)])
    return (volume.volume_from_index @ [*index, 1.0])[:3]


def expected_ras(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    lps = np.array(ORIGIN_LPS) + direction @ (np.array(SPACING) * BLOB_INDEX)
    return lps * [-1, -1, 1]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("direction", [UPRIGHT, OBLIQUE, LEFT_HANDED, PERMUTED])
def test_blob_keeps_its_place(tmp_path: Path, name: str, direction: NDArray[np.float64]) -> None:
    sitk.WriteImage(itk_image(blob(), direction), str(tmp_path / name))
    ct = read_ct(tmp_path / name)
    assert ct.values.dtype == np.float32
    assert ct.size == SIZE
    np.testing.assert_allclose(ct.spacing_mm, SPACING, rtol=1e-6)
    np.testing.assert_allclose(centroid_ras(ct), expected_ras(direction), atol=1e-3)
    assert ct.values.min() == -1000
    assert ct.values.max() == 1000


def test_affine_is_that_of_the_nifti_header(tmp_path: Path) -> None:
    """The srow fields of a NIfTI header are index to RAS by definition."""
    sitk.WriteImage(itk_image(blob(), OBLIQUE), str(tmp_path / "ct.nii"))
    header = (tmp_path / "ct.nii").read_bytes()
    srow = np.array(struct.unpack("<12f", header[280:328])).reshape(3, 4)
    np.testing.assert_allclose(read_ct(tmp_path / "ct.nii").volume_from_index[:3], srow, atol=1e-4)


def test_scaled_nifti_gives_hu(tmp_path: Path) -> None:
    sitk.WriteImage(itk_image(blob(), UPRIGHT), str(tmp_path / "ct.nii"))
    raw = bytearray((tmp_path / "ct.nii").read_bytes())
    struct.pack_into("<2f", raw, 112, 0.5, -24.0)
    (tmp_path / "ct.nii").write_bytes(raw)
    ct = read_ct(tmp_path / "ct.nii")
    assert ct.values.min() == pytest.approx(-524.0)
    assert ct.values.max() == pytest.approx(476.0)


def test_folder_names_with_spaces_and_umlauts(tmp_path: Path) -> None:
    folder = tmp_path / "Müller, Jörg 1"
    folder.mkdir()
    sitk.WriteImage(itk_image(blob(), OBLIQUE), str(folder / "Größe 2.nrrd"))
    np.testing.assert_allclose(centroid_ras(read_ct(folder / "Größe 2.nrrd")), expected_ras(OBLIQUE), atol=1e-3)


def test_labels_are_whole_numbers_in_place(tmp_path: Path) -> None:
    values = np.zeros(SIZE[::-1], np.uint8)
    values[7, 4, 13] = 77
    sitk.WriteImage(itk_image(values, LEFT_HANDED), str(tmp_path / "labels.nii.gz"))
    labels = read_labels(tmp_path / "labels.nii.gz")
    assert labels.values.dtype == np.int32
    assert np.unique(labels.values).tolist() == [0, 77]
    np.testing.assert_allclose(centroid_ras(labels), expected_ras(LEFT_HANDED), atol=1e-3)


def only_fault(path: Path) -> str:
    with pytest.raises(InputError) as raised:
        read_ct(path)
    assert len(raised.value.faults) == 1
    assert "\n" not in raised.value.faults[0]
    assert path.name in raised.value.faults[0]
    return raised.value.faults[0]


def test_missing_file(tmp_path: Path) -> None:
    assert "does not exist" in only_fault(tmp_path / "none.nii.gz")


@pytest.mark.parametrize("name", [*FORMATS, "ct.docx"])
def test_garbage(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_bytes(b"nothing of the kind " * 200)
    assert "read" in only_fault(tmp_path / name)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz", "ct.nrrd", "ct.mha"])
def test_file_cut_short(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(-1000, 1000, SIZE[::-1]).astype(np.int16)
    sitk.WriteImage(itk_image(noise, UPRIGHT), str(tmp_path / name))
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    assert "damaged" in only_fault(tmp_path / name)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("value", "name"), [(np.nan, "ct.nii.gz"), (np.inf, "ct.mha"), (np.nan, "ct.nrrd")])
def test_voxels_that_are_no_numbers(tmp_path: Path, value: float, name: str) -> None:
    values = blob(np.float32)
    values[3, 2, 1] = values[4, 2, 1] = value
    sitk.WriteImage(itk_image(values, UPRIGHT), str(tmp_path / name))
    assert "2 values that are NaN or infinite" in only_fault(tmp_path / name)


@pytest.mark.parametrize("name", FORMATS)
def test_one_slice(tmp_path: Path, name: str) -> None:
    sitk.WriteImage(itk_image(blob()[:1], UPRIGHT), str(tmp_path / name))
    assert "two slices or more" in only_fault(tmp_path / name)


def test_four_dimensions(tmp_path: Path) -> None:
    image = itk_image(blob(), UPRIGHT)
    sitk.WriteImage(sitk.JoinSeries([image, image]), str(tmp_path / "ct.nii.gz"))
    assert "4 dimensions" in only_fault(tmp_path / "ct.nii.gz")


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.mha", "ct.nii"])
def test_vectors(tmp_path: Path, name: str) -> None:
    image = itk_image(blob(), UPRIGHT)
    sitk.WriteImage(sitk.Compose([image, image, image]), str(tmp_path / name))
    assert "3 values per voxel" in only_fault(tmp_path / name)


@pytest.mark.parametrize("spacing", [0.0, -2.5])
@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz", "ct.mha", "ct.mhd"])
def test_spacing_that_is_not_positive(
    tmp_path: Path, name: str, spacing: float, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    sitk.WriteImage(itk_image(blob(), UPRIGHT), str(path))
    if "nii" in name:
        opened = gzip.decompress(path.read_bytes()) if name.endswith("gz") else path.read_bytes()
        raw = bytearray(opened)
        struct.pack_into("<f", raw, 76 + 12, spacing)
        path.write_bytes(gzip.compress(bytes(raw)) if name.endswith("gz") else bytes(raw))
    else:
        raw = path.read_bytes()
        changed = raw.replace(b" 2.5\nDimSize", f" {spacing:g}\nDimSize".encode())
        assert changed != raw
        path.write_bytes(changed)
    assert f"{spacing:g} mm: every spacing must be positive" in only_fault(path)
    assert capfd.readouterr() == ("", "")


def test_nrrd_with_a_direction_of_zero_length(tmp_path: Path) -> None:
    path = tmp_path / "ct.nrrd"
    sitk.WriteImage(itk_image(blob(), UPRIGHT), str(path))
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"(0,0,2.5)", b"(0,0,0)"))
    fault = only_fault(path)
    assert "0 mm: every spacing must be positive" in fault
    assert "space directions" in fault


def test_sheared_directions(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    image = itk_image(blob(), UPRIGHT)
    for name in ("ct.nrrd", "ct.mha", "ct.nii"):
        sitk.WriteImage(image, str(tmp_path / name))
    replacements = {
        "ct.nrrd": (b"(0,0,2.5)", b"(0,0.6,2.5)"),
        "ct.mha": (b"TransformMatrix = 1 0 0 0 1 0 0 0 1", b"TransformMatrix = 1 0 0 0 1 0 0 0.3 .9"),
    }
    for name, (old, new) in replacements.items():
        raw = (tmp_path / name).read_bytes()
        assert old in raw
        (tmp_path / name).write_bytes(raw.replace(old, new))
    raw = bytearray((tmp_path / "ct.nii").read_bytes())
    struct.pack_into("<2h", raw, 252, 0, 1)
    struct.pack_into("<12f", raw, 280, *(-0.8, 0, 0, 31, 0, -1.1, 0.7, -12.5, 0, 0, 2.5, 140))
    (tmp_path / "ct.nii").write_bytes(raw)
    for name in ("ct.nrrd", "ct.mha", "ct.nii"):
        assert "not at right angles" in only_fault(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_constant_volume(tmp_path: Path) -> None:
    sitk.WriteImage(itk_image(np.zeros(SIZE[::-1], np.int16), UPRIGHT), str(tmp_path / "ct.nrrd"))
    assert "constant" in only_fault(tmp_path / "ct.nrrd")


@pytest.mark.parametrize("most", [1.0, 255.0])
def test_grey_values_instead_of_hu(tmp_path: Path, most: float) -> None:
    values = (blob(np.float32) + 1000) / 2000 * most
    sitk.WriteImage(itk_image(values.astype(np.float32), UPRIGHT), str(tmp_path / "ct.nrrd"))
    assert "grey values, not HU" in only_fault(tmp_path / "ct.nrrd")


def test_labels_that_are_a_ct(tmp_path: Path) -> None:
    sitk.WriteImage(itk_image(blob(np.float32), UPRIGHT), str(tmp_path / "labels.nrrd"))
    with pytest.raises(InputError, match="no label map"):
        read_labels(tmp_path / "labels.nrrd")


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, 1e300, 2.0**31])
def test_numbers_that_no_label_has(tmp_path: Path, value: float) -> None:
    values = np.zeros(SIZE[::-1])
    values[1, 1, 1] = value
    sitk.WriteImage(itk_image(values, UPRIGHT), str(tmp_path / "labels.nrrd"))
    with pytest.raises(InputError, match="no label map"):
        read_labels(tmp_path / "labels.nrrd")


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint32, np.int64, np.float32])
def test_labels_of_every_kind(tmp_path: Path, kind: type[np.generic]) -> None:
    values = np.zeros(SIZE[::-1], kind)
    values[1, 1, 1] = 77
    sitk.WriteImage(itk_image(values, UPRIGHT), str(tmp_path / "labels.nrrd"))
    read = read_labels(tmp_path / "labels.nrrd").values
    assert read.dtype == np.int32
    np.testing.assert_array_equal(read, values)
