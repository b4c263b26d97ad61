"""What is missing is told and installed, with stand-ins only for Slicer's dialogs and for what goes to the network."""

import ast
import inspect
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import slicer

from ProSTRegistrationLib.Install import Environment, PackageInstaller
from ProSTRegistrationLib.Install.Environment import EnvironmentFault

LIBRARY = Path(Environment.__file__).parent


class Application:
    """The parts of slicer.app that are asked here."""

    def __init__(self, temporaryPath, version=(5, 12)):
        self.majorVersion, self.minorVersion = version
        self.temporaryPath = str(temporaryPath)
        self.isTesting = False

    def testingEnabled(self):
        return self.isTesting


class Packaging(types.ModuleType):
    """Slicer 5.12's module for packages: keeps what it is asked, installs nothing."""

    def __init__(self):
        super().__init__("slicer.packaging")
        self.__spec__ = types.SimpleNamespace(name="slicer.packaging")
        self.requests, self.constraints, self.error, self.then = [], [], None, None

    def pip_ensure(
        self, requirements, constraints=None, skip_packages=None, prompt_install=True, prompt_restart=True,
        requester=None, skip_in_testing=True, show_progress=True,
    ):  # fmt: skip
        self.requests.append((list(requirements), prompt_install))
        self.constraints += Path(constraints).read_text(encoding="utf-8").split()
        if self.error:
            raise self.error
        self.then()


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
    monkeypatch.setattr(Environment, "REQUIREMENTS_FILE", folder / "requirements.txt")


@pytest.fixture
def packaging(application, site, monkeypatch):
    made = Packaging()
    made.then = lambda: (site("prostfirst", "1.2"), site("prostsecond", "3.0.1"))
    monkeypatch.setitem(sys.modules, "slicer.packaging", made)
    monkeypatch.setattr(slicer, "packaging", made, raising=False)
    return made


@pytest.fixture
def extension(tmp_path, monkeypatch, site):
    """The extension PyTorch, with a file of its own; torch counts as missing until it has been called."""
    folder = tmp_path / "extension"
    folder.mkdir()
    (folder / "PyTorchUtils.py").write_text(
        "import os, pathlib\n"
        "calls, constraints, then = [], [], []\n"
        "class PyTorchUtilsLogic:\n"
        "    def installTorch(self, askConfirmation=False, forceComputationBackend=None,\n"
        "                     torchVersionRequirement=None, torchvisionVersionRequirement=None):\n"
        "        calls.append((askConfirmation, torchVersionRequirement))\n"
        "        constraints.append(os.environ['PIP_CONSTRAINT'])\n"
        "        return then[0]()\n"
    )
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "PyTorchUtils", raising=False)
    monkeypatch.setattr(Environment, "TORCH_REQUIREMENT", "torch>=99")
    import PyTorchUtils

    yield PyTorchUtils
    del sys.modules["PyTorchUtils"]


def test_all_there_here_so_that_nothing_is_asked_or_installed():
    assert Environment.missing() == []
    assert Environment.ensure() is False
    ready = Environment.report("CPU")
    assert ready.isReady
    assert ready.text.startswith("Ready: torch 2.")
    assert " on CPU, numba 0." in ready.text


def test_shipped_requirements_are_lower_bounds_without_what_slicer_brings():
    names = [requirement.name for requirement in Environment.requirements()]
    assert names[0] == "torch"
    assert not {name.lower() for name in names} & {"numpy", "simpleitk", "vtk", "pydicom", "scipy"}
    assert names.count("torch") == 1
    for requirement in Environment.requirements():
        assert requirement.text == f"{requirement.name}>={requirement.oldest}"
        assert requirement.oldest.replace(".", "").isdigit()


def test_report_tells_what_is_missing_and_what_is_too_old(application, site):
    site("prostsecond", "2.99")
    found = Environment.report()
    assert not found.isReady
    assert found.text == "Missing: prostfirst, prostsecond (2.99 is too old, 3 is needed)"


def test_missing_torch_names_its_extension(monkeypatch):
    monkeypatch.setattr(Environment, "TORCH_REQUIREMENT", "torch>=99.1")
    assert "extension PyTorch" in Environment.report().text


def test_a_newer_minor_version_is_not_taken_for_an_older_one(application, site):
    site("prostfirst", "1.10.0+cpu")
    site("prostsecond", "3.0rc1")
    assert Environment.missing() == []


def test_installs_once_and_keeps_what_slicer_ships(application, packaging):
    assert Environment.ensure() is True
    assert packaging.requests == [(["prostfirst>=1.2", "prostsecond>=3"], False)]
    assert f"numpy=={np.__version__}" in packaging.constraints
    assert {"SimpleITK", "vtk", "pydicom", "torch"} <= {pin.partition("==")[0] for pin in packaging.constraints}
    assert len(application.questions) == 1
    assert "prostfirst>=1.2" in application.questions[0]
    assert list(Path(application.temporaryPath).iterdir()) == []
    assert Environment.ensure() is False
    assert len(packaging.requests) == len(application.questions) == 1


def test_no_is_an_answer(application, packaging):
    application.answer = False
    with pytest.raises(EnvironmentFault, match="prostfirst, prostsecond is needed for this and was not installed"):
        Environment.ensure()
    assert packaging.requests == []


def test_nothing_is_installed_by_tests_inside_slicer(application, packaging):
    application.isTesting = True
    with pytest.raises(EnvironmentFault, match="testing mode"):
        Environment.ensure()
    assert packaging.requests == application.questions == []


