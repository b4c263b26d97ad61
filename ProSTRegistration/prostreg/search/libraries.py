"""Libraries of the search: loaded while the first case is read, and without what a search does not use of them."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

DISPENSABLE = ("matplotlib", "scipy")
"""What pycma imports if it is there, and a search does not use: two seconds of every process that searches."""


def begin_to_load() -> None:
    """Begins to load them in a thread of its own; whoever needs one sooner waits for it as for any import."""
    threading.Thread(target=_load_silently, name="prostreg-libraries").start()


def load() -> Any:
    """Loads them here and now; whatever one of them raises comes through.

    Returns:
        The module `cma`. Where it was imported before, it is that one, with all that it brought along.
    """
    if (loaded := sys.modules.get("cma")) is not None and not _is_being_imported(loaded):
        return loaded
    with _without(DISPENSABLE):
        return importlib.import_module("cma")


class _Absent:
    """A finder that misses some packages, and only in the thread that made it."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages, self._thread = packages, threading.get_ident()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if threading.get_ident() == self._thread and name.partition(".")[0] in self._packages:
            raise ModuleNotFoundError(f"{name} is not needed here", name=name)
        return None


@contextlib.contextmanager
def _without(packages: Sequence[str]) -> Iterator[None]:
    """In this thread packages seem not to be installed, unless they have been imported before."""
    finder = _Absent(packages)
    # Not taken back: filters belong to all threads, and one that puts back others' is worse than one that stays.
    warnings.filterwarnings("ignore", message="Could not import matplotlib", category=UserWarning)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def _is_being_imported(module: ModuleType) -> bool:
    return getattr(module.__spec__, "_initializing", False)


def _load_silently() -> None:
    with contextlib.suppress(Exception):  # whoever needs it meets the same fault, and tells it
        load()
