"""Another Python for the engine, where Slicer's own cannot have what it needs: chosen once, and looked at before."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import slicer

from prostreg.errors import InputError
from ProSTRegistrationLib.Install import Requirements
from ProSTRegistrationLib.Install.Requirements import OLDEST_PYTHON, Requirement, brought, requirements
from ProSTRegistrationLib.Worker.Interpreter import Interpreter, otherInterpreter, ownInterpreter
from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient, WorkerError
from ProSTRegistrationLib.Worker.WorkerSource import LocalWorker

SETTING = "ProSTRegistration/EnginePython"
ANSWER_LIMIT_S = 60.0
DETAIL_LINES = 3
QUESTION = """
import json, sys
try:
    from importlib.metadata import version
except ImportError:
    sys.argv[1:] = []
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except Exception:
        found[name] = None
print(json.dumps({"python": sys.version_info[:2], "packages": found}))
"""
"""Any Python 3 can read and answer it, however old."""


def chosenPath() -> str:
    """The file of the Python that a person chose for the engine; "" for Slicer's own."""
    application = getattr(slicer, "app", None)
    return "" if application is None else str(application.userSettings().value(SETTING) or "")


def choosePath(path: str) -> None:
    """Keeps the choice for this user and this computer; "" for Slicer's own."""
    if path:
        slicer.app.userSettings().setValue(SETTING, path)
    else:
        slicer.app.userSettings().remove(SETTING)


def chosenInterpreter() -> Interpreter:
    """The Interpreter that the next worker runs in."""
    path = chosenPath()
    return otherInterpreter(path, slicer.util.startupEnvironment()) if path else ownInterpreter()


def shortPath(path: str) -> str:
    """The end of a path, which tells environments apart and fits into a narrow panel: "environment/bin/python"."""
    return "/".join(Path(path).parts[-3:])


def pathFault(path: str) -> str | None:
    """The fault of a choice that was made earlier; None while its file is there."""
    if Path(path).is_file():
        return None
    return f"The Python that was chosen for the engine, {path}, is not there: choose another one, or Slicer's."


class PythonCheck:
    """The look at a Python before it is used: its version, its packages, then a worker in it and how fast that is.

    Args:
        path: the file of a Python.

    Attributes:
        isRunning: True until it is known, or somebody ended it.
        isCancelled: True once somebody ended it.
        names: what is looked at, in short.
        verdict: what the worker says about itself; "" until then.
    """

    def __init__(self, path: str) -> None:
        self.names, self._path = shortPath(path), path
        self.isRunning, self.isCancelled, self.verdict = True, False, ""
        self._faults: list[str] = []
        self._client: WorkerClient | None = None
        self._process: subprocess.Popen[str] | None = None
        self._interpreter = otherInterpreter(path, slicer.util.startupEnvironment())
        self._deadlineS = time.monotonic() + ANSWER_LIMIT_S
        command = [*self._interpreter.command, "-c", QUESTION, *(needed.name for needed in _needed())]
        try:
            self._process = subprocess.Popen(
                command, env=dict(self._interpreter.environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )  # fmt: skip
        except OSError as error:
            self._end([f"{path} could not be started ({error}): {_choose()}"])

    def poll(self) -> None:
        """Goes on as far as it can at once."""
        if self._client is not None:
            self._client.poll()
        elif self.isRunning and self._process is not None and self._process.poll() is not None:
            self._understand(self._process.communicate()[0])
        elif self.isRunning and time.monotonic() > self._deadlineS:
            self._end([f"{self._path} gives no answer: {_choose()}"])

    def cancel(self) -> None:
        """Ends what was started."""
        if self.isRunning:
            self.isCancelled = True
            self._end([])

    def lastLines(self, count: int) -> list[str]:
        """Nothing: there is no output for people."""
        return []

    def conclude(self) -> None:
        """Keeps the choice.

        Raises:
            InputError: that Python will not do; the choice is then as it was.
        """
        if self._faults:
            raise InputError(self._faults)
        choosePath(self._path)

    def _understand(self, answer: str) -> None:
        try:
            told = json.loads(answer)
            version, packages = tuple(told["python"]), dict(told["packages"])
        except (ValueError, KeyError, TypeError):
            self._end([f"{self._path} does not answer as a Python does: {_choose()}"])
            return
        faults = _versionFaults(self._path, version) or _packagesFaults(self._path, version, packages)
        if faults:
            self._end(faults)
            return
        self._client = WorkerClient(LocalWorker(lambda: self._interpreter))
        self._client.request("check", onReply=self._learn, onError=self._refuse, device="cpu")

    def _learn(self, content: dict[str, Any], _: object) -> None:
        self.verdict = content["verdict"]
        self._end([] if content["ok"] else [f"{self._path}: {self.verdict}"])

    def _refuse(self, error: WorkerError) -> None:
        ending = error.details.splitlines()[-DETAIL_LINES:] or error.faults
        self._end([f"The engine does not start in {self._path}. It says:", *ending])

    def _end(self, faults: list[str]) -> None:
        self.isRunning, self._faults = False, faults
        client, self._client = self._client, None
        if client is not None:
            client.stop()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def _needed() -> list[Requirement]:
    return [*requirements(), *brought()]


def _choose() -> str:
    name = "python.exe" if sys.platform == "win32" else "bin/python"
    return f"choose the file {name} in the folder of a Python or of a virtual environment."


def _versionFaults(path: str, version: tuple[int, ...]) -> list[str]:
    if version >= OLDEST_PYTHON:
        return []
    found, needed = (".".join(map(str, numbers)) for numbers in (version, OLDEST_PYTHON))
    return [f"{path} is Python {found}, and the engine needs {needed} or newer: choose another one."]


def _packagesFaults(path: str, version: tuple[int, ...], packages: dict[str, str | None]) -> list[str]:
    lacking = [needed for needed in _needed() if not needed.isMetBy(packages.get(needed.name))]
    if all(requirement.name in Requirements.WANTED for requirement in lacking):
        return []
    names = ", ".join(requirement.lackOf(packages.get(requirement.name)) for requirement in lacking)
    texts = " ".join(f'"{requirement.text}"' for requirement in lacking)
    return [
        f"Python {'.'.join(map(str, version))} at {path} lacks {names}. Install them there by this command in a"
        " terminal, then choose it again:",
        f'"{path}" -m pip install {texts}',
    ]
