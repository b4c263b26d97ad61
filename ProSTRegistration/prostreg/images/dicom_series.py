"""A CT from a folder of DICOM slices, with the geometry taken from every slice's own tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from prostreg.geometry.frames import ras_from_lps
from prostreg.images.dicom.folder_series import (
    Series,
    files_in,
    images_by_series,
    kinds_in,
    listed_series,
    modality_of,
    unread_files,
)
from prostreg.images.dicom.hu import PADDING_HU, hu_of_slices
from prostreg.images.dicom.one_scan import ONE_SCAN_TAGS, mixture_faults, mixture_note
from prostreg.images.dicom_tags import numbers_of, whole_number_of
from prostreg.images.formats.grid_geometry import FARTHEST_MM, SPACING_RANGE_MM, unequal_spacing_faults
from prostreg.images.grid_resampling import resampled
from prostreg.images.library_messages import quiet_libraries
from prostreg.images.volume import Volume

EVEN_SPACING_TOLERANCE = 0.05
"""How far a slice may lie from its evenly spaced place, as a fraction of the spacing."""

TILT_TOLERANCE = 2e-3
"""Sideways step between slices, as a fraction of the spacing, that still counts as upright."""

CONE_BEAM_MODALITIES = ("XA", "OT", "RF", "PX", "DX")
"""Modalities under which C-arms and dental devices store the slices of their cone-beam CTs."""

_CT_MODALITIES = ("CT", "")
_ODD_MODALITY = (
    "The slices in {folder} are stored as {modality} and not as CT, as those of some cone-beam CTs are: their values"
    " may be off HU."
)
_UNREAD = "{names} in the CT folder {folder} cannot be read as DICOM: slices may be missing at an end."
EXPORT = "load it in Slicer and save it as NRRD or NIfTI"

_TAGS = ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SamplesPerPixel", *ONE_SCAN_TAGS]


@dataclass(frozen=True, eq=False)
class _Slice:
    path: Path
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]  # (2, 3): along a row (i), along a column (j), LPS
    spacing_mm: tuple[float, float]  # along i, along j
    size: tuple[int, int]
    header: pydicom.Dataset


def read_dicom_series(folder: Path) -> Volume:
    """Reads the one CT series in a folder and its subfolders.

    Localizers, other kinds of images, single images and files that are not DICOM are passed over. Slices are put in
    order along their normal. Slices that step sideways evenly (tilted gantry) are resampled linearly in their planes
    onto an upright grid, padded with -1024 HU.

    Raises:
        InputError: no or several series, or slices that form no regular grid; lists every fault.
    """
    with quiet_libraries():  # tags are parsed where they are asked for
        files = _files_of(folder)
        modality, headers = _one_series(folder, files)
        slices, step = _in_order(_slices(headers, folder), folder)
        unread = unread_files(files, {path for path, _ in headers})
    values, note = hu_of_slices([one.path for one in slices], slices[0].size, folder.name)
    odd = None if modality in _CT_MODALITIES else _ODD_MODALITY.format(folder=folder.name, modality=modality)
    mixed = mixture_note([one.header for one in slices], f"The CT series in {folder.name}")
    lacking = unread and _UNREAD.format(names=unread, folder=folder.name)
    note = " ".join(said for said in (odd, note, mixed, lacking) if said) or None
    return replace(_upright(values, slices[0], step), note=note)


def series_files(folder: Path) -> list[Path]:
    """The files of the one CT series in a folder and its subfolders.

    Raises:
        InputError: no or several series.
    """
    with quiet_libraries():
        return [path for path, _ in _one_series(folder, _files_of(folder))[1]]


def _one_series(folder: Path, files: Sequence[Path]) -> tuple[str, Series]:
    """The modality and the headers of the one series of a folder's files that is a CT."""
    found = images_by_series(files, _TAGS)
    cts = {uid: headers for uid, headers in found.items() if modality_of(headers) in _CT_MODALITIES}
    stored_otherwise = {uid: headers for uid, headers in found.items() if modality_of(headers) in CONE_BEAM_MODALITIES}
    series = _stacks(cts) or cts or _stacks(stored_otherwise)
    if not series:
        raise InputError(_no_ct(found, folder))
    if len(series) > 1:
        raise InputError(
            f"The CT folder {folder.name} contains {len(series)} series ({listed_series(series, 'slices')}): "
            "keep one series in the folder, or export the one you mean as NRRD or NIfTI."
        )
    headers = next(iter(series.values()))
    return modality_of(headers), headers


