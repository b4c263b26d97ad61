"""A Python behind a launcher, as Slicer's PythonSlicer is: who starts it does not know the process that works."""

from __future__ import annotations

import sys
from pathlib import Path

LAUNCHER = """#!{python}
import subprocess, sys
code = subprocess.call([{python!r}, *sys.argv[1:]])
sys.exit(code if code >= 0 else -code)
"""


def python_behind_launcher(folder: Path) -> str:
    """The path of the launcher, made in a folder; on Windows the Python itself, since scripts cannot be started."""
    if sys.platform == "win32":
        return sys.executable
    path = folder / "PythonSlicer"
    path.write_text(LAUNCHER.format(python=sys.executable), encoding="utf-8")
    path.chmod(0o755)
    return str(path)
