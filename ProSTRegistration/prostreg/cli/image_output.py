"""One image written where the user said, checked before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.cli.outcome import ANOTHER_OUT
from prostreg.files import output_folder_faults


def image_faults(path: Path, endings: Sequence[str]) -> list[str]:
    """Says in words why an image could not be written there."""
    faults = output_folder_faults(path.parent, ANOTHER_OUT)
    if not path.name.lower().endswith(tuple(endings)):
        faults.append(f"The image {path} has no known ending. Choose one of {', '.join(endings)}.")
    if path.is_dir():
        faults.append(f"The image {path} is a folder. Give the name of a file.")
    return faults


def write_with_spacing(path: Path, pixels: NDArray[Any], spacing_mm: tuple[float, float]) -> None:
    """Writes pixels (height, width) in any format of ITK, with the detector's pixel spacing."""
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing(list(spacing_mm))
    sitk.WriteImage(image, str(path))
