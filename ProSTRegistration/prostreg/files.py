"""Rules for files: folders that can be written, files that are complete or absent, digests, the cache."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prostreg.scratch import scratch_folder

CACHE_VARIABLE = "PROSTREG_CACHE"

MOST_TEXT_BYTES = 1 << 24
"""Of a text that people or programs write for a registration; far more than any has."""


def text_of(path: Path) -> str:
    """The text of an ordinary file in UTF-8, with or without the mark that Windows puts at its beginning.

    Raises:
        OSError: it cannot be read, is no ordinary file, or has more than ``MOST_TEXT_BYTES``.
        UnicodeDecodeError: it is no text in UTF-8.
    """
    if ordinary_bytes(path) > MOST_TEXT_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {MOST_TEXT_BYTES >> 20} MiB", str(path))
    return path.read_text(encoding="utf-8-sig")


def ordinary_bytes(path: Path) -> int:
    """The size of a file or folder that may be opened: a pipe may wait for ever, and a device never end.

    Raises:
        OSError: it is not there, or a pipe or a device.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device and no file", str(path))
    return found.st_size


def output_folder_faults(folder: Path, advice: str = "Choose another folder.") -> list[str]:
    """Reasons in words why nothing could be written into a folder; leaves no trace.

    Args:
        folder: may exist or not.
        advice: what to try, a sentence for the user of this door.
    """
    existing = folder
    try:
        while not existing.exists() and existing != existing.parent:
            if existing.is_symlink():
                return [f"The output folder {folder} cannot be made: {existing} is a link to nowhere. {advice}"]
            existing = existing.parent
        if not existing.is_dir():
            return [f"The output folder {folder} cannot be made: {existing} is a file. {advice}"]
        with tempfile.TemporaryFile(dir=existing):
            return []
    except OSError as error:
        return [f"The output folder {folder} is not writable ({error.strerror}). {advice}"]


def replaced_inputs(written: Iterable[Path], read: Iterable[Path | None], advice: str) -> list[str]:
    """Sentences on files that the user gave, and that would be replaced by what is written.

    Args:
        written: files to write.
        read: files to read; None where one was not given.
        advice: what to try, a sentence for the user of this door.
    """
    given = [path for path in read if path is not None and path.exists()]
    return [
        f"{new} would replace {old}, which is read. {advice}"
        for new in written
        if new.exists()
        for old in given
        if new.samefile(old)
    ]


@contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """A scratch path of the same name; what was written there moves to ``path`` if all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with scratch_folder(path.parent) as scratch:
        unfinished = scratch / path.name
        yield unfinished
        unfinished.replace(path)


def sha256_of(path: Path) -> str:
    """Digest of a file in hexadecimal digits; an OSError for pipes and devices, which may have no end."""
    ordinary_bytes(path)
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


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
