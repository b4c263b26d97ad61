"""What is missing is told and installed, with stand-ins only for Slicer's dialogs and for what goes to the network."""

import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import slicer

from Patience import PATIENCE_S
from ProSTRegistrationLib.Install import Environment, PackageInstaller, Requirements
from ProSTRegistrationLib.Install.EnginePython import choosePath
from ProSTRegistrationLib.Install.Environment import EnvironmentFault

LIBRARY = Path(Environment.__file__).parent


class Settings(dict):
    """The parts of QSettings that are asked here."""

    value, setValue, remove = dict.get, dict.__setitem__, dict.pop


class Application:
    """The parts of slicer.app that are asked here."""

    def __init__(self, temporaryPath, version=(5, 12)):
        self.majorVersion, self.minorVersion = version
        self.temporaryPath = str(temporaryPath)
        self.isTesting = False
        self._settings = Settings()

    def userSettings(self):
        return self._settings

    def testingEnabled(self):
        return self.isTesting


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on the search path where installed packages can appear; gives a function that makes them appear."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def add(name, version):
        (folder / f"{name}-{version}.dist-info").mkdir()
        (folder / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")

    return add


@pytest.fixture
def application(tmp_path, monkeypatch):
    """A running Slicer 5.12 in whose Python "prostfirst" and "prostsecond" are missing; says yes to questions."""
    (tmp_path / "temporary with ü").mkdir()
    made = Application(tmp_path / "temporary with ü")
    made.questions, made.answer = [], True
    monkeypatch.setattr(slicer, "app", made, raising=False)

    def confirm(text, windowTitle=None, parent=None, **_):
        made.questions.append(text)
        return made.answer

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", confirm)
    need(tmp_path, monkeypatch, "# a comment\nprostfirst>=1.2\n\nprostsecond>=3\n")
    return made


def need(folder, monkeypatch, text):
    (folder / "requirements.txt").write_text(text)
    monkeypatch.setattr(Requirements, "REQUIREMENTS_FILE", folder / "requirements.txt")


PIP = """#!{python}
import json, os, pathlib, sys, time
folder = pathlib.Path({folder!r})
pins = [pathlib.Path(url.removeprefix("file://").replace("%20", " ").replace("%C3%BC", "ü")).read_text(encoding="utf-8")
        for url in os.environ["PIP_CONSTRAINT"].split()]
with open(folder / "calls", "a") as calls:
    calls.write(json.dumps([sys.argv[1:], "".join(pins).split()]) + "\\n")
plan = json.loads((folder / "plan").read_text())
for requirement in sys.argv[1:]:
    name = requirement.partition(">=")[0]
    if name in plan["hangs"]:
        time.sleep(600)
    if name in plan["fails"]:
        sys.exit("No matching distribution found for " + requirement)
    if name in plan["brings"]:
        made = pathlib.Path({site!r}) / (name + "-" + plan["brings"][name] + ".dist-info")
        made.mkdir()
        (made / "METADATA").write_text("Name: " + name + "\\nVersion: " + plan["brings"][name] + "\\n")
"""


class Pip:
    """Slicer's Python as far as pip is asked for: a real process, which plays what is planned."""

    def __init__(self, folder, site):
        self._folder = folder
        self.brings, self.fails, self.hangs = {"prostfirst": "1.2", "prostsecond": "3.0.1"}, [], []
        launcher = folder / "PythonSlicer"
        launcher.write_text(PIP.format(python=sys.executable, folder=str(folder), site=str(site)), encoding="utf-8")
        launcher.chmod(0o755)

    def plan(self):
        content = {"brings": self.brings, "fails": self.fails, "hangs": self.hangs}
        (self._folder / "plan").write_text(json.dumps(content))

    @property
    def calls(self):
        """(arguments, pins) of each call."""
        path = self._folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def requests(self):
        return [[text for text in arguments if ">=" in text] for arguments, _ in self.calls]


@pytest.fixture
def pip(application, site, tmp_path, monkeypatch):
    if sys.platform == "win32":
        pytest.skip("a script stands for PythonSlicer")
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return Pip(folder, tmp_path / "site-packages")


def finish(installation):
    """Polls as the panel's timer does."""
    deadline = time.monotonic() + PATIENCE_S
    while installation.isRunning:
        assert time.monotonic() < deadline
        installation.poll()
        time.sleep(0.01)


def install(pip, **options):
    pip.plan()
    installation = Environment.begin(**options)
    finish(installation)
    Environment.conclude(installation)


def test_all_there_here_so_that_nothing_is_asked_or_installed():
    assert Environment.missing() == []
    assert Environment.begin(withWanted=True) is None
    ready = Environment.report("CPU")
    assert ready.isReady
    assert ready.text == "Ready"
    assert ready.details.startswith("torch 2.")
    assert " on CPU, numba 0." in ready.details


def test_shipped_requirements_are_lower_bounds_without_what_slicer_brings():
    names = [requirement.name for requirement in Requirements.requirements()]
    assert names[0] == "torch"
    assert not {name.lower() for name in names} & {"numpy", "simpleitk", "vtk", "pydicom", "scipy"}
    assert names.count("torch") == 1
    for requirement in Requirements.requirements():
        assert requirement.text == f"{requirement.name}>={requirement.oldest}"
        assert requirement.oldest.replace(".", "").isdigit()


def test_report_tells_what_is_missing_and_what_is_too_old(application, site):
    site("prostsecond", "2.99")
    found = Environment.report()
    assert not found.isReady
    assert found.text.startswith("Missing: prostfirst, prostsecond (2.99 is too old, 3 is needed). It is installed")


def test_a_newer_minor_version_is_not_taken_for_an_older_one(application, site):
    site("prostfirst", "1.10.0+cpu")
    site("prostsecond", "3.0rc1")
    assert Environment.missing() == []


@pytest.mark.parametrize(("slicerVersion", "pythonVersion"), [((5, 8), (3, 9)), ((5, 8), (3, 12)), ((5, 11), (3, 9))])
def test_old_applications_are_told_in_one_sentence(slicerVersion, pythonVersion):
    fault = Environment.versionFault(slicerVersion, pythonVersion)
    assert "5.10 or newer" in fault
    assert "this is Slicer {}.{} with Python {}.{}".format(*slicerVersion, *pythonVersion) in fault


@pytest.mark.parametrize("version", [(5, 10), (5, 12), (6, 0)])
def test_current_applications_will_do(version):
    assert Environment.versionFault(version, (3, 12, 10)) is None


@pytest.mark.parametrize("name", ["Environment.py", "PackageInstaller.py", "Requirements.py", "__init__.py"])
def test_python_of_slicer_5_8_can_read_what_tells_that_it_is_too_old(name):
    tree = ast.parse((LIBRARY / name).read_text(encoding="utf-8"), feature_version=(3, 9))
    isPostponed = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    for node in ast.walk(tree):
        for field in ("annotation", "returns") if isPostponed else ():
            if getattr(node, field, None) is not None:
                setattr(node, field, None)
    bars = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)]
    assert bars == []


