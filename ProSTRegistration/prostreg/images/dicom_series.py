"""A CT from a folder of DICOM slices, with the geometry taken from every slice's own tags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from prostreg.geometry.frames import ras_from_lps
from prostreg.images.dicom_pixels import PixelLayout, pixel_layout, stored_values
from prostreg.images.dicom_tags import numbers_of, read_dataset, read_header, value_of, whole_number_of, words_of
from prostreg.images.grid_resampling import resampled
from prostreg.images.library_messages import quiet_libraries
from prostreg.images.volume import Volume
from prostreg.machine import refuse_too_large

EVEN_SPACING_TOLERANCE = 0.05
"""How far a slice may lie from its evenly spaced place, as a fraction of the spacing."""

TILT_TOLERANCE = 2e-3
"""Sideways step between slices, as a fraction of the spacing, that still counts as upright."""

PADDING_HU = -1024.0

_TAGS = [
    "SeriesInstanceUID",
    "SeriesDescription",
    "Modality",
    "ImageType",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
]


@dataclass(frozen=True, eq=False)
class _Slice:
    path: Path
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]  # (2, 3): along a row (i), along a column (j), LPS
    spacing_mm: tuple[float, float]  # along i, along j
    size: tuple[int, int]


def read_dicom_series(folder: Path) -> Volume:
    """Reads the one CT series in a folder and its subfolders.

    Localizers, single images and files that are not DICOM are passed over. Slices are put in order along their
    normal. Slices that step sideways evenly (tilted gantry) are resampled linearly in their
    planes onto an upright grid, padded with -1024 HU.

    Raises:
        InputError: no or several series, or slices that form no regular grid; lists every fault.
    """
    with quiet_libraries():
        series = _series_in(folder)
    stacks = {uid: headers for uid, headers in series.items() if _is_stack(headers)}
    series = stacks or series
    if not series:
        raise InputError(f"The CT folder {folder} contains no DICOM slices of a CT: give the folder that holds them.")
    if len(series) > 1:
        listed = "; ".join(f'"{_description(headers)}", {len(headers)} slices' for headers in series.values())
        raise InputError(
            f"The CT folder {folder.name} contains {len(series)} series ({listed}): "
            "keep one series in the folder, or export the one you mean as NRRD or NIfTI."
        )
    slices = _slices(next(iter(series.values())), folder)
    slices, step = _in_order(slices, folder)
    return _upright(_hu(slices, folder), slices[0], step)


def _series_in(folder: Path) -> dict[str, list[tuple[Path, pydicom.Dataset]]]:
    """Headers by series; only images with a place in the patient, no localizers."""
    series: dict[str, list[tuple[Path, pydicom.Dataset]]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        header = read_header(path, _TAGS)
        if header is None or value_of(header, "Rows") is None or words_of(header, "Modality") not in (["CT"], []):
            continue
        if "LOCALIZER" not in words_of(header, "ImageType"):
            series.setdefault(str(value_of(header, "SeriesInstanceUID")), []).append((path, header))
    return series


def _slices(headers: list[tuple[Path, pydicom.Dataset]], folder: Path) -> list[_Slice]:
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
        return (
            f"{path.name} is a multi-frame (enhanced) CT, which is not read from DICOM: "
            "load it in Slicer and save it as NRRD or NIfTI."
        )
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
    return _Slice(path, np.array(position), np.array(orientation).reshape(2, 3), (along_i, along_j), size)


def _in_order(slices: list[_Slice], folder: Path) -> tuple[list[_Slice], NDArray[np.float64]]:
    """Slices sorted along their normal, and the mean step (3,) from one to the next, LPS mm."""
    name = f"The CT series in {folder.name}"
    if len(slices) < 2:
        raise InputError(f"{name} has one slice: a volume needs two or more.")
    first = slices[0]
    faults = FaultList()
    if min(first.spacing_mm) <= 0:
        faults.add(f"{name} has the pixel spacing {first.spacing_mm} mm: it must be positive.")
    if not np.allclose(first.orientation @ first.orientation.T, np.eye(2), atol=1e-3):
        faults.add(f"{name} has row and column directions that are not at right angles: it cannot be used.")
    if any(s.size != first.size for s in slices):
        faults.add(f"{name} has slices of different sizes: keep the slices of one scan in the folder.")
    if any(not np.allclose(s.orientation, first.orientation, atol=1e-3) for s in slices):
        faults.add(f"{name} has slices of different orientation: keep the slices of one scan in the folder.")
    if any(not np.allclose(s.spacing_mm, first.spacing_mm, rtol=1e-3) for s in slices):
        faults.add(f"{name} has slices of different pixel spacing: keep the slices of one scan in the folder.")
    faults.raise_if_any()
    normal = np.cross(first.orientation[0], first.orientation[1])
    ordered = sorted(slices, key=lambda s: float(s.position @ normal))
    positions = np.array([s.position for s in ordered])
    faults.extend(_spacing_faults(positions, normal, name))
    faults.raise_if_any()
    return ordered, np.asarray((positions[-1] - positions[0]) / (len(ordered) - 1))


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


def _hu(slices: list[_Slice], folder: Path) -> NDArray[np.float32]:
    """Stored values times slope plus intercept, (slices, rows, columns)."""
    columns, rows = slices[0].size
    refuse_too_large(4 * len(slices) * rows * columns, f"The CT series in {folder.name}")
    values = np.empty((len(slices), rows, columns), dtype=np.float32)
    compressed = {}
    for number, one in enumerate(slices):
        name = f"{one.path.name} in the CT folder {folder.name}"
        dataset, layout, rescale = _image(one, name)
        if layout.is_compressed:
            compressed[name] = (dataset, layout), number, rescale
        else:
            values[number] = _rescaled(stored_values({name: (dataset, layout)})[name], rescale)
    if compressed:
        decoded = stored_values({name: image for name, (image, _, _) in compressed.items()})
        for name, (_, number, rescale) in compressed.items():
            values[number] = _rescaled(decoded[name], rescale)
    return values


def _image(one: _Slice, name: str) -> tuple[pydicom.Dataset, PixelLayout, tuple[float, float]]:
    """A slice with its pixels, their layout, and slope and intercept."""
    with quiet_libraries():
        dataset = read_dataset(one.path)
        if dataset is None:
            raise InputError(f"{name} is no longer readable: copy or export it anew.")
        layout = pixel_layout(dataset, name)
        if layout.shape != (1, one.size[1], one.size[0]):
            raise InputError(f"{name} has another size than its header says: copy or export it anew.")
        if value_of(dataset, "ModalityLUTSequence") is not None:
            raise InputError(f"{name} has a modality lookup table in place of slope and intercept: export it in HU.")
        slope, intercept = (
            numbers_of(dataset, keyword, 1) if value_of(dataset, keyword) is not None else [usual]
            for keyword, usual in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))
        )
    if not slope or not intercept or slope[0] == 0:
        raise InputError(f"{name} has a RescaleSlope or RescaleIntercept that cannot be used: export it anew.")
    return dataset, layout, (slope[0], intercept[0])


def _rescaled(stored: NDArray[Any], rescale: tuple[float, float]) -> NDArray[np.float32]:
    return np.asarray(stored[0], dtype=np.float32) * np.float32(rescale[0]) + np.float32(rescale[1])


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


def _is_stack(headers: list[tuple[Path, pydicom.Dataset]]) -> bool:
    """Two images or more with a place in the patient: no scout, dose report or screen shot."""
    return sum(bool(numbers_of(header, "ImagePositionPatient", 3)) for _, header in headers) >= 2


def _description(headers: list[tuple[Path, pydicom.Dataset]]) -> str:
    return str(value_of(headers[0][1], "SeriesDescription") or "no description")
