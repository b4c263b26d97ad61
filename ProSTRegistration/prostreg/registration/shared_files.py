"""CTs and anatomies that several cases name: read once, and kept as long as one of these cases is."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import islice
from pathlib import Path
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from prostreg.images.dicom.folder_series import MOST_FILES
from prostreg.images.reading import read_ct
from prostreg.images.volume import Volume

_cts: WeakValueDictionary[Hashable, Volume] = WeakValueDictionary()
_anatomies: WeakKeyDictionary[Volume, dict[Hashable, NDArray[np.bool_]]] = WeakKeyDictionary()


def shared_ct(path: Path) -> Volume:
    """The CT of a file or DICOM folder; the one in memory if it was read before and has not changed since.

    Raises:
        InputError: as `read_ct`.
    """
    state = file_state(path)
    ct = None if state is None else _cts.get(state)
    if ct is None:
        ct = read_ct(path)
        if state is not None:
            _cts[state] = ct
    return ct


def shared_anatomy(ct: Volume, origin: Hashable, make: Callable[[], NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """The anatomy of a CT that is made from ``origin``, made once for a CT in memory."""
    made = _anatomies.setdefault(ct, {})
    if origin not in made:
        made[origin] = make()
    return made[origin]


def file_state(path: Path) -> Hashable | None:
    """A value that changes with a file, or with the files in a folder and its subfolders; None where it cannot be told.

    A scan's slices may lie in subfolders.
    """
    try:
        files = sorted(islice(path.rglob("*"), MOST_FILES + 1)) if path.is_dir() else [path]
        stats = [(str(file), file.stat()) for file in files]
    except OSError:
        return None
    if len(files) > MOST_FILES:
        return None
    return path.resolve(), tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)