@pytest.mark.parametrize(
    "error", [subprocess.CalledProcessError(1, "pip install"), RuntimeError("PythonSlicer executable not found")]
)
def test_failure_is_a_sentence_and_the_next_try_works(application, packaging, error):
    packaging.error = error
    with pytest.raises(EnvironmentFault, match="network, proxy settings and free disk space") as caught:
        Environment.ensure()
    assert caught.value.details
    packaging.error = None
    assert Environment.ensure() is True


def test_a_package_that_did_not_come_is_told(application, packaging):
    packaging.then = lambda: None
    with pytest.raises(EnvironmentFault, match="still missing after the installation"):
        Environment.ensure()


def test_second_click_during_the_installation_is_refused(application, packaging, site):
    refusals, install = [], packaging.then

    def clickAgain():
        with pytest.raises(EnvironmentFault) as caught:
            Environment.ensure()
        refusals.append(str(caught.value))
        install()

    packaging.then = clickAgain
    assert Environment.ensure() is True
    assert "just now" in refusals[0]


def test_remote_worker_needs_nothing_here(application, packaging):
    assert Environment.ensure(isRemote=True) is False
    assert Environment.report("cuda:0", isRemote=True).text == "Ready: remote worker on cuda:0"
    assert packaging.requests == []


@pytest.mark.parametrize(("slicerVersion", "pythonVersion"), [((5, 8), (3, 9)), ((5, 8), (3, 12)), ((5, 11), (3, 9))])
def test_old_applications_are_told_in_one_sentence(slicerVersion, pythonVersion):
    fault = Environment.versionFault(slicerVersion, pythonVersion)
    assert "5.10 or newer" in fault
    assert "this is Slicer {}.{} with Python {}.{}".format(*slicerVersion, *pythonVersion) in fault


@pytest.mark.parametrize("version", [(5, 10), (5, 12), (6, 0)])
def test_current_applications_will_do(version):
    assert Environment.versionFault(version, (3, 12, 10)) is None


def test_old_slicer_is_refused_before_anything_else(application, packaging):
    application.minorVersion = 8
    with pytest.raises(EnvironmentFault, match="newer 3D Slicer"):
        Environment.ensure()
    assert not Environment.report().isReady
    assert packaging.requests == []


@pytest.mark.parametrize("name", ["Environment.py", "PackageInstaller.py", "__init__.py"])
def test_python_of_slicer_5_8_can_read_what_tells_that_it_is_too_old(name):
    tree = ast.parse((LIBRARY / name).read_text(encoding="utf-8"), feature_version=(3, 9))
    isPostponed = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    for node in ast.walk(tree):
        for field in ("annotation", "returns") if isPostponed else ():
            if getattr(node, field, None) is not None:
                setattr(node, field, None)
    bars = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)]
    assert bars == []


def test_torch_comes_from_its_extension_first(application, packaging, extension, site):
    def arrive():
        site("torch", "99.1")
        return object()

    extension.then.append(arrive)
    assert Environment.ensure() is True
    assert extension.calls == [(False, ">=99")]
    assert extension.constraints[0].startswith("file:///")
    assert " " not in extension.constraints[0]
    assert packaging.requests == [(["prostfirst>=1.2", "prostsecond>=3"], False)]
    assert "PIP_CONSTRAINT" not in os.environ
    assert "PIP_LOG" not in os.environ


def test_torch_that_the_extension_does_not_bring(application, packaging, extension):
    extension.then.append(lambda: None)
    with pytest.raises(EnvironmentFault, match="torch, prostfirst, prostsecond could not be installed"):
        Environment.ensure()
    assert packaging.requests == []


def test_without_the_extension_people_are_told_where_to_get_it(application, packaging, monkeypatch):
    monkeypatch.setattr(Environment, "TORCH_REQUIREMENT", "torch>=99")
    with pytest.raises(EnvironmentFault, match="Extensions Manager, install PyTorch, restart"):
        Environment.ensure()
    assert packaging.requests == application.questions == []


def test_slicer_5_10_hands_constraints_to_the_real_pip_whose_last_words_are_kept(application, monkeypatch):
    """No packaging module there; pip runs for real, but may not look anywhere."""
    application.minorVersion = 10
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    commands = []

    def pipInstall(arguments):
        commands.append(arguments)
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--dry-run", *arguments], check=True, capture_output=True
        )

    monkeypatch.setattr(slicer.util, "pip_install", pipInstall)
    with pytest.raises(EnvironmentFault, match="could not be installed") as caught:
        Environment.ensure()
    assert commands[0][:3] == ["prostfirst>=1.2", "prostsecond>=3", "-c"]
    assert "No matching distribution found for prostfirst>=1.2" in caught.value.details
    assert "Traceback" not in caught.value.details


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


@pytest.mark.skipif("SLICER_BASE_PYTHON" not in os.environ, reason="needs SLICER_BASE_PYTHON, Slicer's Base/Python")
def test_stand_in_for_slicer_packaging_takes_what_the_real_one_takes():
    path = Path(os.environ["SLICER_BASE_PYTHON"], "slicer", "packaging.py")
    if not path.exists():
        pytest.skip("this Slicer is older than 5.12 and has no slicer.packaging")
    functions = {n.name: n for n in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(n, ast.FunctionDef)}
    real = [argument.arg for argument in functions["pip_ensure"].args.args]
    assert list(inspect.signature(Packaging().pip_ensure).parameters) == real
