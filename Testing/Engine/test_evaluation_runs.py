"""`prostreg evaluate` as users run it: here, on Dask, killed and resumed, on the phantom's protocol."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PhantomImages import phantom_case_in
from PIL import Image

from Patience import PATIENCE_S
from prostreg.cli.main import main
from prostreg.evaluation.sources import phantom_cases
from prostreg.evaluation.sources.case_series import CaseSeries
from prostreg.evaluation.sources.simulated_cases import SimulatedCases

CASES = 2
COMMAND = ["evaluate", "--protocol", "phantom", "--number", str(CASES), "--json"]


@pytest.fixture(scope="module", autouse=True)
def one_source() -> Iterator[None]:
    """The phantom and its simulator are made once for all runs in this process; every case is made anew."""
    make_source, made = phantom_cases.make_source, dict[tuple[str, int], SimulatedCases]()

    def kept(series: CaseSeries, data_folder: Path | None) -> SimulatedCases:
        key = series.name, series.cases
        if key not in made:
            made[key] = make_source(series, data_folder)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantom_cases, "make_source", kept)
        yield


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON on stdout, and stderr."""
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, json.loads(printed.out), printed.err


def rows_but_seconds(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation that ran in one go."""
    folder = tmp_path_factory.mktemp("finished")
    assert main([*COMMAND, "--out", str(folder)]) == 0
    return folder


def test_rows_tell_what_happened(finished: Path) -> None:
    rows = rows_but_seconds(finished)
    assert [row["number"] for row in rows] == list(range(CASES))
    for row in rows:
        assert row["error"] is None
        assert row["mtre_mm"] < 10 < row["start_mtre_mm"]
        assert row["attempts"]
        assert row["evidence"]
        assert row["status"] == "failed" or row["carm_fit"]["given_sdd_mm"] == pytest.approx(1020.0)
        assert row["evaluations"] > 100
        assert row["mtre_mm"] == pytest.approx(row["depth_error_mm"], rel=0.5)  # depth is the worst
    with Image.open(finished / "worst_cases.png") as sheet:
        assert sheet.width > 600
        assert len(sheet.getcolors() or []) > 60  # no blank picture


def test_a_finished_evaluation_is_only_tabulated_again(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (finished / "results.jsonl").read_bytes()
    (finished / "table.md").unlink()
    code, report, said = run(capsys, *COMMAND, "--out", finished)
    assert (code, report["complete"], report["rows"]) == (0, True, CASES)
    assert "to do" not in said
    assert (finished / "table.md").is_file()
    assert (finished / "results.jsonl").read_bytes() == before


def test_dask_workers_give_the_same_rows(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report, _ = run(capsys, *COMMAND, "--dask", "local", "--workers", 2, "--out", tmp_path)
    assert (code, report["complete"]) == (0, True)
    assert rows_but_seconds(tmp_path) == rows_but_seconds(finished)


def test_a_killed_run_goes_on_where_it_was(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "prostreg", *COMMAND, "--out", str(tmp_path)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + PATIENCE_S
    while not (results.exists() and results.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = results.read_bytes()
    assert 1 <= kept.count(b"\n") < CASES
    results.write_bytes(kept + b'{"protocol": "phan')  # what a kill within a write would leave
    code, report, said = run(capsys, *COMMAND, "--out", tmp_path)
    assert (code, report["complete"]) == (0, True)
    assert f"{kept.count(chr(10).encode())} done before" in said
    assert results.read_bytes().startswith(kept)
    assert rows_but_seconds(tmp_path) == rows_but_seconds(finished)


def test_case_folders_are_evaluated_instead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    phantom_case_in(tmp_path / "cases" / "good", 0)
    broken = tmp_path / "cases" / "z-broken" / "case.json"
    broken.parent.mkdir()
    broken.write_text("{}", encoding="utf-8")
    arguments = ["evaluate", "--protocol", "phantom", "--cases", tmp_path / "cases", "--out", tmp_path / "out"]
    code, report, _ = run(capsys, *arguments, "--json")
    assert (code, report["rows"]) == (0, 2)
    good, bad = rows_but_seconds(tmp_path / "out")
    assert good["case"] == "phantom-demo"
    assert good["mtre_mm"] is not None
    assert "views" in bad["error"]
    assert bad["mtre_mm"] is None


def test_all_faults_are_told_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prostreg.prost.shipped.MODELS_FOLDER", tmp_path)  # an installation without weights
    code, report, _ = run(capsys, *COMMAND, "--methods", "prost,prost+cmaes", "--workers", 2, "--out", tmp_path / "out")
    assert code == 2
    assert len(report["error"]["faults"]) == 3
    assert not (tmp_path / "out").exists()
    code, report, _ = run(capsys, "evaluate", "--json")
    assert (code, len(report["error"]["faults"])) == (2, 2)
    code, report, _ = run(capsys, "evaluate", "--protocol", "prost-pelvis", "--out", tmp_path / "out", "--json")
    assert code == 2
    assert "TotalSegmentator" in report["error"]["faults"][0]
    assert not (tmp_path / "out").exists()


def test_a_scheduler_that_does_not_answer_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report, _ = run(capsys, *COMMAND, "--dask", "nonsense://nowhere", "--out", tmp_path)
    assert code == 2
    assert "nonsense://nowhere" in report["error"]["faults"][0]


def test_protocols_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--list"]) == 0
    printed = capsys.readouterr().out
    assert "prost-pelvis " in printed
    assert "capture-range" in printed
