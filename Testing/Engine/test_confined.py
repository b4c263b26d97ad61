"""Work in a child process: whatever becomes of it, this process gets a word and lives on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from Patience import PATIENCE_S
from prostreg.confined import run_confined


def outcome(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str, limit_s: float = PATIENCE_S) -> str | None:
    (folder / "its_work.py").write_text(f"def main():\n    {body}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    return run_confined("its_work", folder, limit_s, 100_000_000)


def test_work_is_done_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "für 1"
    folder.mkdir()
    assert outcome(folder, monkeypatch, "open('done', 'w').close()") is None
    assert (folder / "done").exists()


def test_a_crash_is_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(tmp_path, monkeypatch, "import ctypes; ctypes.string_at(0)") == "crashed"


def test_an_endless_loop_in_native_code_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "import ctypes; ctypes.pythonapi.PyRun_SimpleString(b'while True: pass')"
    assert outcome(tmp_path, monkeypatch, body, limit_s=2.0) == "took longer than 2 s"


def test_an_error_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(tmp_path, monkeypatch, "raise ValueError") == "refused the data"


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux alone")
def test_memory_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(tmp_path, monkeypatch, "bytearray(1 << 33)") == "needed more than 0.1 GiB of memory"


def test_an_application_that_does_not_know_its_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    assert "does not say where its Python is" in str(outcome(tmp_path, monkeypatch, "pass"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    assert "could not be started" in str(outcome(tmp_path, monkeypatch, "pass"))