def _files_of(folder: Path) -> list[Path]:
    return files_in(folder, f"The CT folder {folder}", "scan")


def _slices(headers: Series, folder: Path) -> list[_Slice]:
    faults = FaultList()
    slices = []
    for path, header in headers:
        fault = _kind_fault(path, header)
        made = None if fault else _slice(path, header)
        if made is None:
            faults.add(fault or f"{path.name} in {folder.name} lacks a usable position, orientation or pixel spacing.")
        else:
            slices.append(made)
    faults.raise_if_any()
    return slices


def _kind_fault(path: Path, header: pydicom.Dataset) -> str:
    if whole_number_of(header, "NumberOfFrames", 1) > 1:
        return f"{path.name} is a multi-frame (enhanced) CT, which is not read from DICOM: {EXPORT}."
    if whole_number_of(header, "SamplesPerPixel", 1) != 1:
        return f"{path.name} is a colour image, not a CT slice: remove it from the folder."
    return ""


def _slice(path: Path, header: pydicom.Dataset) -> _Slice | None:
    """One slice's geometry, None where its tags do not give it."""
    position = numbers_of(header, "ImagePositionPatient", 3)
    orientation = numbers_of(header, "ImageOrientationPatient", 6)
    spacing = numbers_of(header, "PixelSpacing", 2)
    size = whole_number_of(header, "Columns", 0), whole_number_of(header, "Rows", 0)
    if not position or not orientation or not spacing or min(size) < 1:
        return None
    along_j, along_i = spacing  # DICOM gives the distance between rows first
    return _Slice(path, np.array(position), np.array(orientation).reshape(2, 3), (along_i, along_j), size, header)


def _in_order(slices: list[_Slice], folder: Path) -> tuple[list[_Slice], NDArray[np.float64]]:
    """Slices sorted along their normal, and the mean step (3,) from one to the next, LPS mm."""
    name = f"The CT series in {folder.name}"
    if len(slices) < 2:
        raise InputError(f"{name} has one slice: a volume needs two or more.")
    first = slices[0]
    faults = FaultList()
    low, high = SPACING_RANGE_MM
    if not all(low <= spacing <= high for spacing in first.spacing_mm):
        shown = " x ".join(f"{spacing:g}" for spacing in first.spacing_mm)
        faults.add(f"{name} has the pixel spacing {shown} mm: from {low:g} to {high:g} mm are needed. Export it anew.")
    if max(float(np.abs(s.position).max()) for s in slices) > FARTHEST_MM:
        faults.add(f"{name} has a slice that lies farther away than {FARTHEST_MM:g} mm: export it anew.")
    if not np.allclose(first.orientation @ first.orientation.T, np.eye(2), atol=1e-3):
        faults.add(f"{name} has row and column directions that are not at right angles: it cannot be used.")
    if any(s.size != first.size for s in slices):
        faults.add(f"{name} has slices of different sizes: keep the slices of one scan in the folder.")
    if any(not np.allclose(s.orientation, first.orientation, atol=1e-3) for s in slices):
        faults.add(f"{name} has slices of different orientation: keep the slices of one scan in the folder.")
    if any(not np.allclose(s.spacing_mm, first.spacing_mm, rtol=1e-3) for s in slices):
        faults.add(f"{name} has slices of different pixel spacing: keep the slices of one scan in the folder.")
    normal = np.cross(first.orientation[0], first.orientation[1])
    ordered = sorted(slices, key=lambda s: float(s.position @ normal))
    faults.extend(mixture_faults([s.header for s in ordered], name))
    faults.raise_if_any()
    positions = np.array([s.position for s in ordered])
    faults.extend(_spacing_faults(positions, normal, name))
    faults.raise_if_any()
    step = np.asarray((positions[-1] - positions[0]) / (len(ordered) - 1))
    faults.extend(_distance_faults(first.spacing_mm, float(step @ normal), name))
    faults.raise_if_any()
    return ordered, step


