"""HU of DICOM slices: stored values, slope and intercept, and turned over where the slices say so and it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.ct_units import is_turned_over
from prostreg.images.dicom.padding import padded, padding_value
from prostreg.images.dicom.pixels import PixelLayout, pixel_layout, stored_values
from prostreg.images.dicom_tags import numbers_of, read_dataset, value_of, words_of
from prostreg.images.library_messages import quiet_libraries
from prostreg.machine import refuse_too_large

PADDING_HU = -1024.0
"""Of what surrounds the picture, where a file gives it a value of something dense."""

_RESCALE, _USUAL = ("RescaleSlope", "RescaleIntercept"), (1.0, 0.0)

TURNED_OVER = (
    "The slices of the CT in {folder} are MONOCHROME1 and were denser around the patient than inside: they were turned"
    " over, and air is now at {air:.0f} HU. Check the CT, or export it anew."
)


@dataclass(frozen=True)
class _Rescale:
    """The line from stored values to HU, and from there to those of a slice turned over: ``mirror`` minus HU."""

    slope: float
    intercept: float
    mirror: float
    is_inverted: bool
    told: tuple[bool, bool]


def hu_of_slices(paths: Sequence[Path], size: tuple[int, int], folder: str) -> tuple[NDArray[np.float32], str | None]:
    """HU (slices, rows, columns) in the order of the paths, and what has to be said of them.

    The photometric interpretation tells only how slices are shown, so HU are slope and intercept of what is stored.
    Some programs have turned the values over with it: that shows, since nothing around a patient is denser than bone.

    Args:
        size: (columns, rows) of every slice.

    Raises:
        InputError: a slice that cannot be read or decoded, of another size, or without usable slope and intercept.
    """
    columns, rows = size
    refuse_too_large(4 * len(paths) * rows * columns, f"The CT series in {folder}")
    values = np.empty((len(paths), rows, columns), dtype=np.float32)
    rescales, compressed = [], {}
    for number, path in enumerate(paths):
        name = f"{path.name} in the CT folder {folder}"
        dataset, layout, rescale = _slice(path, size, name)
        rescales.append(rescale)
        if layout.is_compressed:
            compressed[name] = dataset, layout, number
        else:
            values[number] = _hu(stored_values({name: (dataset, layout)})[name][0], dataset, rescale)
    if compressed:
        decoded = stored_values({name: (dataset, layout) for name, (dataset, layout, _) in compressed.items()})
        for name, (dataset, _, number) in compressed.items():
            values[number] = _hu(decoded[name][0], dataset, rescales[number])
    _refuse_told_of_some(paths, rescales, folder)
    if not all(rescale.is_inverted for rescale in rescales) or not is_turned_over(values):
        return values, None
    mirrors = np.array([rescale.mirror for rescale in rescales], dtype=np.float32)
    np.subtract(mirrors[:, None, None], values, out=values)
    return values, TURNED_OVER.format(folder=folder, air=float(np.median(values[:, 0])))


def _slice(path: Path, size: tuple[int, int], name: str) -> tuple[pydicom.Dataset, PixelLayout, _Rescale]:
    with quiet_libraries():
        dataset = read_dataset(path)
        if dataset is None:
            raise InputError(f"{name} is no longer readable: copy or export it anew.")
        layout = pixel_layout(dataset, name)
        if layout.shape != (1, size[1], size[0]):
            raise InputError(f"{name} has another size than its header says: copy or export it anew.")
        return dataset, layout, _rescale(dataset, layout, name)


def _rescale(dataset: pydicom.Dataset, layout: PixelLayout, name: str) -> _Rescale:
    if value_of(dataset, "ModalityLUTSequence") is not None:
        raise InputError(f"{name} has a modality lookup table in place of slope and intercept: export it in HU.")
    told = value_of(dataset, "RescaleSlope") is not None, value_of(dataset, "RescaleIntercept") is not None
    slope, intercept = (
        numbers_of(dataset, keyword, 1) if is_told else [usual]
        for is_told, keyword, usual in zip(told, _RESCALE, _USUAL, strict=True)
    )
    if not slope or not intercept or slope[0] == 0:
        raise InputError(f"{name} has a RescaleSlope or RescaleIntercept that cannot be used: export it anew.")
    lowest_and_highest = -1.0 if layout.is_signed else 2.0 ** layout.bits[1] - 1.0
    is_inverted = words_of(dataset, "PhotometricInterpretation") == ["MONOCHROME1"]
    return _Rescale(slope[0], intercept[0], slope[0] * lowest_and_highest + 2 * intercept[0], is_inverted, told)


def _hu(stored: NDArray[Any], dataset: pydicom.Dataset, rescale: _Rescale) -> NDArray[np.float32]:
    """HU (rows, columns) of a slice, with padding that would be denser than air made air."""
    hu = np.asarray(stored, dtype=np.float32) * np.float32(rescale.slope) + np.float32(rescale.intercept)
    value = padding_value(dataset)
    if value is not None and value * rescale.slope + rescale.intercept > PADDING_HU:
        padding = padded(stored, dataset)
        if padding is not None:
            hu[padding] = PADDING_HU
    return hu


def _refuse_told_of_some(paths: Sequence[Path], rescales: Sequence[_Rescale], folder: str) -> None:
    """Refuses slices of which only some tell slope and intercept: the others would be a thousand HU beside them."""
    for place, keyword in enumerate(_RESCALE):
        untold = [path.name for path, rescale in zip(paths, rescales, strict=True) if not rescale.told[place]]
        others = {(rescale.slope, rescale.intercept)[place] for rescale in rescales if rescale.told[place]}
        if untold and others - {_USUAL[place]}:
            raise InputError(
                f"{untold[0]} in the CT folder {folder} has no {keyword}, which {len(paths) - len(untold)} of"
                f" {len(paths)} slices have: export the series again."
            )
