"""The worker's needs in Slicer's own Python: tells what is missing, and installs it when somebody asks.

Nothing is installed or imported with this file. It has to be readable by the Python 3.9 of Slicer 5.8, so that people
are told what is wrong there.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import slicer

from prostreg.errors import InputError
from ProSTRegistrationLib.Install import PackageInstaller

OLDEST_SLICER = (5, 10)
OLDEST_PYTHON = (3, 10)
TORCH_REQUIREMENT = "torch>=2.2"
REQUIREMENTS_FILE = Path(__file__).resolve().parents[2] / "Resources" / "requirements.txt"

_installing = threading.Lock()


class EnvironmentFault(InputError):
    """Why the worker cannot run in this Slicer, and what to do.

    Attributes:
        details: the end of pip's output, for a report; may be empty.
    """

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.details = details


@dataclass(frozen=True)
class Requirement:
    """A package with the oldest version that does; ``text`` is what pip reads, as in "numba>=0.59"."""

    text: str

    @property
    def name(self) -> str:
        return self.text.partition(">=")[0]

    @property
    def oldest(self) -> str:
        return self.text.partition(">=")[2]

    @property
    def installed(self) -> str | None:
        """The version that is there, as text; None without one."""
        try:
            return importlib.metadata.version(self.name)
        except importlib.metadata.PackageNotFoundError:
            return None

    @property
    def isMet(self) -> bool:
        return self.installed is not None and _release(self.installed) >= _release(self.oldest)


@dataclass(frozen=True)
class EnvironmentReport:
    """For the panel: whether a registration can start at once, and one line that says so or what is missing."""

    isReady: bool
    text: str


def requirements() -> list[Requirement]:
    """All that the worker needs beyond what Slicer ships, torch first."""
    lines = (line.strip() for line in REQUIREMENTS_FILE.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in (TORCH_REQUIREMENT, *lines) if line and not line.startswith("#")]


def missing() -> list[Requirement]:
    """The requirements that are not installed, or too old; looks at no more than their metadata."""
    importlib.invalidate_caches()
    return [requirement for requirement in requirements() if not requirement.isMet]


def versionFault(
    slicerVersion: tuple[int, int] | None = None, pythonVersion: tuple[int, ...] | None = None
) -> str | None:
    """A fault of this application's version, one sentence; None if it will do.

    Args:
        slicerVersion: (major, minor); of the running application if it is None.
        pythonVersion: likewise; Slicer 5.8 has 3.9.
    """
    pythonVersion = (pythonVersion or sys.version_info[:2])[:2]
    slicerVersion = slicerVersion or _slicerVersion()
    if slicerVersion >= OLDEST_SLICER and pythonVersion >= OLDEST_PYTHON:
        return None
    return (
        "ProST Registration needs 3D Slicer {} or newer with Python {}; this is Slicer {} with Python {}."
        " Please install a newer 3D Slicer.".format(
            *(".".join(map(str, version)) for version in (OLDEST_SLICER, OLDEST_PYTHON, slicerVersion, pythonVersion))
        )
    )


def report(device: str | None = None, isRemote: bool = False) -> EnvironmentReport:
    """The panel's line about the environment.

    Args:
        device: what the worker computes on, as it told; None while nobody asked it.
        isRemote: the worker runs on another machine.
    """
    fault = versionFault()
    if fault:
        return EnvironmentReport(False, fault)
    place = f" on {device}" if device else ""
    if isRemote:
        return EnvironmentReport(True, f"Ready: remote worker{place}")
    lacking = missing()
    if lacking:
        return EnvironmentReport(False, "Missing: " + ", ".join(_lack(requirement) for requirement in lacking))
    torch, numba = (_short(importlib.metadata.version(name)) for name in ("torch", "numba"))
    return EnvironmentReport(True, f"Ready: torch {torch}{place}, numba {numba}")


def ensure(isRemote: bool = False) -> bool:
    """Sees to it that the worker has what it needs: asks, then installs. For handlers, never at import.

    Args:
        isRemote: the worker runs on another machine, so that nothing is needed here.

    Returns:
        True if something was installed and a running worker has to be restarted; False if all was there.

    Raises:
        EnvironmentFault: this Slicer is too old, somebody said no, or the installation failed.
    """
    if isRemote:
        return False
    fault = versionFault()
    if fault:
        raise EnvironmentFault(fault)
    lacking = missing()
    if not lacking:
        return False
    # Slicer handles events while pip runs, so that a second click can come in here.
    if not _installing.acquire(blocking=False):
        raise EnvironmentFault("Python packages are being installed just now: wait until that has ended.")
    try:
        _askAndInstall(lacking)
    finally:
        _installing.release()
    return True


def _askAndInstall(lacking: list[Requirement]) -> None:
    names = ", ".join(requirement.name for requirement in lacking)
    if slicer.app.testingEnabled():
        raise EnvironmentFault(f"{names} is missing, and in testing mode nothing is installed.")
    needsTorch = lacking[0].name == "torch"
    if needsTorch and not PackageInstaller.hasPyTorchExtension():
        raise EnvironmentFault(
            "torch is missing, and so is the extension that installs it: open the Extensions Manager, install PyTorch,"
            " restart Slicer and try again."
        )
    if not slicer.util.confirmOkCancelDisplay(_question(lacking, needsTorch), "ProST Registration"):
        raise EnvironmentFault(f"{names} is needed for this and was not installed. The scene is unchanged.")
    try:
        PackageInstaller.install([requirement.text for requirement in lacking])
    except PackageInstaller.InstallationFailed as error:
        raise EnvironmentFault(
            f"{names} could not be installed: check network, proxy settings and free disk space, then try again.",
            str(error),
        ) from error
    remaining = missing()
    if remaining:
        raise EnvironmentFault(
            f"{', '.join(r.name for r in remaining)} is still missing after the installation: restart Slicer and try"
            " again."
        )


def _question(lacking: list[Requirement], needsTorch: bool) -> str:
    packages = "\n".join(f"- {requirement.text}" for requirement in lacking)
    size = "\n\ntorch is a large download, up to 3 GB; it can take some minutes." if needsTorch else ""
    return (
        f"The registration needs Python packages that are not there yet:\n\n{packages}{size}\n\n"
        "They are added to Slicer's Python; numpy, SimpleITK and the like stay as they are. Install them now?"
    )


def _lack(requirement: Requirement) -> str:
    notes = []
    if requirement.installed:
        notes.append(f"{_short(requirement.installed)} is too old, {requirement.oldest} is needed")
    if requirement.name == "torch":
        notes.append("extension PyTorch")
    return requirement.name + (f" ({', '.join(notes)})" if notes else "")


def _slicerVersion() -> tuple[int, int]:
    # slicer-core has no application, and is new enough.
    application = getattr(slicer, "app", None)
    return OLDEST_SLICER if application is None else (int(application.majorVersion), int(application.minorVersion))


def _release(version: str) -> tuple[int, ...]:
    """The numbers in front: (2, 13, 0) for "2.13.0+cpu"."""
    return tuple(int(number) for number in re.findall(r"^[\d.]*\d", version)[0].split("."))


def _short(version: str) -> str:
    return ".".join(map(str, _release(version)[:2]))
