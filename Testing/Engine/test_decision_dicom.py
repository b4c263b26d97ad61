"""A DICOM series at the limits of what is one upright, evenly spaced stack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from prostreg.errors import InputError
from prostreg.images.reading import read_ct

SLICES, ROWS, COLUMNS = 60, 12, 10
SPACING_K = 2.5
KINDS = {"axial": ["ORIGINAL", "PRIMARY", "AXIAL"], "localizer": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}


def write(
    folder: Path, positions: np.ndarray, series: str = "axial", spacing: tuple[float, float] = (2.0, 1.5)
) -> None:
    """Slices at positions (n, 3) in LPS, upright; each has one bright voxel at the same place of its grid."""
    folder.mkdir(exist_ok=True)
    for number, position in enumerate(positions):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[series, str(number)])
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / f"{series}-{number:03d}"
        dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
        dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[series])
        dataset.SeriesDescription, dataset.Modality, dataset.ImageType = series, "CT", KINDS[series]
        dataset.Rows, dataset.Columns = ROWS, COLUMNS
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        dataset.PixelSpacing = list(spacing)
        dataset.ImagePositionPatient = [f"{x:.6f}" for x in position]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        pixels = np.full((ROWS, COLUMNS), 1024, dtype=np.uint16)
        pixels[4, 5] = 3024
        dataset.PixelData = pixels.tobytes()
        dataset.save_as(path, enforce_file_format=True)


def straight(slices: int = SLICES, sideways_mm: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    return np.arange(slices)[:, None] * np.array([*sideways_mm, SPACING_K])


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as raised:
        read_ct(folder)
    (fault,) = raised.value.faults
    return fault


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("degrees", [-2.9, -1.0, -0.2, 0.2, 1.0, 2.9])
def test_a_gantry_tilted_by_a_degree_is_straightened(tmp_path, axis, degrees):
    """The bright voxel of the last slice is where that slice's own position says."""
    sideways = [0.0, 0.0]
    sideways[axis] = SPACING_K * np.tan(np.deg2rad(degrees))
    write(tmp_path / "ct", straight(SLICES, tuple(sideways)))
    ct = read_ct(tmp_path / "ct")
    weights = np.maximum(ct.values[-1], 0).astype(np.float64)  # neither padding nor water
    j, i = np.indices(weights.shape)
    index = [np.average(i, weights=weights), np.average(j, weights=weights), SLICES - 1.0, 1.0]
    expected_lps = np.array([5 * 1.5, 4 * 2.0, 0]) + straight(SLICES, tuple(sideways))[-1]
    np.testing.assert_allclose((ct.volume_from_index @ index)[:3], expected_lps * [-1, -1, 1], atol=0.1)


def test_a_step_within_rounding_leaves_every_voxel_as_it_is(tmp_path):
    write(tmp_path / "ct", straight(SLICES, (0.0019 * SPACING_K, 0.0)))
    ct = read_ct(tmp_path / "ct")
    assert ct.size == (COLUMNS, ROWS, SLICES)
    assert set(np.unique(ct.values)) == {0.0, 2000.0}
    write(tmp_path / "tilted", straight(SLICES, (0.0021 * SPACING_K, 0.0)))
    assert read_ct(tmp_path / "tilted").size[0] == COLUMNS + 1


@pytest.mark.parametrize(("off_share", "is_refused"), [(0.04, False), (0.06, True), (-0.04, False), (-0.06, True)])
def test_a_slice_may_lie_a_twentieth_of_the_spacing_off(tmp_path, off_share, is_refused):
    positions = straight()
    positions[20, 2] += off_share * SPACING_K
    write(tmp_path / "ct", positions)
    if is_refused:
        assert "is not evenly spaced: most slices are 2.500 mm apart" in refused(tmp_path / "ct")
    else:
        assert read_ct(tmp_path / "ct").spacing_mm[2] == pytest.approx(SPACING_K)


@pytest.mark.parametrize(("off_mm", "is_refused"), [(0.1, False), (0.15, True)])
def test_a_slice_may_not_lie_aside_of_the_others_either(tmp_path, off_mm, is_refused):
    positions = straight()
    positions[20, 0] += off_mm
    write(tmp_path / "ct", positions)
    if is_refused:
        assert "is not evenly spaced" in refused(tmp_path / "ct")
    else:
        assert read_ct(tmp_path / "ct").size == (COLUMNS, ROWS, SLICES)


def test_a_gap_is_told_with_its_place(tmp_path):
    write(tmp_path / "ct", np.delete(straight(), 30, axis=0))
    fault = refused(tmp_path / "ct")
    assert "5.000 mm lie between those at 72.50 and 77.50 mm along the normal" in fault


def test_two_slices_at_one_place_are_told_with_it(tmp_path):
    positions = np.concatenate([straight(), straight()[10:11]])
    write(tmp_path / "ct", positions)
    assert "several slices at the same place (25.00 mm along the normal)" in refused(tmp_path / "ct")


def test_a_stack_of_localizers_is_left_out(tmp_path):
    """Several scouts with places of their own look like a stack."""
    write(tmp_path / "ct", straight(8))
    write(tmp_path / "ct", straight(3), "localizer")
    assert read_ct(tmp_path / "ct").size == (COLUMNS, ROWS, 8)
    write(tmp_path / "only", straight(3), "localizer")
    assert "contains no DICOM slices of a CT" in refused(tmp_path / "only")


def test_the_distance_between_rows_comes_first(tmp_path):
    write(tmp_path / "ct", straight(4), spacing=(3.0, 0.5))
    np.testing.assert_allclose(read_ct(tmp_path / "ct").spacing_mm, [0.5, 3.0, SPACING_K])


def test_slices_from_feet_to_head_whatever_their_order(tmp_path):
    write(tmp_path / "ct", straight(5)[::-1])
    ct = read_ct(tmp_path / "ct")
    np.testing.assert_allclose(ct.volume_from_index[:3, 2], [0, 0, SPACING_K], atol=1e-9)
    np.testing.assert_allclose(ct.volume_from_index[:3, 3], 0, atol=1e-9)
