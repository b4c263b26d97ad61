"""Files that several cases name are read once, and again after any change."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from DicomFiles import write_ct
from prostreg.registration.shared_files import file_state, shared_ct

_V, _U = np.mgrid[:16, :16]


def write_slices(folder: Path, bone: int) -> None:
    for k in range(3):
        pixels = np.where((_U - 8) ** 2 + (_V - 8) ** 2 < 20, bone, 24).astype(np.uint16)
        write_ct(folder / f"{k}.dcm", pixels, [0, 0, k])


def test_a_scan_in_a_subfolder_is_read_again_after_a_change(tmp_path: Path) -> None:
    write_slices(tmp_path / "series" / "1", bone=1500)
    before = shared_ct(tmp_path)
    assert shared_ct(tmp_path) is before
    write_slices(tmp_path / "series" / "1", bone=1700)
    for path in (tmp_path / "series" / "1").iterdir():
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))
    assert shared_ct(tmp_path).values.max() == before.values.max() + 200


def test_the_state_of_what_is_not_there_cannot_be_told(tmp_path: Path) -> None:
    assert file_state(tmp_path / "none") is None
