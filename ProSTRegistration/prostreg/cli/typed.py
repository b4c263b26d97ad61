"""Commands that are told to a person, ready to be typed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

NAME = "prostreg"


def typed(*words: object) -> str:
    """A command of this program as whoever started it can type it: ``typed("register", path)``.

    In a virtual environment that is not activated, a shell does not find the name alone.
    """
    return (subprocess.list2cmdline if os.name == "nt" else shlex.join)([_called(), *map(str, words)])


def _called() -> str:
    """The name where a shell finds this very program by it, or the path by which it was started."""
    here, found = Path(sys.argv[0]), shutil.which(NAME)
    if here.stem != NAME or (found is not None and Path(found).resolve().parent == here.resolve().parent):
        return NAME
    return str(here)
