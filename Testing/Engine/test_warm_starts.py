"""A process that was forked with the libraries loaded is to whoever started it what a cold one is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from WarmStarts import Starts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="all processes start cold on this system")


@pytest.fixture
def told_of_starts(starts: Starts, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Gets an entry for each warm start."""
    told: list[object] = []
    start = starts._start_warm
    monkeypatch.setattr(starts, "_start_warm", lambda *asked: (told.append(asked), start(*asked)))
    return told


def test_it_ends_and_speaks_as_a_cold_one(starts: Starts, told_of_starts: list[object], tmp_path: Path) -> None:
    (tmp_path / "pose.txt").write_text("no pose", encoding="utf-8")
    command = [sys.executable, "-m", "prostreg", "drr", "none", "--pose", "pose.txt", "--out", "o.tif", "--json"]
    ended = [subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)]
    starts.may_be_warm, before = False, starts.may_be_warm
    try:
        ended.append(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False))
    finally:
        starts.may_be_warm = before
    assert len(told_of_starts) == 1
    warm, cold = [(one.returncode, one.stdout, one.stderr) for one in ended]
    assert warm == cold
    assert warm[0] == 2
    assert "pose.txt" in warm[2]


def test_it_is_a_child_that_hears_signals(told_of_starts: list[object]) -> None:
    command = [sys.executable, "-m", "prostreg.worker", "--listen", "127.0.0.1:0"]
    environment = {**os.environ, "PROSTREG_WORKER_TOKEN": "token"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "listens" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
    assert len(told_of_starts) == 1
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (["-c", ""], {}),
        (["-X", "dev", "-m", "prostreg", "--help"], {}),
        (["-m", "prostreg", "--help"], {"env": {**os.environ, "PYTHONIOENCODING": "ascii"}}),
        (["-m", "prostreg", "--help"], {"start_new_session": True}),
    ],
)
def test_what_a_copy_cannot_be_starts_cold(
    command: list[str], options: dict[str, object], told_of_starts: list[object]
) -> None:
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    assert told_of_starts == []
