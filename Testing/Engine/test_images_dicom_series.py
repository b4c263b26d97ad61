"""CTs from DICOM folders: slices of any order and tilt lie where their tags say, or are refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from scipy.spatial.transform import Rotation

from prostreg.errors import InputError
from prostreg.images.reading import read_ct
from prostreg.images.volume import Volume

COLUMNS, ROWS, SLICES = 30, 24, 14
SPACING_I, SPACING_J, SPACING_K = 1.5, 2.0, 3.0
ORIGIN_LPS = np.array([-20.0, 35.0, -410.0])
OBLIQUE = Rotation.from_euler("zyx", [14, -9, 6], degrees=True).as_matrix()
BLOB_CENTRE_MM = np.array([21.0, 23.0, 19.0])  # along rows, columns and the normal, from the first voxel
BLOB_WIDTH_MM = 4.0
SERIES_NUMBERS = {"bone 1.0": 3, "soft 3.0": 5}


def slice_positions(axes: NDArray[np.float64], tilt_mm: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.float64]:
    """Positions (SLICES, 3) in LPS; slices step sideways by ``tilt_mm`` along rows and columns."""
    step = axes @ np.array([*tilt_mm, SPACING_K])
    return ORIGIN_LPS + np.arange(SLICES)[:, None] * step


def blob_slice(axes: NDArray[np.float64], position: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Stored values (slope 2, intercept -1024) of a Gaussian blob, where a slice at a position cuts it."""
    j, i = np.mgrid[:ROWS, :COLUMNS]
    points = position + i[..., None] * SPACING_I * axes[:, 0] + j[..., None] * SPACING_J * axes[:, 1]
    centre = ORIGIN_LPS + axes @ BLOB_CENTRE_MM
    squared = np.sum((points - centre) ** 2, axis=-1)
    hu = -1000 + 2000 * np.exp(-squared / (2 * BLOB_WIDTH_MM**2))
    return np.rint((hu + 1024) / 2).astype(np.uint16)


def ct_slice(
    path: Path, pixels: NDArray[np.uint16], axes: NDArray[np.float64], position: NDArray[np.float64], series: str
) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(path)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[series])
    dataset.SeriesDescription, dataset.Modality, dataset.ImageType = series, "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesNumber = SERIES_NUMBERS.get(series)
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.RescaleSlope, dataset.RescaleIntercept = 2, -1024
    dataset.PixelSpacing = [SPACING_J, SPACING_I]
    dataset.ImagePositionPatient = [f"{x:.6f}" for x in position]
    dataset.ImageOrientationPatient = [f"{x:.8f}" for x in (*axes[:, 0], *axes[:, 1])]
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(path, enforce_file_format=True)


def write_series(
    folder: Path, axes: NDArray[np.float64], positions: NDArray[np.float64], series: str = "bone 1.0"
) -> None:
    """File names in an order that has nothing to do with the slices' places."""
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(4).permutation(len(positions))
    for number, position in zip(order, positions, strict=True):
        ct_slice(folder / f"{series} {number:03d}", blob_slice(axes, position), axes, position, series)


def centroid_ras(volume: Volume) -> NDArray[np.float64]:
    weights = np.where(volume.values > -900, volume.values + 900, 0).astype(np.float64)
    k, j, i = np.mgrid[tuple(slice(n) for n in volume.values.shape)]
    index = np.array([np.sum(axis * weights) / weights.sum() for axis in (i, j, k)])
    return (volume.volume_from_index @ [*index, 1.0])[:3]


def blob_hu(volume: Volume, centre_ras: NDArray[np.float64]) -> NDArray[np.float64]:
    """The blob's closed form at every voxel; off by what linear interpolation loses at its top."""
    k, j, i = np.mgrid[tuple(slice(n) for n in volume.values.shape)]
    points = np.stack([i, j, k], axis=-1) @ volume.volume_from_index[:3, :3].T + volume.volume_from_index[:3, 3]
    squared = np.sum((points - centre_ras) ** 2, axis=-1)
    return -1000 + 2000 * np.exp(-squared / (2 * BLOB_WIDTH_MM**2))


