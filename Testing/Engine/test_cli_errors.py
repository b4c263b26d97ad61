"""Exit codes, stdout and stderr of the command line where nothing can start."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from MissingPackages import without

from prostreg.cli import command
from prostreg.cli.main import main
from prostreg.errors import Stopped

FULL = Path("/dev/full")


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "prostreg", *arguments], capture_output=True, text=True, check=False)


def test_help_and_typing_errors_load_nothing_heavy():
    code = (
        "import sys; from prostreg.cli.main import main\n"
        "assert main(['register', '--json']) == 2\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'numba', 'numpy', 'SimpleITK', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: COMMAND"),
        (["dance"], "invalid choice: 'dance'"),
        (["register", "case.json"], "--out"),
        (["register", "case.json", "--out", "x", "--restarts", "0"], "less than 1"),
        (["register", "case.json", "--out", "x", "--restarts", "few"], "not a whole number"),
        (["register", "case.json", "--out", "x", "--time-limit", "nan"], "not a positive number"),
        (["register", "case.json", "--out", "x", "--seed", "-1"], "negative"),
        (["register", "case.json", "--out", "x", "--method", "luck"], "invalid choice: 'luck'"),
    ],
)
def test_what_cannot_be_parsed_is_bad_input(arguments, words, capsys):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.out == ""
    assert "Traceback" not in printed.err


def test_every_fault_of_a_command_is_listed_and_nothing_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "pose.txt").write_text("2 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1")
    case, pose, out = (str(tmp_path / name) for name in ("none.json", "pose.txt", "file/drr.docx"))
    assert main(["drr", case, "--pose", pose, "--out", out, "--json"]) == 2
    printed = capsys.readouterr()
    answer = json.loads(printed.out)
    assert answer["exit_code"] == 2
    assert len(answer["error"]["faults"]) == 4
    for words in ("is a file", "no known ending", "not rigid", "none.json does not exist"):
        assert words in printed.err
        assert any(words in fault for fault in answer["error"]["faults"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "pose.txt"]


def test_info_tells_versions_and_devices(capsys):
    outcome = run("info", "--json")
    assert outcome.returncode == 0
    answer = json.loads(outcome.stdout)
    assert answer["versions"]["torch"]
    assert answer["devices"][0]["name"] == "cpu"
    assert outcome.stderr == ""
    assert main(["info"]) == 0
    assert "torch" in capsys.readouterr().out


def test_info_tells_which_weights_there_are(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PROSTREG_CACHE", str(tmp_path))
    (tmp_path / "adapted").mkdir()
    for name in ("hip.safetensors", "hip.json", "no-card.safetensors"):
        (tmp_path / "adapted" / name).write_bytes(b"")
    assert main(["info", "--json"]) == 0
    weights = json.loads(capsys.readouterr().out)["weights"]
    assert weights["adapted"] == {"folder": str(tmp_path / "adapted"), "count": 1}
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert "adapted to patients: 1" in text
    for shipped in weights["shipped"]:
        assert "fault" not in shipped
        assert f"{shipped['name']}: {shipped['parameters']:,} parameters" in text


class TestUnexpected:
    """Errors that reach main from inside a command."""

    @pytest.fixture
    def failing(self, monkeypatch):
        def install(error):
            class Module:
                @staticmethod
                def run(arguments):
                    print("chatter of a library")
                    raise error

            monkeypatch.setattr(command.importlib, "import_module", lambda name: Module)

        return install

    def test_a_defect_is_one_sentence_and_code_1(self, failing, capsys):
        failing(ZeroDivisionError("division by zero"))
        assert main(["info", "--json"]) == 1
        printed = capsys.readouterr()
        assert "--debug" in printed.err
        assert "Traceback" not in printed.err
        assert json.loads(printed.out)["error"]["kind"] == "defect"

    def test_debug_shows_the_traceback(self, failing, capsys):
        failing(ZeroDivisionError("division by zero"))
        assert main(["info", "--debug"]) == 1
        assert "Traceback" in capsys.readouterr().err

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), Stopped("The user ended it.")])
    def test_a_stop_is_code_4(self, failing, capsys, error):
        failing(error)
        assert main(["info", "--json"]) == 4
        assert json.loads(capsys.readouterr().out)["exit_code"] == 4


def test_a_missing_package_is_named(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(without("cma"), encoding="utf-8")
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "prostreg", "demo", "--phantom", "--out", str(tmp_path / "out")],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    assert done.returncode == 2
    assert "The package cma is missing" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Registering" not in done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_report_that_cannot_be_printed_is_told_in_words():
    with FULL.open("w") as full:
        command = [sys.executable, "-m", "prostreg", "info", "--json"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 2
    assert "The report cannot be printed (No space left on device)" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(not FULL.exists(), reason="needs a shell and /dev/full")
@pytest.mark.parametrize("streams", ["2>&-", ">&-", "2>&- >&-", "2>/dev/full", ">/dev/full", "2>/dev/full >/dev/full"])
@pytest.mark.parametrize("option", ["", "--json", "--debug"])
def test_streams_that_are_closed_or_full_change_no_exit_code(streams, option, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    command = f'"{sys.executable}" -m prostreg register none.json {option} {streams}'
    ended = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ("Traceback" in ended.stderr) == (option == "--debug" and "2>" not in streams)


def test_names_that_the_locale_has_no_letters_for_are_told(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ended = run("hüfte", "--json")
    assert ended.returncode == 2
    assert "'h\\xfcfte'" in ended.stderr
    assert "'hüfte'" in json.loads(ended.stdout)["error"]["faults"][0]
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(not FULL.exists(), reason="needs a shell and /dev/full")
@pytest.mark.parametrize(("command", "code"), [("info", 2), ("--help", 0)])
def test_text_that_cannot_be_printed_ends_with_a_code_of_the_contract(command, code, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    whole = f'"{sys.executable}" -m prostreg {command} >/dev/full'
    ended = subprocess.run(whole, shell=True, capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert "Exception ignored" not in ended.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "The memory of this computer is full"),
        (RuntimeError("Failed to allocate memory for image."), "The memory of this computer is full"),
        (OSError(errno.ENOSPC, "No space left on device"), "make room on the disk"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "case.json"), "The system refused case.json"),
    ],
)
def test_what_the_machine_refuses_is_no_defect(monkeypatch, capsys, error, words):
    def refuse(*_):
        raise error

    monkeypatch.setattr(command, "_run", refuse)
    assert main(["info"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "defect" not in said
