"""The measurement for machines with a GPU: it says what it skips, compares first, and times only what is right."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import gpu_parity_and_times
import numpy as np
import pytest
import torch

from FakeGpu import NAME, fake_gpu
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROSTREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(gpu_parity_and_times, "MOST_REPEATS", 1)
    monkeypatch.setattr(gpu_parity_and_times, "register", registered)


def registered(case: Case, config: RegistrationConfig) -> SimpleNamespace:
    """Stands for a registration, which is tested elsewhere and takes its time."""
    pose = case.truth_world_from_volume.copy()
    pose[0, 3] += 2.5 * (config.device == "cuda")
    return SimpleNamespace(
        world_from_volume=pose,
        device=config.device,
        status="accepted",
        seconds=1.0,
        mtre_mm=1.0,
        stages=(),
        warnings=(),
    )


def measure(folder: Path) -> tuple[int, list[dict]]:
    code = gpu_parity_and_times.main(["--quick", "--out", str(folder)])
    rows = json.loads((folder / "gpu.json").read_text(encoding="utf-8"))
    assert len((folder / "gpu.log").read_text(encoding="utf-8").splitlines()) == len(rows)
    return code, rows


def test_without_a_gpu_it_times_the_cpu_and_says_what_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(gpu_parity_and_times, "searches", lambda log, devices, *_: log.note("search", str(devices)))
    code, rows = measure(tmp_path)
    assert code == 0
    assert {row["part"] for row in rows} == {"hardware", "times", "search"}
    assert rows[-1]["what"] == "['cpu']"
    assert [row["fault"] for row in rows if row["what"] == "gpu skipped"] != [None]
    assert all("cuda" not in row["what"] for row in rows)


def test_with_a_gpu_both_are_compared_and_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gpu(monkeypatch)
    code, rows = measure(tmp_path)
    assert code == 0
    parity = {row["what"]: row["difference"] for row in rows if row["part"] == "parity"}
    assert len(parity) == 2 * 7 + 8
    assert parity["derivative 3 of blobs"] == 0
    assert parity["image of noise"] < 1e-6  # from two kernels, which a processor may round differently
    assert 0 < parity["gradient 1 of blobs"] < 1e-3
    assert [row["ran_on"] for row in rows if "ran_on" in row] == ["cpu", "cuda"]
    assert next(row["apart_mm"] for row in rows if "apart_mm" in row) == pytest.approx(2.5)
    assert sum(row["what"].startswith("cuda: ") for row in rows) == 7
    assert next(row for row in rows if row["what"] == "gpu")["name"] == NAME


def test_what_is_wrong_is_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gpu(monkeypatch).change = lambda images: np.multiply(images, 1.01, out=images)
    code, rows = measure(tmp_path)
    assert code == 1
    assert {row["part"] for row in rows} == {"hardware", "parity"}
