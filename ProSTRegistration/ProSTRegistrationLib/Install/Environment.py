"""The worker's needs in Slicer's own Python: tells what is missing, and installs it when somebody asks.

Nothing is installed or imported with this file. It has to be readable by the Python 3.9 of Slicer 5.8, so that people
are told what is wrong there.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass

import slicer

from prostreg.errors import InputError
from prostreg.machine import SLOWER
from ProSTRegistrationLib.Install import Requirements
from ProSTRegistrationLib.Install.EnginePython import chosenPath, pathFault, shortPath
from ProSTRegistrationLib.Install.PackageInstaller import Installation
from ProSTRegistrationLib.Install.Requirements import OLDEST_PYTHON, Requirement, release, requirements

OLDEST_SLICER = (5, 10)
DETAIL_LINES_SHOWN = 3


class EnvironmentFault(InputError):
    """Why the worker cannot run in this Slicer, and what to do.

    Attributes:
        details: the end of pip's output, for a report; may be empty.
    """

    def __init__(self, faults: str | Iterable[str], details: str = "") -> None:
        super().__init__(faults)
        self.details = details


@dataclass(frozen=True)
class EnvironmentReport:
    """For the panel: whether a registration can start at once, and one line that says so or what is missing.

    Attributes:
        details: versions, for whoever asks.
    """

    isReady: bool
    text: str
    details: str = ""


def missing() -> list[Requirement]:
    """The needed packages that are not installed, or too old; looks at no more than their metadata."""
    return _needed(_unmet())


def wanting() -> list[Requirement]:
    """The wanted packages that are not installed, or too old."""
    return [requirement for requirement in _unmet() if requirement.name in Requirements.WANTED]


def platformFault() -> str | None:
    """Why nothing can be installed into this Slicer, and what works all the same; None where it can."""
    isIntelMac = platform.system() == "Darwin" and platform.machine() == "x86_64"
    if not isIntelMac or all(requirement.name != "torch" for requirement in missing()):
        return None
    oldest = Requirement(Requirements.TORCH_REQUIREMENT).oldest
    return (
        f"There is no torch {oldest} or newer for this Slicer, which is built for Macs with Intel processors:"
        " images, C-arms, landmarks and start poses work in it, DRRs and registrations need the engine in another"
        " Python: see 'Macs' in docs/installation.md, then press 'Other Python...'."
    )


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


def report(device: str | None = None) -> EnvironmentReport:
    """The panel's line about the environment.

    Args:
        device: what the worker computes on, as it told; None while nobody asked it.
    """
    fault = _fault()
    if fault:
        return EnvironmentReport(False, fault)
    place = f" on {device}" if device else ""
    if chosenPath():
        return EnvironmentReport(True, f"Ready: the engine runs{place} in {shortPath(chosenPath())}")
    unmet = _unmet()
    lacking = _needed(unmet)
    if lacking:
        words = ", ".join(requirement.lackOf(_installed(requirement)) for requirement in lacking)
        return EnvironmentReport(False, f"Missing: {words}. It is installed when first needed, after asking.")
    torch = _short(importlib.metadata.version("torch"))
    if unmet:
        slow = "Ready, but searches take very long: press 'Check' to install what makes them quick."
        return EnvironmentReport(True, slow, f"torch {torch}{place}, {SLOWER}")
    numba = _short(importlib.metadata.version("numba"))
    return EnvironmentReport(True, "Ready", f"torch {torch}{place}, numba {numba}")


def begin(withWanted: bool = False) -> Installation | None:
    """Begins to install what the worker lacks, after asking. For handlers, never at import.

    Args:
        withWanted: also where only wanted packages are missing.

    Returns:
        the Installation, to be polled and then concluded; None if all is there.

    Raises:
        EnvironmentFault: this Slicer is too old or has no torch, the Python that was chosen for the engine is gone, or
            somebody said no.
    """
    fault = _fault()
    if fault:
        raise EnvironmentFault(fault)
    if chosenPath():
        return None
    needed, wanted = missing(), wanting()
    if not needed and not (wanted and withWanted):
        return None
    names = _names([*needed, *wanted])
    if slicer.app.testingEnabled():
        raise EnvironmentFault(f"{names} is missing, and in testing mode nothing is installed.")
    if not slicer.util.confirmOkCancelDisplay(_question([*needed, *wanted]), "ProST Registration"):
        if not needed:
            return None
        raise EnvironmentFault(f"{names} is needed for this and was not installed. The scene is unchanged.")
    return Installation([requirement.text for requirement in needed], [requirement.text for requirement in wanted])


def conclude(installation: Installation) -> None:
    """Looks at what an installation that has ended has brought.

    Raises:
        EnvironmentFault: it failed, or a needed package is still missing.
    """
    remaining = missing()
    if installation.fault is not None:
        sentence = (
            f"{_names(remaining)} could not be installed: check network, proxy settings and free disk space, then try"
            " again, or run the engine in another Python (docs/installation.md). pip says:"
        )
        ending = installation.fault.splitlines()[-DETAIL_LINES_SHOWN:]
        raise EnvironmentFault([sentence, *ending], installation.fault)
    if remaining:
        raise EnvironmentFault(
            f"{_names(remaining)} is still missing after the installation: restart Slicer and try again."
        )


def _fault() -> str | None:
    """The fault of this Slicer or of what was chosen in it."""
    if chosenPath():
        return versionFault() or pathFault(chosenPath())
    return versionFault() or platformFault()


def _unmet() -> list[Requirement]:
    importlib.invalidate_caches()
    return [requirement for requirement in requirements() if not requirement.isMetBy(_installed(requirement))]


def _needed(unmet: list[Requirement]) -> list[Requirement]:
    return [requirement for requirement in unmet if requirement.name not in Requirements.WANTED]


def _installed(requirement: Requirement) -> str | None:
    """The version that is there, as text; None without one."""
    try:
        return importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _names(found: list[Requirement]) -> str:
    return ", ".join(requirement.name for requirement in found)


def _question(lacking: list[Requirement]) -> str:
    packages = "\n".join(f"- {requirement.text}" for requirement in lacking)
    size = "\n\ntorch is a large download, up to 3 GB; it can take some minutes." if lacking[0].name == "torch" else ""
    return (
        f"The registration needs Python packages that are not there yet:\n\n{packages}{size}\n\n"
        "They are added to Slicer's Python; numpy, SimpleITK and the like stay as they are. Install them now?"
    )


def _slicerVersion() -> tuple[int, int]:
    # slicer-core has no application, and is new enough.
    application = getattr(slicer, "app", None)
    return OLDEST_SLICER if application is None else (int(application.majorVersion), int(application.minorVersion))


def _short(version: str) -> str:
    return ".".join(map(str, release(version)[:2]))
