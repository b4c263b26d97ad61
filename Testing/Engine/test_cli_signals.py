"""Whoever stops a command is answered at every moment: a sentence, the exit code of the contract, no half files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from Patience import PATIENCE_S
from prostreg.cli import command, interruption
from prostreg.cli.command import run_command
from prostreg.cli.interruption import STOPPED_EARLY, Listener, stop_requests
from prostreg.undisturbed import undisturbed

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without asking them"),
    pytest.mark.usefixtures("signals_heard"),
]

SENTENCE = f"Stopped:\n- {STOPPED_EARLY}\n"

STOP_AT = """
import os, sys
name, event, number, *sys.argv[1:] = sys.argv[1:]
def stop(happened, about):
    global name
    if happened == event and name is not None and name in str(about[0]):
        name = None
        os.kill(os.getpid(), int(number))
sys.addaudithook(stop)
"""
"""Sends itself a signal when Python tells of an event, such as a file that is opened."""

COMMAND = "from prostreg.cli.main import main; sys.exit(main())"


def ended(code: str, name: str, event: str, number: int, *given: object, **options: Any) -> subprocess.CompletedProcess:
    arguments = [sys.executable, "-c", STOP_AT + code, name, event, str(int(number)), *map(str, given)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **options.pop("environment", {})}
    return subprocess.run(
        arguments, capture_output=True, text=True, timeout=PATIENCE_S, env=environment, check=False, **options
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("library", ["argparse", "numba"])
def test_while_libraries_are_loaded(tmp_path: Path, library: str, number: int) -> None:
    out = tmp_path / "x.tif"
    given = ("simulate", "ct.nii.gz", "--camera", "c.json", "--pose", "p.json", "--out", out, "--json")
    process = ended(COMMAND, library, "import", number, *given)
    assert (process.returncode, process.stderr) == (4, SENTENCE)
    assert json.loads(process.stdout) == {"error": {"kind": "stopped", "faults": [STOPPED_EARLY]}, "exit_code": 4}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_files_are_read_and_while_one_is_written(tmp_path: Path, number: int) -> None:
    given = ("drr", tmp_path, "--pose", "p.json", "--out", tmp_path / "x.tif", "--json")
    (tmp_path / "case.json").write_text("{}", encoding="utf-8")
    process = ended(COMMAND, "case.json", "open", number, *given)
    assert (process.returncode, process.stderr) == (4, SENTENCE)
    assert json.loads(process.stdout) == {"error": {"kind": "stopped", "faults": [STOPPED_EARLY]}, "exit_code": 4}

    writing = (
        "from pathlib import Path\nfrom prostreg.files import complete_file\nfrom prostreg.cli import command\n"
        "class Module:\n"
        "    def run(parsed):\n"
        "        with complete_file(parsed.out) as unfinished:\n"
        "            unfinished.write_text('half')\n"
        "command._module = lambda parsed: Module\n"
    )
    out = tmp_path / "out"
    given = ("drr", tmp_path, "--pose", "p.json", "--out", out / "x.tif")
    for file, moment in (("", "tempfile.mkdtemp"), (".lock", "open"), ("", "os.rename")):
        process = ended(writing + COMMAND, file, moment, number, *given)
        assert (process.returncode, process.stderr) == (4, SENTENCE)
        assert list(out.iterdir()) == []


def test_all_files_of_a_result_are_exchanged_or_none(tmp_path: Path) -> None:
    writing = (
        "from pathlib import Path\nfrom prostreg.outputs.result_file import write_together\n"
        "def write(folder):\n"
        "    for name in ('drr.nrrd', 'overlay.png', 'result.json'): (folder / name).write_text(sys.argv[2])\n"
        "write_together(Path(sys.argv[1]), write)"
    )
    folder = tmp_path / "case"
    assert ended(writing, "never", "never", 0, folder, "old").returncode == 0
    process = ended(writing, "overlay.png", "os.rename", signal.SIGTERM, folder, "new")
    assert process.returncode == -signal.SIGTERM
    assert {file.name: file.read_text() for file in folder.iterdir()} == dict.fromkeys(
        ("drr.nrrd", "overlay.png", "result.json"), "new"
    )
    assert list(tmp_path.glob(".*/content/*")) == []


def test_after_the_last_word_the_exit_code_is_the_commands() -> None:
    at_the_end = "import atexit; atexit.register(lambda: sys.audit('the end', ''))\n"
    process = ended(at_the_end + COMMAND, "", "the end", signal.SIGTERM, "info", "--json")
    assert (process.returncode, process.stderr) == (0, "")
    assert json.loads(process.stdout)["exit_code"] == 0


def test_what_python_drops_in_a_destructor_is_raised_again() -> None:
    code = (
        "import threading\nfrom prostreg.cli.interruption import Listener\n"
        "class Dropping:\n    def __del__(self): sys.audit('dropping', '')\n"
        "listener = Listener(False); listener.hear(); listener.begin_work()\n"
        f"try:\n    Dropping()\n    threading.Event().wait({PATIENCE_S})\n"
        "except KeyboardInterrupt:\n    sys.exit(5)"
    )
    process = ended(code, "", "dropping", signal.SIGTERM)
    assert (process.returncode, process.stderr) == (5, "")


def test_what_is_ignored_on_purpose_stays_ignored(tmp_path: Path) -> None:
    given = ("drr", tmp_path / "none.json", "--pose", "p.json", "--out", tmp_path / "x.tif")
    process = ended(
        COMMAND, "numpy", "import", signal.SIGHUP, *given,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    assert process.returncode == 2
    assert "none.json does not exist" in process.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_processes_that_help_with_a_training_leave_the_decision_to_the_first(tmp_path: Path, number: int) -> None:
    given = ("train", tmp_path / "none.json", "--out", tmp_path / "out")
    process = ended(COMMAND, "numpy", "import", number, *given, environment={"LOCAL_RANK": "1"})
    assert process.returncode == 2
    assert "none.json" in process.stderr


def test_an_interruption_that_a_library_took_for_its_own_fault_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listener = Listener(as_json=False)

    class Module:
        @staticmethod
        def run(parsed: object) -> None:
            listener.has_interrupted = True
            raise ImportError("initialization of _C failed")

    monkeypatch.setattr(command, "_module", lambda parsed: Module)
    assert run_command(["info"], listener) == 4
    assert capsys.readouterr().err == SENTENCE


class TestStopRequests:
    def test_two_signals_at_once_are_one_wish(self) -> None:
        with stop_requests() as is_asked_to_stop:
            assert not is_asked_to_stop()
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)
            assert is_asked_to_stop()

    def test_a_second_thought_interrupts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(interruption, "ONE_WISH_S", 0.0)

        def ask_twice() -> None:
            with stop_requests():
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGTERM)

        with pytest.raises(KeyboardInterrupt):
            ask_twice()

    def test_the_handlers_of_before_come_back(self) -> None:
        before = signal.getsignal(signal.SIGTERM)
        with stop_requests():
            assert signal.getsignal(signal.SIGTERM) is not before
        assert signal.getsignal(signal.SIGTERM) is before


def test_undisturbed_steps_are_all_done_before_the_interruption() -> None:
    done = []

    def steps() -> None:
        with undisturbed():
            done.append("first")
            signal.raise_signal(signal.SIGINT)
            done.append("second")

    with pytest.raises(KeyboardInterrupt):
        steps()
    assert done == ["first", "second"]
