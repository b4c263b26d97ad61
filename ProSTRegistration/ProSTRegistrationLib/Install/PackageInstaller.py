"""Installs Python packages by the means that this version of Slicer has, without touching those that it ships."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import slicer

REQUESTER = "ProST Registration"
KEPT_PACKAGES = ("numpy", "scipy", "SimpleITK", "vtk", "pydicom", "requests", "torch", "torchvision")
"""Slicer or another extension relies on the very versions of these that are there."""
DETAIL_LINES = 20


class InstallationFailed(Exception):
    """pip ended without success; the text is the end of its output."""


def hasPyTorchExtension() -> bool:
    """True if the extension that installs torch is there; it is not loaded."""
    return importlib.util.find_spec("PyTorchUtils") is not None


def install(requirements: list[str]) -> None:
    """Installs packages and waits for it.

    Args:
        requirements: texts like "numba>=0.59"; torch is taken from the extension PyTorch, which has to be there.

    Raises:
        InstallationFailed
    """
    with tempfile.TemporaryDirectory(prefix="prostreg-pip-", dir=slicer.app.temporaryPath) as folder:
        log, constraints = Path(folder) / "pip.log", Path(folder) / "constraints.txt"
        _writeConstraints(constraints, [_nameIn(requirement) for requirement in requirements])
        try:
            with _variable("PIP_LOG", str(log)):
                for requirement in requirements:
                    if _nameIn(requirement) == "torch":
                        _installTorch(requirement, constraints)
                others = [requirement for requirement in requirements if _nameIn(requirement) != "torch"]
                if others:
                    _pipInstall(others, constraints)
        except (subprocess.CalledProcessError, RuntimeError, ImportError, OSError) as error:
            raise InstallationFailed(_endOf(log) or str(error)) from error


def _pipInstall(requirements: list[str], constraints: Path) -> None:
    if importlib.util.find_spec("slicer.packaging") is None:
        # Slicer 5.10
        slicer.util.pip_install([*requirements, "-c", str(constraints)])
        return
    from slicer.packaging import pip_ensure

    pip_ensure(requirements, constraints=str(constraints), prompt_install=False, requester=REQUESTER)


def _installTorch(requirement: str, constraints: Path) -> None:
    import PyTorchUtils

    # The extension hands no constraints on to pip, but pip finds them here. As an address, since spaces separate.
    known = os.environ.get("PIP_CONSTRAINT", "")
    with _variable("PIP_CONSTRAINT", f"{known} {constraints.as_uri()}".strip()):
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(
            askConfirmation=False, torchVersionRequirement=requirement[len("torch") :]
        )
    if torch is None:
        raise InstallationFailed("The extension PyTorch gave no reason.")


def _writeConstraints(path: Path, wanted: list[str]) -> None:
    """Pins what must not change to the version that is there."""
    kept = [(name, _versionOf(name)) for name in KEPT_PACKAGES if name not in wanted]
    path.write_text("".join(f"{name}=={version}\n" for name, version in kept if version), encoding="utf-8")


def _versionOf(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _endOf(log: Path) -> str:
    """The last lines that pip meant for people, without the traceback that it adds in its log."""
    if not log.exists():
        return ""
    text = re.split(r"Exception information:|Traceback \(most", log.read_text(encoding="utf-8", errors="replace"))[0]
    lines = [re.sub(r"^\S+,\d+ ?", "", line) for line in text.splitlines()]
    return "\n".join(line for line in lines[-DETAIL_LINES:] if line.strip())


def _nameIn(requirement: str) -> str:
    return requirement.partition(">=")[0]


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """Sets an environment variable for a while."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
