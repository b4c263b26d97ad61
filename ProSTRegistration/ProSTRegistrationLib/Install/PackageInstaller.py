"""Installs Python packages by pip in processes of its own, without touching those that Slicer ships.

Nothing is imported into Slicer, and nothing is waited for: whoever starts an Installation polls it from a timer.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import slicer

from ProSTRegistrationLib.Worker.Interpreter import ownInterpreter

KEPT_PACKAGES = ("numpy", "scipy", "SimpleITK", "vtk", "pydicom", "requests", "torch", "torchvision")
"""Slicer or another extension relies on the very versions of these that are there."""
TORCH_FINDER = "light-the-torch>=0.7"
"""What the extension PyTorch uses too: finds the torch that suits the graphics card and its driver."""
DETAIL_LINES = 20
END_LIMIT_S = 5.0


@dataclass(frozen=True)
class _Step:
    """One call of Python: its arguments, the packages that it brings, and whether all ends where it fails."""

    arguments: list[str]
    names: str
    isNeeded: bool = True


class Installation:
    """pip at work, one step after another.

    Args:
        needed: texts like "cma>=4.0"; torch is looked for apart.
        wanted: likewise; those that cannot be had are gone without.

    Attributes:
        isRunning: True until all steps have ended.
        isCancelled: True once somebody ended it.
        fault: the end of pip's output where a needed package could not be installed; None otherwise.
    """

    def __init__(self, needed: list[str], wanted: list[str]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="prostreg-pip-", dir=slicer.app.temporaryPath))
        self._log, self._constraints = self._folder / "pip.log", self._folder / "constraints.txt"
        _writeConstraints(self._constraints, [_nameIn(requirement) for requirement in [*needed, *wanted]])
        self._steps = self._planned(needed, wanted)
        self._process: subprocess.Popen[bytes] | None = None
        self.isRunning, self.isCancelled = True, False
        self.fault: str | None = None
        self._begin()

    @property
    def names(self) -> str:
        """The packages that are being installed now."""
        return self._steps[0].names if self._steps else ""

    def poll(self) -> None:
        """Goes on to the next step where one has ended; returns at once."""
        if not self.isRunning or self._process is None or self._process.poll() is None:
            return
        step = self._steps.pop(0)
        if self._process.returncode != 0 and step.isNeeded:
            self._end("\n".join(self.lastLines(DETAIL_LINES)) or f"pip ended with code {self._process.returncode}.")
        elif self._steps:
            self._begin()
        else:
            self._end(None)

    def cancel(self) -> None:
        """Ends pip and all that it has started."""
        if self.isRunning:
            if self._process is not None:
                _endTree(self._process)
            self.isCancelled = True
            self._end(None)

    def lastLines(self, count: int) -> list[str]:
        """The last lines that pip meant for people."""
        if not self._log.exists():
            return []
        text = self._log.read_text(encoding="utf-8", errors="replace")
        lines = re.split(r"Traceback \(most", text)[0].splitlines()
        return [line.strip() for line in lines if line.strip()][-count:]

    def _planned(self, needed: list[str], wanted: list[str]) -> list[_Step]:
        pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
        torch = [requirement for requirement in needed if _nameIn(requirement) == "torch"]
        others = [requirement for requirement in needed if _nameIn(requirement) != "torch"]
        steps = []
        if torch:
            steps.append(_Step([*pip, TORCH_FINDER], "light-the-torch"))
            steps.append(_Step(["-m", "light_the_torch", "install", "--progress-bar", "off", *torch], "torch"))
        if others:
            steps.append(_Step([*pip, *others], ", ".join(map(_nameIn, others))))
        return [*steps, *(_Step([*pip, requirement], _nameIn(requirement), isNeeded=False) for requirement in wanted)]

    def _begin(self) -> None:
        command = [*ownInterpreter().command, *self._steps[0].arguments]
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    command, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True, creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )  # fmt: skip
        except OSError as error:
            self._end(f"pip could not be started: {error}")

    def _environment(self) -> dict[str, str]:
        # The torch finder hands no constraints on to pip, but pip finds them here. As an address: spaces separate.
        known = os.environ.get("PIP_CONSTRAINT", "")
        constraints = f"{known} {self._constraints.as_uri()}".strip()
        return {**os.environ, "PIP_CONSTRAINT": constraints, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}

    def _end(self, fault: str | None) -> None:
        self.isRunning, self.fault = False, fault
        shutil.rmtree(self._folder, ignore_errors=True)


def _endTree(process: subprocess.Popen[bytes]) -> None:
    """Ends a process with its children: Slicer's Python is started by a launcher."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True)
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
    process.wait(END_LIMIT_S)


def _writeConstraints(path: Path, wanted: list[str]) -> None:
    """Pins what must not change to the version that is there."""
    kept = [(name, _versionOf(name)) for name in KEPT_PACKAGES if name not in wanted]
    path.write_text("".join(f"{name}=={version}\n" for name, version in kept if version), encoding="utf-8")


def _versionOf(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _nameIn(requirement: str) -> str:
    return requirement.partition(">=")[0]
