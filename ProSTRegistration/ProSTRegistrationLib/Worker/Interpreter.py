"""Pythons that can run the engine: how each is started, and in what environment."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

OF_THE_APPLICATION = ("PYTHON", "LD_", "DYLD_", "QT_", "SSL_CERT_", "__PYVENV_LAUNCHER__")
"""Beginnings of the variables by which an application tells its own Python where libraries and plugins are."""


@dataclass(frozen=True)
class Interpreter:
    """A Python that can run the engine.

    Attributes:
        command: starts it; a module or script of it comes behind.
        environment: the variables of its process.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)


def ownInterpreter(path: str | None = None) -> Interpreter:
    """The application's own Python: PythonSlicer where there is one, or the one at ``path``."""
    return Interpreter((path or shutil.which("PythonSlicer") or sys.executable,), dict(os.environ))


def otherInterpreter(path: str, environment: Mapping[str, str]) -> Interpreter:
    """A Python that is not the application's.

    Args:
        environment: what the application was started in; its own libraries would be loaded by, and break, another.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith(OF_THE_APPLICATION)}
    return Interpreter((*_nativeFirst(), path), kept)


def _nativeFirst() -> tuple[str, ...]:
    """The words before a command that start it for this Mac's own processor, where the application is translated.

    What a translated program starts runs as Intel's too if its file has both kinds, as that of a Python often has; and
    packages made for the other kind cannot be loaded then.
    """
    if platform.system() != "Darwin":
        return ()
    told = subprocess.run(["/usr/sbin/sysctl", "-n", "sysctl.proc_translated"], capture_output=True, text=True)
    return ("/usr/bin/arch", "-arm64", "-x86_64") if told.stdout.strip() == "1" else ()
