"""Keeps the reading libraries' own warnings away from users; what matters reaches them as a fault."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import SimpleITK as sitk  # noqa: N813


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silences ITK's and pydicom's warnings inside the block and restores both afterwards."""
    shown = sitk.ProcessObject_GetGlobalWarningDisplay()
    sitk.ProcessObject_SetGlobalWarningDisplay(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sitk.ProcessObject_SetGlobalWarningDisplay(shown)
