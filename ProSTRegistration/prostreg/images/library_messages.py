"""Keeps the reading libraries' own messages away from users; what matters reaches them as a fault."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import SimpleITK as sitk  # noqa: N813

_STDERR = 2
_one_at_a_time = threading.RLock()


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silences ITK, pydicom and the C libraries below them inside the block.

    libpng, libtiff, nifti and MetaIO write to the process's standard error by themselves: it is redirected too. One
    block runs at a time: each finds standard error as it was and leaves it so.
    """
    with _one_at_a_time, _stderr_led_away(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shown = sitk.ProcessObject_GetGlobalWarningDisplay()
        sitk.ProcessObject_SetGlobalWarningDisplay(False)
        try:
            yield
        finally:
            sitk.ProcessObject_SetGlobalWarningDisplay(shown)


@contextmanager
def _stderr_led_away() -> Iterator[None]:
    try:
        kept = os.dup(_STDERR)
    except OSError:  # a process without standard error, as a windowed application may be
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDERR)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
