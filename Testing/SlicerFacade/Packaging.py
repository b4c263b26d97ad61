"""Stands for the module slicer.packaging; and what keeps either it or Slicer's own from installing anything."""

import logging
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import slicer
from packaging.requirements import InvalidRequirement, Requirement


@dataclass(frozen=True)
class RequestedInstall:
    """One call that would have run pip."""

    requirements: tuple
    options: dict


class Packages:
    """Which packages are there, as tests want it, and what was asked to be installed."""

    def __init__(self):
        self.installs = []
        self._missing = set()

    def pretendMissing(self, *names):
        """Makes pip_check() say that packages are not installed."""
        self._missing.update(names)

    def isPretendedMissing(self, requirement):
        return requirement.name in self._missing

    def install(self, requirements, **options):
        """Stands for pip: the packages count as installed from now on."""
        found = asRequirements(requirements)
        self.installs.append(RequestedInstall(tuple(str(item) for item in found), options))
        self._missing -= {item.name for item in found}


_current = Packages()


def usePackages(packages):
    """Makes the functions below and those of Slicer's own module answer from this object."""
    global _current
    _current = packages


def asRequirements(requirements):
    """A list of Requirement from text, one Requirement, or a list of either."""
    if isinstance(requirements, str):
        try:
            return [Requirement(requirements)]
        except InvalidRequirement:
            return [Requirement(part) for part in requirements.split()]
    if isinstance(requirements, Requirement):
        return [requirements]
    return [Requirement(item) if isinstance(item, str) else item for item in requirements]


def load_requirements(path):
    """The requirements of a file; comments and options of pip are skipped."""
    lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def pip_check(req):
    """Whether all requirements are met; extras are not looked into."""
    return all(_isMet(requirement) for requirement in asRequirements(req))


def _isMet(requirement):
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    if _current.isPretendedMissing(requirement):
        return False
    try:
        return metadata.version(requirement.name) in requirement.specifier
    except metadata.PackageNotFoundError:
        return False


def pip_install(
    requirements, constraints=None, no_deps_requirements=None, skip_packages=None, blocking=True, show_progress=True,
    requester=None, logCallback=None, completedCallback=None,
):  # fmt: skip
    """Writes down what would be installed."""
    _current.install(requirements, constraints=constraints, requester=requester, blocking=blocking)
    if completedCallback is not None:
        completedCallback(0)


def pip_ensure(
    requirements, constraints=None, skip_packages=None, prompt_install=True, prompt_restart=True, requester=None,
    skip_in_testing=True, show_progress=True,
):  # fmt: skip
    """Asks for what is missing to be installed.

    Raises:
        RuntimeError: the user does not want that.
    """
    missing = [requirement for requirement in asRequirements(requirements) if not pip_check(requirement)]
    if not missing:
        return
    if skip_in_testing and slicer.app.testingEnabled():
        logging.info("Testing mode: %s is not installed.", ", ".join(map(str, missing)))
        return
    if prompt_install:
        text = f"{len(missing)} Python packages need to be installed. Continue?"
        title = f"{requester or 'Slicer'} - Install Python Packages"
        if not slicer.util.confirmOkCancelDisplay(text, title, detailedText="\n".join(map(str, missing))):
            raise RuntimeError("The user declined the installation.")
    pip_install([str(requirement) for requirement in missing], constraints=constraints, requester=requester)


def recordInsteadOfInstalling(realModule):
    """Changes Slicer's own module so that nothing is installed and packages can be pretended to be missing."""
    check = realModule.pip_check

    def checkWithPretence(req, _seen=None):
        if any(_current.isPretendedMissing(requirement) for requirement in asRequirements(req)):
            return False
        return check(req, _seen)

    realModule.pip_check = checkWithPretence
    realModule.pip_install = pip_install