def _distance_faults(spacing_mm: tuple[float, float], step_mm: float, name: str) -> list[str]:
    """Says that slices lie too far apart, or in another unit than their pixels."""
    if step_mm > SPACING_RANGE_MM[1]:
        return [f"{name} has slices that lie {step_mm:g} mm apart, which no CT has: export it anew."]
    return unequal_spacing_faults(name, (*spacing_mm, step_mm))


def _spacing_faults(positions: NDArray[np.float64], normal: NDArray[np.float64], name: str) -> list[str]:
    heights = positions @ normal
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    if gaps.min() < 1e-3:
        return [
            f"{name} has several slices at the same place ({heights[int(gaps.argmin())]:.2f} mm along the normal), "
            "as of several phases or reconstructions: keep one of them in the folder."
        ]
    even = positions[0] + np.linspace(0, 1, len(positions))[:, None] * (positions[-1] - positions[0])
    if np.linalg.norm(positions - even, axis=1).max() <= EVEN_SPACING_TOLERANCE * usual:
        return []
    worst = int(np.abs(gaps - usual).argmax())
    return [
        f"{name} is not evenly spaced: most slices are {usual:.3f} mm apart, but {gaps[worst]:.3f} mm lie between "
        f"those at {heights[worst]:.2f} and {heights[worst + 1]:.2f} mm along the normal. "
        "A slice may be missing: export the series again, or resample it to even spacing."
    ]


def _upright(values: NDArray[np.float32], first: _Slice, step: NDArray[np.float64]) -> Volume:
    """The stack on a grid with right angles; resampled only where slices step sideways."""
    normal = np.cross(first.orientation[0], first.orientation[1])
    spacing_k = float(step @ normal)
    lps_from_index = np.eye(4)
    lps_from_index[:3, 0] = first.orientation[0] * first.spacing_mm[0]
    lps_from_index[:3, 1] = first.orientation[1] * first.spacing_mm[1]
    lps_from_index[:3, 2] = normal * spacing_k
    lps_from_index[:3, 3] = first.position
    sideways_mm = first.orientation @ step
    if np.abs(sideways_mm).max() <= TILT_TOLERANCE * spacing_k:
        return Volume(values, ras_from_lps(lps_from_index))
    return _sheared_back(values, lps_from_index, sideways_mm / np.array(first.spacing_mm))


def _sheared_back(
    values: NDArray[np.float32], lps_from_index: NDArray[np.float64], voxels_per_slice: NDArray[np.float64]
) -> Volume:
    """Moves every slice to its true place: slice k lies ``k * voxels_per_slice`` (i, j) beside slice 0."""
    slices, rows, columns = values.shape
    shift = voxels_per_slice * (slices - 1)
    low = np.floor(np.minimum(shift, 0.0))
    high = np.ceil(np.maximum(shift, 0.0))
    size = (columns + int(high[0] - low[0]), rows + int(high[1] - low[1]), slices)
    stack_from_upright = np.eye(4)
    stack_from_upright[:2, 2] = -voxels_per_slice
    stack_from_upright[:2, 3] = low
    upright_from_first = lps_from_index.copy()
    upright_from_first[:3, 3] += lps_from_index[:3, :2] @ low
    padding = min(PADDING_HU, float(values.min()))
    moved = resampled(values, size, stack_from_upright, "linear", padding)
    return Volume(np.asarray(moved, dtype=np.float32), ras_from_lps(upright_from_first))


def _stacks(series: dict[str, Series]) -> dict[str, Series]:
    return {uid: headers for uid, headers in series.items() if _is_stack(headers)}


def _no_ct(found: dict[str, Series], folder: Path) -> str:
    """Says what lies in a folder without a CT."""
    said = kinds_in(found)
    only = f", only other images ({said})" if said else ""
    advice = f"give the folder that holds them; if a volume is stored in frames, {EXPORT}"
    return f"The CT folder {folder} contains no DICOM slices of a CT{only}: {advice}."


def _is_stack(headers: Series) -> bool:
    """Two images or more with a place in the patient: no scout, dose report or screen shot."""
    return sum(bool(numbers_of(header, "ImagePositionPatient", 3)) for _, header in headers) >= 2
