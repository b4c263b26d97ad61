"""One image in a file of any format that ITK writes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.scratch import scratch_folder


def write_with_spacing(
    path: Path, pixels: NDArray[Any], spacing_mm: tuple[float, float], is_compressed: bool = False
) -> None:
    """Writes pixels (height, width) with the detector's pixel spacing; the ending of the name tells the format."""
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing([float(value) for value in spacing_mm])
    write_image(path, image, is_compressed)


def write_image(path: Path, image: sitk.Image, is_compressed: bool = False, compression_level: int = -1) -> None:
    """Writes an image under any name that the system knows.

    ITK is given a plain name in a scratch folder: it ends the program at a name that is not UTF-8.

    Raises:
        InputError: ITK cannot write it.
        OSError: it cannot be moved to its place.
    """
    ending = "".join(path.suffixes[-2:]) if path.name.lower().endswith(".gz") else path.suffix
    with scratch_folder() as scratch:
        plain = scratch / f"image{ending}"
        try:
            sitk.WriteImage(image, str(plain), useCompression=is_compressed, compressionLevel=compression_level)
        except RuntimeError as error:
            free = shutil.disk_usage(scratch).free
            raise InputError(
                f"The image {path} cannot be written: make room for it in {tempfile.gettempdir()} ({free >> 20} MB are"
                f" free there), raise the limit for the size of files, or choose another format."
            ) from error
        try:
            shutil.move(plain, path)
        except OSError as error:  # it may name the file in the scratch folder, of which nobody knows
            raise OSError(error.errno, error.strerror, str(path)) from error
