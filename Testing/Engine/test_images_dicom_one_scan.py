"""Slices that call themselves one series and are of two scans, or of no HU: refused in words that name nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DicomFiles import write_ct
from prostreg.cli.main import main
from prostreg.errors import InputError
from prostreg.images.reading import read_ct

SLICES = 12
_ROWS, _COLUMNS = np.mgrid[:24, :24]
BODY = np.where((_COLUMNS - 12) ** 2 + (_ROWS - 12) ** 2 < 81, 1064, 24).astype(np.uint16)


def series(folder: Path, tags: Callable[[int], dict[str, Any]]) -> Path:
    """A body in air; ``tags`` are those of a slice."""
    for number in range(SLICES):
        write_ct(folder / f"{number:02d}.dcm", BODY, [0, 0, 2.0 * number], **tags(number))
    return folder


def halves(keyword: str, first: Any, second: Any) -> Callable[[int], dict[str, Any]]:
    return lambda number: {keyword: first if number < SLICES / 2 else second}


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_ct(folder)
    return " ".join(caught.value.faults)


@pytest.mark.parametrize(
    ("keyword", "first", "second", "what"),
    [
        ("PatientID", "ZB-314159", "TM-271828", "patients"),
        ("StudyInstanceUID", "1.2.314159", "1.2.271828", "studies"),
        ("FrameOfReferenceUID", "1.3.314159", "1.3.271828", "frames of reference"),
    ],
)
def test_slices_of_two_scans_are_no_ct(tmp_path: Path, keyword: str, first: str, second: str, what: str) -> None:
    said = refused(series(tmp_path / "ct", halves(keyword, first, second)))
    assert said == (
        f"The CT series in ct has slices of different {what} ({keyword}): keep the slices of one scan in the folder."
    )


def test_one_slice_of_another_patient_is_enough(tmp_path: Path) -> None:
    given = series(tmp_path / "ct", lambda number: {"PatientID": "other" if number == 3 else "this"})
    assert "different patients" in refused(given)


def test_what_some_slices_do_not_tell_is_not_compared(tmp_path: Path) -> None:
    given = series(tmp_path / "ct", lambda number: {} if number % 2 else {"PatientID": "A", "AcquisitionNumber": 1})
    assert read_ct(given).note is None


def test_scans_that_lie_between_each_other_are_refused(tmp_path: Path) -> None:
    given = series(tmp_path / "ct", lambda n: {"AcquisitionNumber": 1 + n % 2, "ConvolutionKernel": f"B{n % 2}"})
    said = refused(given)
    assert "several scans that lie between each other (AcquisitionNumber, ConvolutionKernel go back and forth)" in said


@pytest.mark.parametrize("slices_each", [1, 2, 4, 6])
def test_acquisitions_one_behind_the_other_are_a_scan(tmp_path: Path, slices_each: int) -> None:
    """As of scanners that stop and go; they may overlap by a slice."""
    given = series(tmp_path / "ct", lambda number: {"AcquisitionNumber": number // slices_each})
    assert read_ct(given).note is None


@pytest.mark.parametrize("keyword", ["KVP", "ConvolutionKernel"])
def test_settings_that_change_on_the_way_are_said(tmp_path: Path, keyword: str) -> None:
    given = series(tmp_path / "ct", halves(keyword, "80", "140"))
    assert read_ct(given).note == f"The CT series in ct has slices of different {keyword}: check that it is one scan."


@pytest.mark.parametrize("kind", ["Z_EFF", "EDW", "MGML"])
def test_what_is_measured_in_other_units_is_no_ct(tmp_path: Path, kind: str) -> None:
    given = series(tmp_path / "ct", lambda number: {"RescaleType": kind})
    assert refused(given) == f"The CT series in ct is not in HU, its RescaleType is {kind}: export the CT in HU."


@pytest.mark.parametrize("kind", [["DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MIP"], ["DERIVED", "PRIMARY", "MAX_IP"]])
def test_projections_of_slabs_are_no_slices(tmp_path: Path, kind: list[str]) -> None:
    assert "is of projections (ImageType M" in refused(series(tmp_path / "ct", lambda number: {"ImageType": kind}))


def test_a_ct_without_its_bones_is_said(tmp_path: Path) -> None:
    given = series(tmp_path / "ct", lambda number: {"ImageType": ["DERIVED", "SECONDARY", "SUBTRACTED"]})
    assert "was made by subtraction (ImageType), which may take bones out" in str(read_ct(given).note)


def test_slices_of_another_kind_in_the_same_series_are_passed_over(tmp_path: Path) -> None:
    given = series(tmp_path / "ct", halves("Modality", "PT", "CT"))
    assert len(read_ct(given).values) == SLICES / 2
    pets = series(tmp_path / "pet", halves("Modality", "PT", "MR"))
    assert "only other images (6 x PT, 6 x MR)" in refused(pets)


def test_every_fault_is_listed_and_nobody_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = series(tmp_path / "ct", halves("PatientID", "ZB-314159", "TM-271828"))
    write_ct(given / "05.dcm", BODY, [0, 0, 10.0], PixelSpacing=[2, 2], PatientID="ZB-314159", PatientName="Zaphod")
    assert main(["simulate", str(given), "--camera", "none.json", "--pose", "none.tfm", "--out", "x.png"]) == 2
    said = capsys.readouterr().err
    assert "different patients" in said
    assert "different pixel spacing" in said
    assert not any(word in said for word in ("314159", "271828", "Zaphod"))
