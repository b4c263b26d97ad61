"""Locks on folders, which the system takes away from a process that ends, however it ends."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from prostreg.errors import InputError

LOCK_FILE = ".lock"
_HELD_BY_ANOTHER = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds a folder, by a lock on a file in it.

    Raises:
        BlockingIOError: it is held already, by another process or by this one.
        OSError: the folder is gone, or its file system knows no locks.
    """
    with (folder / LOCK_FILE).open("wb") as file:
        try:
            _lock(file.fileno())
        except OSError as error:
            if error.errno in _HELD_BY_ANOTHER:
                raise BlockingIOError(error.errno, error.strerror) from None
            raise
        if not _is_still_there(folder / LOCK_FILE, file.fileno()):
            raise FileNotFoundError(errno.ENOENT, "Removed before it was held", str(folder))
        yield


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keeps two runs from writing into one folder.

    Raises:
        InputError: another run holds it, or it cannot be held.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(held(folder))
        except BlockingIOError:
            raise InputError(f"Another run is writing into {folder}: wait for it, or choose another --out.") from None
        except OSError as error:
            raise InputError(
                f"The folder {folder} cannot be locked ({error.strerror}), and two runs in it would mix: choose an"
                " --out on another disk."
            ) from error
        yield


def _is_still_there(path: Path, descriptor: int) -> bool:
    """False where another process removed the file after it was opened here: its lock would keep nobody out."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
