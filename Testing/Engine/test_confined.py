"""Work in a child process: whatever becomes of it, this process gets a word and lives on."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from Patience import PATIENCE_S
from prostreg.confined import run_confined, work
from prostreg.job_limits import ExtendedLimits, limit_committed_memory


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


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource limits")
def test_a_system_that_keeps_no_limit_lets_it_work_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As macOS, which refuses to set one."""
    import resource

    def refuse(kind: int, limits: tuple[int, int]) -> None:
        if kind == resource.RLIMIT_AS:
            raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    (tmp_path / "their_work.py").write_text("done = []\ndef main():\n    done.append(1)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    work("their_work", 100_000_000)
    assert sys.modules.pop("their_work").done == [1]


class Kernel:
    """Windows's kernel32, as far as it is asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.CreateJobObjectW = lambda *given: 17
        self.CreateJobObjectW.restype = None

    def SetInformationJobObject(self, job: ctypes.c_void_p, kind: int, limits: Any, size: int) -> int:  # noqa: N802
        told = ctypes.cast(limits, ctypes.POINTER(ExtendedLimits)).contents
        self.calls.append((job.value, kind, told.basic.flags, told.process_memory, size))
        return 1

    def AssignProcessToJobObject(self, job: ctypes.c_void_p, process: ctypes.c_void_p) -> int:  # noqa: N802
        self.calls.append((job.value, process.value))
        return 1


def test_on_windows_a_job_limits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel()
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    assert limit_committed_memory(5 << 30)
    size = 144 if sys.maxsize > 2**32 else 112  # of the structure, by the documents of Windows
    assert kernel.calls == [(17, 9, 0x100, 5 << 30, size), (17, ctypes.c_void_p(-1).value)]


def test_an_application_that_does_not_know_its_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    assert "does not say where its Python is" in str(outcome(tmp_path, monkeypatch, "pass"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    assert "could not be started" in str(outcome(tmp_path, monkeypatch, "pass"))