@pytest.mark.parametrize("axes", [np.eye(3), OBLIQUE], ids=["upright", "oblique"])
@pytest.mark.parametrize("tilt_mm", [(0.0, 0.0), (0.0, 1.1), (-0.4, -0.9)], ids=["straight", "tilted", "tilted both"])
def test_blob_keeps_its_place(
    tmp_path: Path, axes: NDArray[np.float64], tilt_mm: tuple[float, float], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "Schädel 1"
    write_series(folder, axes, slice_positions(axes, tilt_mm))
    ct = read_ct(folder)
    expected = (ORIGIN_LPS + axes @ BLOB_CENTRE_MM) * [-1, -1, 1]
    np.testing.assert_allclose(centroid_ras(ct), expected, atol=0.05)
    directions = ct.volume_from_index[:3, :3] / ct.spacing_mm
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(ct.spacing_mm, [SPACING_I, SPACING_J, SPACING_K], rtol=1e-4)
    inside = ct.values != -1024
    np.testing.assert_allclose(ct.values[inside], blob_hu(ct, expected)[inside], atol=120)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("tilt_mm", [1.0, -1.0])
def test_tilted_slices_are_padded_with_air_and_none_is_lost(tmp_path: Path, tilt_mm: float) -> None:
    write_series(tmp_path / "ct", np.eye(3), slice_positions(np.eye(3), (0.0, tilt_mm)))
    ct = read_ct(tmp_path / "ct")
    assert ct.size == (COLUMNS, ROWS + 7, SLICES)  # 13 steps of 1 mm are 6.5 voxels
    assert ct.values.min() == -1024
    assert np.count_nonzero(ct.values == -1024) < ct.values.size / 3


def test_untilted_series_keeps_every_voxel(tmp_path: Path) -> None:
    positions = slice_positions(np.eye(3))
    write_series(tmp_path / "ct", np.eye(3), positions)
    stored = np.array([blob_slice(np.eye(3), position) for position in positions]).astype(np.float32)
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").values, stored * 2 - 1024)


def test_localizer_other_files_and_subfolders_do_no_harm(tmp_path: Path) -> None:
    write_series(tmp_path / "ct" / "DICOM" / "A1", np.eye(3), slice_positions(np.eye(3)))
    (tmp_path / "ct" / "readme.txt").write_text("not DICOM")
    (tmp_path / "ct" / "empty").write_bytes(b"")
    position = ORIGIN_LPS
    ct_slice(tmp_path / "ct" / "scout", blob_slice(np.eye(3), position), np.eye(3), position, "scout")
    changed(tmp_path / "ct" / "scout", lambda d: setattr(d, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    for name in ("single", "dose report"):
        ct_slice(tmp_path / "ct" / name, blob_slice(np.eye(3), position), np.eye(3), position, name)
    changed(tmp_path / "ct" / "dose report", lambda d: d.__delattr__("ImagePositionPatient"))
    assert read_ct(tmp_path / "ct").size == (COLUMNS, ROWS, SLICES)


def changed(path: Path, change: Callable[[pydicom.Dataset], None]) -> None:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)


def refused(folder: Path) -> list[str]:
    with pytest.raises(InputError) as raised:
        read_ct(folder)
    return raised.value.faults


def test_a_slice_that_a_copy_left_empty_is_named_also_at_an_end(tmp_path: Path) -> None:
    """There no gap tells of it; a file of another kind is nobody's slice."""
    write_series(tmp_path / "ct", np.eye(3), slice_positions(np.eye(3)))
    assert read_ct(tmp_path / "ct").note is None
    (tmp_path / "ct" / "last.dcm").write_bytes(b"")
    (tmp_path / "ct" / "index.html").write_bytes(b"")
    assert read_ct(tmp_path / "ct").note == (
        "last.dcm in the CT folder ct cannot be read as DICOM: slices may be missing at an end."
    )


def test_a_whole_disk_is_no_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path / "ct", np.eye(3), slice_positions(np.eye(3)))
    monkeypatch.setattr("prostreg.images.dicom.folder_series.MOST_FILES", 5)
    assert "holds more than 5 files: give that of the scan" in refused(tmp_path / "ct")[0]


def test_missing_slice(tmp_path: Path) -> None:
    positions = np.delete(slice_positions(OBLIQUE), 6, axis=0)
    write_series(tmp_path / "ct", OBLIQUE, positions)
    faults = refused(tmp_path / "ct")
    assert len(faults) == 1
    assert "not evenly spaced: most slices are 3.000 mm apart, but 6.000 mm lie between" in faults[0]


def test_uneven_spacing(tmp_path: Path) -> None:
    positions = slice_positions(np.eye(3))
    positions[9:, 2] += 0.8
    write_series(tmp_path / "ct", np.eye(3), positions)
    assert "3.800 mm lie between" in refused(tmp_path / "ct")[0]


def test_rounded_positions_are_even(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.eye(3), np.round(slice_positions(np.eye(3)) + 0.033, 1))
    assert read_ct(tmp_path / "ct").spacing_mm[2] == pytest.approx(SPACING_K, abs=0.01)


def test_two_slices_at_one_place(tmp_path: Path) -> None:
    positions = slice_positions(np.eye(3))
    write_series(tmp_path / "ct", np.eye(3), np.concatenate([positions, positions[4:5]]))
    assert "several slices at the same place" in refused(tmp_path / "ct")[0]


def test_several_series_are_named(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.eye(3), slice_positions(np.eye(3)), "bone 1.0")
    write_series(tmp_path / "ct", np.eye(3), slice_positions(np.eye(3))[:5], "soft 3.0")
    faults = refused(tmp_path / "ct")
    assert len(faults) == 1
    numbers = [SERIES_NUMBERS[name] for name in ("bone 1.0", "soft 3.0")]
    assert f"number {numbers[0]} with 14 slices; number {numbers[1]} with 5 slices" in faults[0]
    assert "bone" not in faults[0]  # free text, in which names of patients are found


def test_one_slice(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.eye(3), slice_positions(np.eye(3))[:1])
    assert "one slice" in refused(tmp_path / "ct")[0]


def test_one_file_of_a_series(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.eye(3), slice_positions(np.eye(3)))
    with pytest.raises(InputError, match="give the folder with all slices"):
        read_ct(sorted((tmp_path / "ct").iterdir())[0])


def test_folder_without_dicom(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    assert "no DICOM slices" in refused(tmp_path)[0]


def test_every_fault_of_a_series_is_listed(tmp_path: Path) -> None:
    positions = slice_positions(np.eye(3))
    write_series(tmp_path / "ct", np.eye(3), positions)
    paths = sorted((tmp_path / "ct").iterdir())
    changed(paths[2], lambda d: setattr(d, "PixelSpacing", [1.0, 1.0]))
    changed(paths[3], lambda d: setattr(d, "ImageOrientationPatient", [0, 1, 0, 0, 0, -1]))
    faults = refused(tmp_path / "ct")
    assert len(faults) == 2
    assert "different orientation" in faults[0]
    assert "different pixel spacing" in faults[1]


def test_slices_without_a_place(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.eye(3), slice_positions(np.eye(3)))
    paths = sorted((tmp_path / "ct").iterdir())
    changed(paths[0], lambda d: d.__delattr__("ImagePositionPatient"))
    changed(paths[1], lambda d: setattr(d, "ImageOrientationPatient", None))
    changed(paths[2], lambda d: setattr(d, "NumberOfFrames", 3))
    faults = refused(tmp_path / "ct")
    assert len(faults) == 3
    assert "lacks a usable position" in faults[0]
    assert "multi-frame" in faults[2]


def test_pixels_that_end_early(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_series(tmp_path / "ct", np.eye(3), slice_positions(np.eye(3)))
    path = sorted((tmp_path / "ct").iterdir())[5]
    path.write_bytes(path.read_bytes()[:-400])
    assert "damaged" in refused(tmp_path / "ct")[0]
    assert capfd.readouterr() == ("", "")
