"""Tables and figures of rows whose numbers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prostreg.evaluation.protocol import Protocol, read_protocol
from prostreg.evaluation.report.calibration import confidence_bins
from prostreg.evaluation.report.cases_to_look_at import DANGEROUS, MISSED, RIGHT, WRONG, notable_rows
from prostreg.evaluation.report.files import write_report
from prostreg.evaluation.report.summary import summarise
from prostreg.evaluation.rows import Row
from prostreg.registration.result import Status

ERRORS_MM = (0.5, 1.0, 1.5, 2.0, 30.0, 50.0, 9.0, 70.0)
STATUSES: tuple[Status, ...] = (
    "accepted", "accepted", "accepted", "accepted", "accepted", "failed", "uncertain", "failed",
)  # fmt: skip


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return read_protocol("prost-pelvis")


@pytest.fixture
def rows() -> list[Row]:
    """Eight cases with errors, and one that could not be run."""
    made = [
        Row(
            "prost-pelvis", "v", "e", number, f"case-{number}", "cmaes", 0,
            start_mtre_mm=20.0 * (number + 1), mtre_mm=error, status=status,
            confidence=0.999 if status == "accepted" else 0.001 * (number + 1),
            in_plane_rotation_error_deg=0.1, out_of_plane_rotation_error_deg=0.2,
            in_plane_translation_error_mm=0.3, depth_error_mm=error,
            turn_errors_deg=[0.1, -0.1, 0.05], shift_errors_mm=[0.1, 0.1, -error],
            expected_error={"rotation_deg": [0.1] * 3, "translation_mm": [0.1, 0.1, 1.0], "mtre_mm": 1.0},
            seconds=1.0 + number, evaluations=100, restarts=1,
        )
        for number, (error, status) in enumerate(zip(ERRORS_MM, STATUSES, strict=True))
    ]  # fmt: skip
    return [*made, Row("prost-pelvis", "v", "e", 8, "case-8", "cmaes", 0, error="it broke")]


def test_summary_of_known_rows(rows: list[Row]) -> None:
    found = summarise(rows, "cmaes", 10.0)
    assert (found.cases, found.failures, found.accepted) == (9, 1, 5)
    assert (found.success.hits, found.success.count) == (5, 9)  # what could not be run is no success
    assert (found.precision.hits, found.precision.count) == (4, 5)
    assert (found.recall.hits, found.recall.count) == (4, 5)
    assert found.worst_accepted_mm == 30.0
    assert found.median_mm.value == 9.0  # of nine, the one that could not be run being the farthest
    assert found.median_of_successes_mm.value == 1.5
    assert found.seconds == pytest.approx((4.5, 7.65))
    assert found.errors["depth, mm"][0] == 1.5


def test_table_says_the_numbers(rows: list[Row], protocol: Protocol, tmp_path: Path) -> None:
    write_report(tmp_path, protocol, ("cmaes",), rows, 12, None)
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "Not complete: 9 of 12" in text
    assert "55.6% (26.7% to 81.1%; 5/9)" in text
    assert "80.0% (37.6% to 96.4%; 4/5)" in text
    assert "| 30.00 | 1 |" in text
    assert "28.5%" in text
    assert "65.6%" in text
    assert "| case-4 | cmaes | accepted but wrong | 30.00 | 100 | accepted | 99.9% |" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in lines)


def test_dangerous_results_come_first(rows: list[Row]) -> None:
    chosen = notable_rows(rows, 10.0)
    assert [(row.number, reason) for row, reason in chosen] == [
        (4, DANGEROUS), (6, MISSED), (7, WRONG), (5, WRONG), (3, RIGHT), (2, RIGHT), (1, RIGHT), (0, RIGHT),
    ]  # fmt: skip
    assert len(notable_rows(rows, 10.0, most=3)) == 3


def test_confidence_bins_hold_every_result(rows: list[Row]) -> None:
    bins = confidence_bins(rows, "cmaes", 10.0)
    assert sum(entry.right.count for entry in bins) == 8
    assert (bins[-1].right.hits, bins[-1].right.count) == (4, 5)
    assert (bins[0].right.hits, bins[0].right.count) == (1, 3)


@pytest.mark.parametrize("name", ["prost-pelvis", "capture-range"])
def test_figures_are_pictures_with_something_on_them(rows: list[Row], name: str, tmp_path: Path) -> None:
    files = write_report(tmp_path, read_protocol(name), ("cmaes",), rows, 9, None)
    first = "capture_range.png" if name == "capture-range" else "success_over_start.png"
    assert files == ["table.md", first, "mtre_distribution.png", "calibration.png", "expected_error.png"]
    for file in files[1:]:
        with Image.open(tmp_path / file) as picture:
            pixels = np.asarray(picture.convert("RGB"), dtype=int)
        assert pixels.shape[1] == 960
        orange = (np.abs(pixels - (213, 94, 0)).max(axis=-1) < 40).sum()
        assert orange > 100, file  # the method's colour is there
        assert (pixels.min(axis=-1) > 250).mean() > 0.3  # and so is the paper


def test_cases_without_truth_give_a_table_and_no_figures(protocol: Protocol, tmp_path: Path) -> None:
    row = Row("p", "v", "e", 0, "real", "auto", 0, confidence=0.99, status="accepted", seconds=2.0, evaluations=5)
    assert write_report(tmp_path, protocol, ("auto",), [row], 1, None) == ["table.md"]
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "no known truth" in text
    assert "| auto | 1 of 1 | - | - | - | 0 |" in text
