"""The engine in another Python: looked at before it is used, and kept apart from Slicer's own libraries."""

import os
import platform
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import slicer

from Patience import PATIENCE_S
from prostreg.errors import InputError
from ProSTRegistrationLib.Install import EnginePython, Requirements
from ProSTRegistrationLib.Install.EnginePython import PythonCheck, chosenInterpreter, chosenPath
from ProSTRegistrationLib.Worker import Interpreter
from ProSTRegistrationLib.Worker.Interpreter import otherInterpreter

OF_SLICER = {
    "PYTHONHOME": "slicer/lib/Python",
    "PYTHONPATH": "slicer/lib/Slicer-5.12",
    "LD_LIBRARY_PATH": "slicer/lib",
    "DYLD_LIBRARY_PATH": "slicer/lib",
    "QT_PLUGIN_PATH": "slicer/lib/QtPlugins",
    "SSL_CERT_FILE": "slicer/share/Slicer.crt",
    "__PYVENV_LAUNCHER__": "slicer/bin/python-real",
}
no_scripts = pytest.mark.skipif(sys.platform == "win32", reason="a script stands for a Python")


@pytest.fixture
def settings(monkeypatch):
    """What Slicer keeps for this user; Slicer's launcher has set what it sets."""
    kept = {}
    asked = SimpleNamespace(value=kept.get, setValue=kept.__setitem__, remove=kept.pop)
    monkeypatch.setattr(slicer, "app", SimpleNamespace(userSettings=lambda: asked), raising=False)
    for name, value in OF_SLICER.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: dict(os.environ))
    return kept


@pytest.fixture
def python(tmp_path):
    """Writes a file that stands for a Python: what it prints, and the code it ends with."""

    def write(source):
        path = tmp_path / "a python"
        path.write_text(f"#!{sys.executable}\n{source}\n", encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return write


def looked(path):
    check = PythonCheck(path)
    deadline = time.monotonic() + PATIENCE_S
    while check.isRunning:
        assert time.monotonic() < deadline
        check.poll()
        time.sleep(0.01)
    return check


def faultOf(path):
    with pytest.raises(InputError) as caught:
        looked(path).conclude()
    return "\n".join(caught.value.faults)


def answering(version, packages):
    return f"import json; print(json.dumps({{'python': {list(version)}, 'packages': {packages!r}}}))"


def allPackages():
    return {needed.name: "99.0" for needed in (*Requirements.requirements(), *Requirements.brought())}


def test_nothing_of_slicers_libraries_reaches_another_python():
    other = otherInterpreter("python", {**OF_SLICER, "PATH": "bin", "HOME": "home", "HTTPS_PROXY": "proxy"})
    assert other.environment == {"PATH": "bin", "HOME": "home", "HTTPS_PROXY": "proxy"}


@pytest.mark.parametrize(("told", "before"), [("1\n", ("/usr/bin/arch", "-arm64", "-x86_64")), ("0\n", ()), ("", ())])
def test_a_translated_application_starts_it_for_the_macs_own_processor(monkeypatch, told, before):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(Interpreter.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=told))
    assert otherInterpreter("python", {}).command == (*before, "python")


def test_a_python_with_all_packages_is_tried_and_then_used(settings):
    """A real one, where Slicer's variables would keep it from starting."""
    environment = {**os.environ, "PYTHONHOME": OF_SLICER["PYTHONHOME"]}
    assert subprocess.run([sys.executable, "-c", ""], env=environment, capture_output=True).returncode != 0
    check = looked(sys.executable)
    assert chosenPath() == ""
    check.conclude()
    assert "a small DRR in " in check.verdict
    assert settings == {EnginePython.SETTING: sys.executable}
    assert chosenInterpreter().command[-1] == sys.executable
    assert "PYTHONHOME" not in chosenInterpreter().environment


@no_scripts
@pytest.mark.parametrize(
    ("source", "words"),
    [
        (answering((3, 9), {}), "is Python 3.9, and the engine needs 3.10 or newer"),
        ("print('Welcome')", "does not answer as a Python does"),
        ("raise SystemExit(3)", "does not answer as a Python does"),
    ],
)
def test_another_program_or_an_old_python_is_refused(settings, python, source, words):
    assert words in faultOf(python(source))
    assert settings == {}


@no_scripts
def test_what_is_missing_is_told_with_the_command_that_brings_it(settings, python):
    path = python(answering((3, 12), {**allPackages(), "torch": "2.2.2", "cma": None, "numba": None}))
    fault = faultOf(path)
    assert f"Python 3.12 at {path} lacks torch (2.2.2 is too old, 2.4.1 is needed), cma, numba." in fault
    needed = " ".join(f'"{n.text}"' for n in Requirements.requirements() if n.name in ("torch", "cma", "numba"))
    assert fault.endswith(f'\n"{path}" -m pip install {needed}')


@no_scripts
def test_a_python_without_numba_is_tried(settings, python):
    """And one whose worker does not start is refused with what that said."""
    answer = answering((3, 12), {**allPackages(), "numba": None})
    path = python(f"import sys\nif '-m' in sys.argv: sys.exit('libtorch is damaged')\n{answer}")
    fault = faultOf(path)
    assert f"The engine does not start in {path}" in fault
    assert "libtorch is damaged" in fault
    assert settings == {}


def test_a_file_that_is_not_there_is_refused(settings, tmp_path):
    assert "could not be started" in faultOf(str(tmp_path / "no python"))


@no_scripts
def test_a_look_that_is_cancelled_ends_what_it_started(settings, python):
    check = PythonCheck(python("import time; time.sleep(600)"))
    check.poll()
    assert check.isRunning
    check.cancel()
    assert (check.isRunning, check.isCancelled) == (False, True)
    assert check._process.returncode is not None
    assert settings == {}


@no_scripts
def test_a_python_that_stays_silent_is_refused(settings, python, monkeypatch):
    monkeypatch.setattr(EnginePython, "ANSWER_LIMIT_S", 0.1)
    assert "gives no answer" in faultOf(python("import time; time.sleep(600)"))
