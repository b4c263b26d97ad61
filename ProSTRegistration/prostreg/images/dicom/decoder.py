"""Compressed DICOM pixels to arrays, run in a child process: its decoders are native code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray


def main() -> None:
    """Writes the stored values of every .dcm file of the working folder beside it, as .npy."""
    for path in sorted(Path().glob("*.dcm")):
        np.save(path.with_suffix(".npy"), _decoded(path))


def _decoded(path: Path) -> NDArray[Any]:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(path.name)
    try:
        return np.asarray(sitk.GetArrayFromImage(reader.Execute()))
    except RuntimeError:  # pydicom finds the decoders of further packages where they are installed
        return np.asarray(pydicom.dcmread(path).pixel_array)
