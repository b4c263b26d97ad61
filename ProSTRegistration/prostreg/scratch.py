"""Scratch folders that do not stay: what a killed process left there, the next one removes."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from prostreg.folder_lock import LOCK_FILE, held
from prostreg.undisturbed import undisturbed

PREFIX = ".prostreg-"
_CONTENT = "content"


@contextmanager
def scratch_folder(beside: Path | None = None) -> Iterator[Path]:
    """An empty folder of this user alone, removed at the end with all that is in it.

    Its owner holds a lock on it, which ends with the process. So those of killed processes are known, and removed here.

    Args:
        beside: an existing folder on whose disk it shall lie, so that files move out of it in one step; None for the
            system's temporary folder.

    Raises:
        OSError: it cannot be made.
    """
    parent = Path(tempfile.gettempdir()) if beside is None else beside
    _remove_abandoned(parent)
    folder: Path | None = None
    with ExitStack() as stack:
        try:
            with undisturbed():
                folder = _made_and_held(parent, stack)
            yield folder / _CONTENT
        finally:
            with undisturbed():
                # Windows removes no folder in which a file is open.
                stack.close()
                if folder is not None:
                    shutil.rmtree(folder, ignore_errors=True)


def _made_and_held(parent: Path, stack: ExitStack) -> Path:
    """A new folder, with what is written in it; without a lock where its file system knows none."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        try:
            stack.enter_context(held(folder))
        except (BlockingIOError, FileNotFoundError):
            # Another process took it for an abandoned one, in the moment before it was held.
            continue
        except OSError:
            with suppress(OSError):
                (folder / LOCK_FILE).unlink()
        (folder / _CONTENT).mkdir()
        return folder


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if not _is_ours(folder):
                continue
            if (folder / LOCK_FILE).is_file():
                _empty(folder)
            folder.rmdir()


def _empty(folder: Path) -> None:
    """Removes what is in an abandoned folder, so that no process that just begins to hold it believes that it does."""
    with held(folder):
        shutil.rmtree(folder / _CONTENT, ignore_errors=True)
        if sys.platform != "win32":
            (folder / LOCK_FILE).unlink()
    if sys.platform == "win32":
        # An open file cannot be removed there: it goes after it is given back, unless another process took it.
        (folder / LOCK_FILE).unlink()


def _is_ours(folder: Path) -> bool:
    """True for a real folder of this user: in a shared one, others may lay links to what is not theirs."""
    facts = folder.lstat()
    return stat.S_ISDIR(facts.st_mode) and (sys.platform == "win32" or facts.st_uid == os.getuid())
