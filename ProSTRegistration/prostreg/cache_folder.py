"""Where what can be made or fetched again is kept between runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

CACHE_VARIABLE = "PROSTREG_CACHE"


def cache_folder() -> Path:
    """The folder of this user for downloads and adapted weights; PROSTREG_CACHE in the environment overrides it."""
    override = os.environ.get(CACHE_VARIABLE)
    if override:
        return Path(override)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "prostreg" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "prostreg"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "prostreg"
