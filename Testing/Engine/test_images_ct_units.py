"""A CT that is not in HU is noticed from the air around the patient and the tissue inside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from DicomFiles import write_ct
from prostreg.errors import InputError
from prostreg.images.ct_units import unit_faults
from prostreg.images.reading import read_ct

SHAPE = (24, 48, 48)


def patient(kind: str = "abdomen") -> NDArray[np.float32]:
    """HU with noise: air around a body of tissue with a spine; or lungs, or a body that fills the whole field."""
    _, j, i = np.indices(SHAPE)
    hu = np.full(SHAPE, -1000.0, dtype=np.float32)
    radius = 60 if kind == "no air around" else 20
    hu[(j - 24) ** 2 + (i - 24) ** 2 < radius**2] = 45
    if kind == "chest":
        hu[(abs(i - 24) > 4) & ((j - 22) ** 2 + (i - 24) ** 2 < 15**2)] = -850
    if kind == "no air around":
        hu[(j - 24) ** 2 + (i - 24) ** 2 < 16**2] = -850  # a lung, cropped
    hu[(j - 34) ** 2 + (i - 24) ** 2 < 16] = 700
    noise = np.random.default_rng(1).normal(0, 15, SHAPE)
    return np.rint(np.maximum(hu + noise, -1024)).astype(np.float32)


KINDS = ["abdomen", "chest", "no air around"]


@pytest.mark.parametrize("kind", KINDS)
def test_hu_pass(kind: str) -> None:
    assert unit_faults(patient(kind), "The CT") == []


def test_the_inside_of_a_bone_and_a_phantom_in_water_pass() -> None:
    rng = np.random.default_rng(2)
    bone = rng.normal(300, 150, SHAPE).astype(np.float32)
    water = rng.normal(0, 20, SHAPE).astype(np.float32)
    water[8:16, 16:32, 16:32] += 1000  # a tenth of it
    for values in (bone, water):
        assert unit_faults(values, "The CT") == []


@pytest.mark.parametrize("offset", [1000, 1024])
@pytest.mark.parametrize("kind", ["abdomen", "chest"])
def test_an_added_offset_is_named(kind: str, offset: int) -> None:
    (fault,) = unit_faults(patient(kind) + offset, "The CT")
    assert "1000 or 1024 was added to its HU" in fault
    assert str(45 + offset)[:2] in fault


@pytest.mark.parametrize("kind", KINDS)
def test_ten_times_hu_are_named(kind: str) -> None:
    (fault,) = unit_faults(patient(kind) * 10, "The CT")
    assert "air where ten times HU have it. Divide it by 10" in fault


def with_metal() -> NDArray[np.float32]:
    values = patient()
    values[:, 20:22, 20:22] = 3000
    return values


def test_a_tenth_of_hu_is_named() -> None:
    (fault,) = unit_faults(with_metal() * np.float32(0.1), "The CT")
    assert "from -102.4 to 300 only: these are no HU" in fault
    assert "perhaps a tenth of them" in fault


def test_bone_within_fat_is_no_tenth_of_hu() -> None:
    fat = np.random.default_rng(3).normal(-100, 15, SHAPE).astype(np.float32)
    fat[8:16, 16:32, 16:32] += 500
    assert unit_faults(fat, "The CT") == []


@pytest.mark.parametrize("padding", [-2000, -2048, -3024, -32768])
def test_a_value_for_what_was_not_scanned_is_no_air_of_another_unit(padding: int) -> None:
    values = with_metal()
    values[:, :4] = padding
    assert unit_faults(values, "The CT") == []


@pytest.mark.parametrize(
    "values", [-patient(), 3000 - patient(), np.where(patient() < 0, patient() + 65536, patient())]
)
def test_values_turned_over_or_wrapped_around_are_named(values: NDArray[np.float32]) -> None:
    (fault,) = unit_faults(values.astype(np.float32), "The CT")
    assert "denser around the patient" in fault


@pytest.mark.parametrize("values", [patient() * 1000, np.where(patient() > 690, 1e30, patient())])
def test_values_that_no_ct_has_are_named(values: NDArray[np.float32]) -> None:
    (fault,) = unit_faults(values.astype(np.float32), "The CT")
    assert "HU lie from -1024 to some thousand" in fault


def test_files_of_any_kind_are_judged(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray((patient() + 1024).astype(np.int16))
    for name in ("ct.nrrd", "ct.nii", "ct.mha"):
        sitk.WriteImage(image, str(tmp_path / name))
        with pytest.raises(InputError, match="1000 or 1024 was added"):
            read_ct(tmp_path / name)


def written(folder: Path, stored: NDArray[np.float32], **tags: object) -> Path:
    for number, one in enumerate(stored.astype(np.int32)):
        write_ct(folder / f"{number:03d}.dcm", one.astype(np.uint16), [0, 0, 2.0 * number], **tags)
    return folder


def test_slices_that_say_that_they_are_turned_over_are_turned_back(tmp_path: Path) -> None:
    tags = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11}
    ct = read_ct(written(tmp_path / "ct", 4095 - (patient() + 1024), **tags))
    np.testing.assert_array_equal(ct.values, patient())
    assert ct.note is not None
    assert "MONOCHROME1" in ct.note


def test_slices_that_are_only_shown_inverted_stay_as_they_are(tmp_path: Path) -> None:
    ct = read_ct(written(tmp_path / "ct", patient() + 1024, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(ct.values, patient())
    assert ct.note is None


def test_slices_in_the_high_bits_and_with_slopes_of_their_own(tmp_path: Path) -> None:
    folder = written(tmp_path / "ct", (patient() + 1024) * 16, BitsStored=12, HighBit=15)
    changed = pydicom.dcmread(folder / "003.dcm")
    changed.RescaleSlope, changed.RescaleIntercept = 2, -24
    changed.save_as(folder / "003.dcm")
    expected = patient()
    expected[3] = (expected[3] + 1024) * 2 - 24
    np.testing.assert_array_equal(read_ct(folder).values, expected)


@pytest.mark.parametrize("tags", [{"RescaleSlope": 0}, {"RescaleSlope": "1", "RescaleIntercept": ["1", "2"]}])
def test_a_slope_that_cannot_be_used_is_refused(tmp_path: Path, tags: dict[str, object]) -> None:
    with pytest.raises(InputError, match="RescaleSlope or RescaleIntercept that cannot be used"):
        read_ct(written(tmp_path / "ct", patient() + 1024, **tags))


def test_no_intercept_where_one_is_needed_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1000 or 1024 was added"):
        read_ct(written(tmp_path / "ct", patient() + 1024, RescaleSlope=None, RescaleIntercept=None))
