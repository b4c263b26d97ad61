"""Label maps from DICOM segmentations (SEG): frames of segments, put at their places."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pydicom
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.geometry.frames import ras_from_lps
from prostreg.images.dicom.pixels import pixel_layout, stored_values
from prostreg.images.dicom_tags import numbers_of, read_dataset, value_of, whole_number_of, words_of
from prostreg.images.formats.grid_geometry import Stated, spacing_faults
from prostreg.images.formats.picture_size import refuse_many_pixels
from prostreg.images.formats.stored_image import quoted
from prostreg.images.library_messages import quiet_libraries
from prostreg.images.volume import Volume
from prostreg.machine import refuse_too_large

_EVEN_TOLERANCE = 0.05
_EXPORT = "load it in Slicer and export a label map as NRRD"


def read_dicom_segmentation(path: Path) -> Volume:
    """Labels int32 of one SEG file: the numbers of its segments, 0 where there is none.

    Slices without a frame are empty: files leave out what shows nothing.

    Raises:
        InputError: another kind of DICOM file, fractional or overlapping segments, or frames that form no grid.
    """
    name = f"The labels {path.name}"
    with quiet_libraries():
        dataset = read_dataset(path)
        if dataset is None:
            raise InputError(f"{name} is not a readable DICOM file: export it anew.")
        _refuse_other_kinds(dataset, name)
        numbers, positions, orientation, spacing = _frames(dataset, name)
        values = _frame_values(dataset, name, len(positions))
    places, step_mm = _places(positions, orientation, spacing, name)
    if spacing_faults(name, Stated("PixelSpacing", [spacing[1], spacing[0], step_mm])):
        shown = f"{spacing[1]:g} x {spacing[0]:g} x {step_mm:g}"
        raise InputError(f"{name} has the spacing {shown} mm, which no CT has: {_EXPORT}.")
    refuse_too_large(4 * (int(places.max()) + 1) * int(np.prod(values.shape[1:])), name)
    labels = np.zeros((int(places.max()) + 1, *values.shape[1:]), dtype=np.int32)
    for frame, number, place in zip(values, numbers, places, strict=True):
        inside, given = frame != 0, frame if number is None else np.int32(number)
        if (inside & (labels[place] != 0) & (labels[place] != given)).any():
            raise InputError(f"{name} has segments that overlap: {_EXPORT} with one label per voxel.")
        np.copyto(labels[place], np.broadcast_to(np.asarray(given, np.int32), inside.shape), where=inside)
    normal = np.cross(orientation[0], orientation[1])
    lps_from_index = np.eye(4)
    lps_from_index[:3, :3] = np.stack([orientation[0] * spacing[1], orientation[1] * spacing[0], normal * step_mm], 1)
    lps_from_index[:3, 3] = positions[int(places.argmin())]
    return Volume(cast(NDArray[np.float32], labels), ras_from_lps(lps_from_index))


def _refuse_other_kinds(dataset: pydicom.Dataset, name: str) -> None:
    modality = words_of(dataset, "Modality")
    if modality != ["SEG"]:
        kind = {"RTSTRUCT": "contours (RTSTRUCT)", "CT": "a CT slice"}.get("".join(modality), "no segmentation (SEG)")
        raise InputError(f"{name} is a DICOM file with {kind}: give a SEG, NIfTI, NRRD or MHA file; {_EXPORT}.")
    kinds = words_of(dataset, "SegmentationType")
    if kinds not in (["BINARY"], ["LABELMAP"]):
        said = "fractional" if kinds == ["FRACTIONAL"] else quoted(" ".join(kinds))
        raise InputError(f"{name} is a {said} segmentation, not a binary one: {_EXPORT}.")


def _frames(
    dataset: pydicom.Dataset, name: str
) -> tuple[list[int | None], NDArray[np.float64], NDArray[np.float64], list[float]]:
    """Segment numbers (None where voxels tell them), positions (n, 3), orientation (2, 3), and four lengths in mm.

    These are: from row to row, from column to column, from slice to slice, and a slice's thickness; 0 where not told.
    """
    shared = _first(dataset, "SharedFunctionalGroupsSequence")
    is_label_map = words_of(dataset, "SegmentationType") == ["LABELMAP"]
    numbers: list[int | None] = []
    positions, orientations, spacings = [], [], []
    for group in value_of(dataset, "PerFrameFunctionalGroupsSequence") or []:
        position = numbers_of(_first(group, "PlanePositionSequence"), "ImagePositionPatient", 3)
        orientation, measures = (
            next((found for part in (group, shared) if len(found := _first(part, keyword))), pydicom.Dataset())
            for keyword in ("PlaneOrientationSequence", "PixelMeasuresSequence")
        )
        directions = numbers_of(orientation, "ImageOrientationPatient", 6)
        between = numbers_of(measures, "PixelSpacing", 2)
        number = whole_number_of(_first(group, "SegmentIdentificationSequence"), "ReferencedSegmentNumber", 0)
        if not position or not directions or not between or min(between) <= 0 or (number < 1 and not is_label_map):
            raise InputError(f"{name} has a frame without segment, position, orientation or pixel spacing: {_EXPORT}.")
        steps = [(numbers_of(measures, k, 1) or [0.0])[0] for k in ("SpacingBetweenSlices", "SliceThickness")]
        numbers.append(None if is_label_map else number)
        positions.append(position)
        orientations.append(directions)
        spacings.append([*between, *steps])
    if not positions:
        raise InputError(f"{name} has no frames with a place in the patient: {_EXPORT}.")
    directions_of_all = np.array(orientations).reshape(-1, 2, 3)
    first = directions_of_all[0]
    if not np.allclose(first @ first.T, np.eye(2), atol=1e-3) or not np.allclose(directions_of_all, first, atol=1e-3):
        raise InputError(f"{name} has frames of different or skew orientation: {_EXPORT}.")
    return numbers, np.array(positions), first, spacings[0]


def _first(dataset: pydicom.Dataset, keyword: str) -> pydicom.Dataset:
    """The first item of a sequence; an empty one where there is none."""
    items = value_of(dataset, keyword)
    return items[0] if isinstance(items, pydicom.sequence.Sequence) and len(items) else pydicom.Dataset()


def _frame_values(dataset: pydicom.Dataset, name: str, frames: int) -> NDArray[Any]:
    """Values (frames, rows, columns)."""
    if whole_number_of(dataset, "NumberOfFrames", 1) != frames:
        raise InputError(f"{name} does not tell the place of each of its frames: {_EXPORT}.")
    if whole_number_of(dataset, "BitsAllocated", 0) != 1:
        return stored_values({name: (dataset, pixel_layout(dataset, name))})[name]
    rows, columns = (whole_number_of(dataset, keyword, 0) for keyword in ("Rows", "Columns"))
    refuse_many_pixels((rows, columns), name)
    count = frames * rows * columns
    refuse_too_large(5 * count, name)
    data = value_of(dataset, "PixelData")
    if not isinstance(data, bytes) or len(data) < (count + 7) // 8:
        raise InputError(f"{name} is damaged, it ends before its last pixel: copy or export it anew.")
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count, bitorder="little")
    return bits.reshape(frames, rows, columns)


def _places(
    positions: NDArray[np.float64], orientation: NDArray[np.float64], spacing: list[float], name: str
) -> tuple[NDArray[np.intp], float]:
    """The slice of each frame, counted along the normal, and the distance of two slices in mm."""
    normal = np.cross(orientation[0], orientation[1])
    heights = (positions - positions[0]) @ normal
    sideways = positions - positions[0] - heights[:, None] * normal
    gaps = np.diff(np.unique(np.round(heights, 3)))
    smallest_mm = float(gaps.min()) if gaps.size else spacing[3]
    slices_between = smallest_mm / spacing[2] if spacing[2] > 0 else 0.0
    is_told = slices_between > 0.5 and abs(slices_between - round(slices_between)) <= _EVEN_TOLERANCE
    step_mm = spacing[2] if is_told else smallest_mm
    if np.abs(sideways).max() > _EVEN_TOLERANCE * min(spacing[:2]) or step_mm <= 0:
        raise InputError(f"{name} has frames that step sideways, or tells no distance between slices: {_EXPORT}.")
    places = (heights - heights.min()) / step_mm
    if np.abs(places - np.rint(places)).max() > _EVEN_TOLERANCE:
        raise InputError(f"{name} has frames at uneven distances: {_EXPORT}.")
    most = int(np.rint(places).max()) + 1
    if most < 2:
        raise InputError(f"{name} has one slice: a label map needs two or more.")
    return np.rint(places).astype(np.intp), step_mm
