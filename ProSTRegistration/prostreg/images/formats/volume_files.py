"""Image files with any number of axes: NRRD, MetaImage, NIfTI. Nothing native sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prostreg.errors import InputError
from prostreg.images.formats.metaimage import read_metaimage_header
from prostreg.images.formats.nifti import read_nifti_header
from prostreg.images.formats.nrrd import read_nrrd_header
from prostreg.images.formats.stored_image import StoredImage, unreadable

_READERS: dict[str, Callable[[Path, str], StoredImage]] = {
    ".nii": read_nifti_header,
    ".nii.gz": read_nifti_header,
    ".nrrd": read_nrrd_header,
    ".nhdr": read_nrrd_header,
    ".mha": read_metaimage_header,
    ".mhd": read_metaimage_header,
}

SUFFIXES = tuple(_READERS)


def image_suffix(path: Path) -> str:
    """Lower-case suffix, ".nii.gz" as a whole."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def read_image_header(path: Path, name: str) -> StoredImage:
    """The header of a file whose suffix is one of ``SUFFIXES``.

    Args:
        path: an existing file.
        name: of the file with its role, as messages begin.

    Raises:
        InputError: not readable, damaged, or not what its suffix says.
    """
    try:
        return _READERS[image_suffix(path)](path, name)
    except OSError as error:
        raise InputError(unreadable(name, error)) from None
