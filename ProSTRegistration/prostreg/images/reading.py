"""CTs and label maps from files, with their place in the patient."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from prostreg.geometry.frames import Matrix, ras_from_lps
from prostreg.images.dicom_series import read_dicom_series
from prostreg.images.dicom_tags import is_dicom
from prostreg.images.header_check import header_faults, nifti_data_faults, not_finite_fault
from prostreg.images.library_messages import quiet_libraries
from prostreg.images.volume import Volume

ORTHOGONAL_TOLERANCE = 1e-3

MOST_GREY = 255.0
"""A scan whose values all lie from 0 to here has been turned into a picture."""

_IMAGE_IO = {
    ".nii": "NiftiImageIO",
    ".nii.gz": "NiftiImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
}


def read_ct(path: Path) -> Volume:
    """Reads a CT in HU from NIfTI, NRRD, MHA/MHD or a folder with one DICOM series.

    Returns:
        Values float32, geometry in RAS. Oblique, anisotropic and left-handed index axes stay as
        they are; a gantry-tilted DICOM series comes resampled onto an upright grid.

    Raises:
        InputError: lists every fault of the file.
    """
    path = Path(path)
    volume = read_dicom_series(path) if path.is_dir() else _read_volume(path, "The CT")
    faults = FaultList()
    faults.extend(_value_faults(volume.values, f"The CT {path.name}"))
    faults.raise_if_any()
    return volume


def read_labels(path: Path) -> Volume:
    """Reads a label map from NIfTI, NRRD or MHA/MHD.

    Returns:
        Values int32 (the one volume whose values are not float32), geometry in RAS.

    Raises:
        InputError: lists every fault of the file.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"The labels {path} are a folder: give a NIfTI, NRRD or MHA file.")
    volume = _read_volume(path, "The labels")
    whole = np.rint(volume.values)
    if not np.isfinite(volume.values).all() or not np.array_equal(whole, volume.values):
        raise InputError(
            f"The labels {path.name} are no label map: they contain values that are not whole numbers. "
            "Give the segmentation, not the CT or a probability map."
        )
    return Volume(cast(NDArray[np.float32], whole.astype(np.int32)), volume.volume_from_index)


def _read_volume(path: Path, what: str) -> Volume:
    """Reads one file with a 3D scalar image; float32."""
    image = read_image_file(path, what)
    faults = FaultList()
    faults.extend(header_faults(path, what))
    if image.GetDimension() != 3:
        faults.add(f"{what} {path.name} has {image.GetDimension()} dimensions instead of 3: save one volume of it.")
    channels = image.GetNumberOfComponentsPerPixel()
    if channels != 1:
        faults.add(f"{what} {path.name} has {channels} values per voxel (colour or vectors): give a scalar volume.")
    faults.raise_if_any()
    if min(image.GetSize()) < 2:
        faults.add(f"{what} {path.name} has the size {image.GetSize()}: a volume needs two slices or more.")
    volume_from_index = volume_from_index_of(image)
    faults.extend(orthogonality_faults(volume_from_index, f"{what} {path.name}"))
    faults.extend(nifti_data_faults(path, what))
    faults.raise_if_any()
    values = sitk.GetArrayFromImage(sitk.Cast(image, sitk.sitkFloat32))
    return Volume(values, volume_from_index)


def read_image_file(path: Path, what: str) -> sitk.Image:
    """Reads an image file of any dimension; ``what`` names its role in messages.

    Raises:
        InputError: missing, of an unknown kind, or damaged.
    """
    if not path.exists():
        raise InputError(
            f"{what} {path} does not exist: check the path (case files name paths relative to themselves)."
        )
    image_io = _IMAGE_IO.get(image_suffix(path))
    if image_io is None:
        if path.is_file() and is_dicom(path):
            raise InputError(f"{what} {path.name} is a single DICOM file: give the folder with all slices of the scan.")
        known = ", ".join(_IMAGE_IO)
        raise InputError(f"{what} {path.name} is of a kind that is not read here: give one of {known}.")
    reader = sitk.ImageFileReader()
    reader.SetImageIO(image_io)
    reader.SetFileName(str(path))
    try:
        with quiet_libraries():
            image: sitk.Image = reader.Execute()
    except (RuntimeError, OSError) as error:
        raise InputError([*header_faults(path, what)] or [_reading_fault(path, what, str(error))]) from None
    return image


def image_suffix(path: Path) -> str:
    """Lower-case suffix, ".nii.gz" as a whole."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def volume_from_index_of(image: sitk.Image) -> Matrix:
    """Index (i, j, k) to RAS mm of a 3D image."""
    lps_from_index = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    lps_from_index[:3, :3] = direction * np.array(image.GetSpacing())
    lps_from_index[:3, 3] = image.GetOrigin()
    return ras_from_lps(lps_from_index)


def orthogonality_faults(volume_from_index: Matrix, name: str) -> list[str]:
    """Says whether the index axes of a grid are not at right angles."""
    axes = volume_from_index[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(volume_from_index).all() or (lengths <= 0).any():
        return [f"{name} has no usable geometry: its spacing or directions are zero or not numbers."]
    directions = axes / lengths
    if np.allclose(directions.T @ directions, np.eye(3), atol=ORTHOGONAL_TOLERANCE):
        return []
    return [_sheared(name)]


def _sheared(name: str) -> str:
    return (
        f"{name} has directions that are not at right angles (a sheared grid, as of a tilted gantry): "
        "resample it onto an upright grid, for example with Slicer's Resample Scalar/Vector/DWI Volume."
    )


def _reading_fault(path: Path, what: str, message: str) -> str:
    if "orthonormal" in message or "determinant is 0" in message:
        return _sheared(f"{what} {path.name}")
    if "Zero-valued spacing" in message or ("spacing" in message and "invalid" in message):
        return f"{what} {path.name} has a spacing of zero: correct its header."
    return f"{what} {path.name} cannot be read, it is damaged or not what its name says: write it anew."


def _value_faults(values: NDArray[np.float32], name: str) -> list[str]:
    finite = np.isfinite(values)
    if not finite.all():
        count = int(finite.size - np.count_nonzero(finite))
        return [not_finite_fault(name, count)]
    low, high = float(values.min()), float(values.max())
    if low == high:
        return [f"{name} is constant, all voxels are {low:g}: it shows nothing."]
    if low >= 0 and high <= MOST_GREY:
        return [
            f"{name} has values from {low:g} to {high:g} only: these are grey values, not HU (air -1000, water 0, "
            "bone from 200). Export the CT with its original values."
        ]
    return []
