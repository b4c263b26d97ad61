"""Writing one image where the user said: checked before, complete or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.outputs.result_file import output_folder_faults


def image_faults(path: Path, endings: Sequence[str]) -> list[str]:
    """Says in words why an image could not be written there."""
    faults = output_folder_faults(path.parent)
    if not path.name.lower().endswith(tuple(endings)):
        faults.append(f"The image {path} has no known ending. Choose one of {', '.join(endings)}.")
    if path.is_dir():
        faults.append(f"The image {path} is a folder. Give the name of a file.")
    return faults


@contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Gives a scratch path of the same name, and moves what was written there to ``path`` when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".image-", dir=path.parent) as scratch:
        unfinished = Path(scratch) / path.name
        yield unfinished
        unfinished.replace(path)


def write_with_spacing(path: Path, pixels: NDArray[Any], spacing_mm: tuple[float, float]) -> None:
    """Writes pixels (height, width) in any format of ITK, with the detector's pixel spacing."""
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing(list(spacing_mm))
    sitk.WriteImage(image, str(path))