def test_real_pip_keeps_to_the_constraints(application, tmp_path, monkeypatch):
    """A package that wants another numpy cannot be installed, by either way of handing the constraints on."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    constraints = tmp_path / "with ü and space.txt"
    PackageInstaller._writeConstraints(constraints, [])
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "numpy!=" + np.__version__]
    for arguments, variable in ((["-c", str(constraints)], ""), ([], constraints.as_uri())):
        environment = {**os.environ, "PIP_CONSTRAINT": variable}
        outcome = subprocess.run([*pip, *arguments], env=environment, capture_output=True, text=True)
        assert outcome.returncode != 0
        assert f"numpy=={np.__version__}" in outcome.stdout + outcome.stderr


def test_installs_once_and_keeps_what_slicer_ships(application, pip):
    install(pip)
    assert pip.requests == [["prostfirst>=1.2", "prostsecond>=3"]]
    pins = pip.calls[0][1]
    assert f"numpy=={np.__version__}" in pins
    assert {"SimpleITK", "vtk", "pydicom", "torch"} <= {pin.partition("==")[0] for pin in pins}
    assert len(application.questions) == 1
    assert "prostfirst>=1.2" in application.questions[0]
    assert list(Path(application.temporaryPath).iterdir()) == []
    assert Environment.begin() is None
    assert len(pip.requests) == len(application.questions) == 1


def test_no_is_an_answer(application, pip):
    application.answer = False
    with pytest.raises(EnvironmentFault, match="prostfirst, prostsecond is needed for this and was not installed"):
        Environment.begin()
    assert pip.calls == []


def test_nothing_is_installed_by_tests_inside_slicer(application, pip):
    application.isTesting = True
    with pytest.raises(EnvironmentFault, match="testing mode"):
        Environment.begin()
    assert pip.calls == application.questions == []


def test_failure_is_a_sentence_with_pips_last_words_and_the_next_try_works(application, pip):
    pip.fails = ["prostsecond"]
    with pytest.raises(EnvironmentFault, match="network, proxy settings and free disk space") as caught:
        install(pip)
    assert caught.value.faults[0].endswith("pip says:")
    assert any("No matching distribution found for prostsecond>=3" in line for line in caught.value.faults[1:])
    assert "\\n" not in str(caught.value)
    assert "Traceback" not in caught.value.details
    pip.fails, pip.brings = [], {"prostsecond": "3"}
    install(pip)


def test_a_package_that_did_not_come_is_told(application, pip):
    pip.brings = {}
    with pytest.raises(EnvironmentFault, match="still missing after the installation"):
        install(pip)


def test_cancel_ends_pip_and_leaves_nothing(application, pip):
    pip.hangs = ["prostfirst"]
    pip.plan()
    installation = Environment.begin()
    deadline = time.monotonic() + PATIENCE_S
    while not pip.calls and time.monotonic() < deadline:
        installation.poll()
    assert installation.isRunning
    process = installation._process
    installation.cancel()
    assert (installation.isRunning, installation.isCancelled) == (False, True)
    assert process.returncode is not None
    assert list(Path(application.temporaryPath).iterdir()) == []


def test_wanted_packages_are_gone_without_where_pip_has_none(application, pip, tmp_path, monkeypatch):
    """As numba for the numpy of Slicer 5.12 on an Intel Mac."""
    monkeypatch.setattr(Requirements, "WANTED", ("prostsecond",))
    pip.fails = ["prostsecond"]
    install(pip)
    assert pip.requests == [["prostfirst>=1.2"], ["prostsecond>=3"]]
    found = Environment.report("CPU")
    assert found.isReady
    assert found.text.startswith("Ready, but searches take very long: press 'Check'")
    assert found.details.startswith("torch 2.")
    assert "100 times" in found.details
    assert Environment.begin() is None
    assert len(application.questions) == 1


def test_torch_is_found_first_by_a_process_of_its_own_and_not_imported(application, pip, monkeypatch):
    monkeypatch.setattr(Requirements, "TORCH_REQUIREMENT", "torch>=99")
    pip.brings["torch"] = "99.1"
    install(pip)
    assert pip.requests == [[PackageInstaller.TORCH_FINDER], ["torch>=99"], ["prostfirst>=1.2", "prostsecond>=3"]]
    assert pip.calls[1][0][:3] == ["-m", "light_the_torch", "install"]
    assert "PIP_CONSTRAINT" not in os.environ
    assert "light_the_torch" not in sys.modules


@pytest.mark.parametrize(("version", "isMet"), [("2.3.1+cpu", False), ("2.4.1", True), ("2.13.0", True)])
def test_torch_of_numpy_1_is_too_old(version, isMet):
    assert Requirements.Requirement(Requirements.TORCH_REQUIREMENT).isMetBy(version) is isMet


def test_on_an_intel_mac_nothing_is_tried_that_cannot_succeed(application, pip, monkeypatch):
    monkeypatch.setattr(Environment.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(Environment.platform, "machine", lambda: "x86_64")
    assert Environment.platformFault() is None  # somebody has a torch that does
    monkeypatch.setattr(Requirements, "TORCH_REQUIREMENT", "torch>=99")
    with pytest.raises(EnvironmentFault, match="DRRs and registrations need the engine in another"):
        Environment.begin()
    assert not Environment.report().isReady
    assert pip.calls == application.questions == []


def test_another_python_needs_nothing_here(application, pip, tmp_path, monkeypatch):
    monkeypatch.setattr(Environment.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(Environment.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(Requirements, "TORCH_REQUIREMENT", "torch>=99")
    python = tmp_path / "engine" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    choosePath(str(python))
    assert Environment.begin() is None
    assert Environment.report() == Environment.EnvironmentReport(True, "Ready: the engine runs in engine/bin/python")
    python.unlink()
    assert not Environment.report().isReady
    with pytest.raises(EnvironmentFault, match="is not there: choose another one, or Slicer's"):
        Environment.begin()
    assert pip.calls == []


def test_old_slicer_is_refused_before_anything_else(application, pip):
    application.minorVersion = 8
    with pytest.raises(EnvironmentFault, match="newer 3D Slicer"):
        Environment.begin()
    assert not Environment.report().isReady
    assert pip.calls == []
