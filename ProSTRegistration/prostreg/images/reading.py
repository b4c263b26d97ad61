"""CTs and label maps from files, with their place in the patient."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pydicom
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from prostreg.geometry.frames import Matrix, ras_from_lps
from prostreg.images.ct_units import unit_faults
from prostreg.images.dicom.opening import is_dicom
from prostreg.images.dicom.segmentation import read_dicom_segmentation
from prostreg.images.dicom_series import EXPORT, read_dicom_series
from prostreg.images.dicom_tags import read_header, whole_number_of, words_of
from prostreg.images.formats.stored_image import StoredImage
from prostreg.images.formats.value_reading import as_float32, read_values
from prostreg.images.formats.volume_files import SUFFIXES, image_suffix, read_image_header
from prostreg.images.library_messages import quiet_libraries
from prostreg.images.volume import Volume

ORTHOGONAL_TOLERANCE = 1e-3

_VOXELS_OF_A_SCAN, _SMALLEST_SIDE_MM = 1 << 20, 60.0
"""A wrist is wider; a part of a jaw is not."""

_INT32 = np.iinfo(np.int32)


def read_ct(path: Path) -> Volume:
    """Reads a CT in HU from NIfTI, NRRD, MHA/MHD or a folder with one DICOM series.

    Returns:
        Values float32, geometry in RAS. Oblique, anisotropic and left-handed index axes stay as
        they are; a gantry-tilted DICOM series comes resampled onto an upright grid.

    Raises:
        InputError: lists every fault of the file.
    """
    path = Path(path)
    volume = read_dicom_series(path) if path.is_dir() else _read_scan(path)
    faults = FaultList()
    faults.extend(unit_faults(volume.values, f"The CT {path.name}"))
    faults.raise_if_any()
    notes = (volume.note, _smallness(volume, f"The CT {path.name}"))
    return replace(volume, note=" ".join(filter(None, notes)) or None)


def _smallness(volume: Volume, name: str) -> str | None:
    """A sentence on a scan of many voxels that holds no part of a person, as of one whose distances are in cm."""
    sides_mm = volume.spacing_mm * volume.values.shape[::-1]
    if volume.values.size < _VOXELS_OF_A_SCAN or max(sides_mm) > _SMALLEST_SIDE_MM:
        return None
    shown = " x ".join(f"{side:.0f}" for side in sides_mm)
    return f"{name} is only {shown} mm large: if its distances are in cm, correct its header."


def read_labels(path: Path) -> Volume:
    """Reads a label map from NIfTI, NRRD, MHA/MHD or a DICOM segmentation (SEG).

    Returns:
        Values int32 (the one volume whose values are not float32), geometry in RAS.

    Raises:
        InputError: lists every fault of the file.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"The labels {path} are a folder: give a NIfTI, NRRD, MHA or DICOM SEG file.")
    if path.is_file() and image_suffix(path) not in SUFFIXES and is_dicom(path):
        return read_dicom_segmentation(path)
    values, volume_from_index, _ = _read_grid(path, "The labels")
    if not _are_labels(values):
        raise InputError(
            f"The labels {path.name} are no label map: they contain values that are not whole numbers. "
            "Give the segmentation, not the CT or a probability map."
        )
    return Volume(cast(NDArray[np.float32], values.astype(np.int32)), volume_from_index)


def _are_labels(values: NDArray[Any]) -> bool:
    """True for whole numbers of 32 bits; of kinds that hold nothing else, without looking at each."""
    if np.can_cast(values.dtype, np.int32):
        return True
    if not ((values >= _INT32.min) & (values <= _INT32.max)).all():
        return False
    return values.dtype.kind != "f" or np.array_equal(np.rint(values), values)


def _read_scan(path: Path) -> Volume:
    values, volume_from_index, note = _read_grid(path, "The CT")
    return Volume(as_float32(values), volume_from_index, note)


def _read_grid(path: Path, what: str) -> tuple[NDArray[Any], Matrix, str | None]:
    """Values of a file with a 3D scalar image, of the kind that is stored, volume_from_index in RAS, and a note."""
    name = f"{what} {path.name}"
    image = _header(path, what)
    faults = FaultList()
    if len(image.grid) != 3:
        faults.add(f"{name} has {len(image.grid)} dimensions instead of 3: save one volume of it.")
    elif min(image.grid) < 2:
        faults.add(f"{name} has the size {image.grid}: a volume needs two slices or more.")
    if image.channels != 1:
        faults.add(
            f"{name} has {image.channels} values per voxel (colour, vectors, or segments in layers): "
            "give a scalar volume, or export a label map of the segmentation."
        )
    faults.raise_if_any()
    faults.extend(image.geometry_faults)
    faults.raise_if_any()
    volume_from_index = ras_from_lps(np.eye(4) if image.lps_from_index is None else image.lps_from_index)
    faults.extend(orthogonality_faults(volume_from_index, name))
    faults.raise_if_any()
    return read_values(image, name), volume_from_index, image.note


def _header(path: Path, what: str) -> StoredImage:
    if not path.exists():
        raise InputError(
            f"{what} {path} does not exist: check the path (case files name paths relative to themselves)."
        )
    if image_suffix(path) in SUFFIXES and path.is_file():
        return read_image_header(path, f"{what} {path.name}")
    if path.is_file() and is_dicom(path):
        raise InputError(_single_file(path, f"{what} {path.name}"))
    raise InputError(f"{what} {path.name} is of a kind that is not read here: give one of {', '.join(SUFFIXES)}.")


def _single_file(path: Path, name: str) -> str:
    with quiet_libraries():
        header = read_header(path, ["Modality", "NumberOfFrames"]) or pydicom.Dataset()
    frames = whole_number_of(header, "NumberOfFrames", 1)
    if words_of(header, "Modality") == ["SEG"]:
        return f"{name} is a DICOM segmentation: give it as labels, and the CT's folder as CT."
    if frames > 1:
        return f"{name} is a DICOM file of {frames} frames, which is not read as a volume: {EXPORT}."
    return f"{name} is a single DICOM file: give the folder with all slices of the scan."


def orthogonality_faults(volume_from_index: Matrix, name: str) -> list[str]:
    """Says whether the index axes of a grid are not at right angles."""
    axes = volume_from_index[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(volume_from_index).all() or (lengths <= 0).any():
        return [f"{name} has no usable geometry: its spacing or directions are zero or not numbers."]
    directions = axes / lengths
    if np.allclose(directions.T @ directions, np.eye(3), atol=ORTHOGONAL_TOLERANCE):
        return []
    return [
        f"{name} has directions that are not at right angles (a sheared grid, as of a tilted gantry): "
        "resample it onto an upright grid, for example with Slicer's Resample Scalar/Vector/DWI Volume."
    ]
