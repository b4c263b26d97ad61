"""A patient as a protocol names one: a CT and its labels, or one of the two, the other made from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prostreg.evaluation.sources.data_files import DataFile, found_files, read_data_file
from prostreg.evaluation.sources.shape_ct import AIR_HU, ct_of_labels
from prostreg.images.anatomy import anatomy_by_threshold
from prostreg.images.pyramid import reduced_volume
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.volume import Volume
from prostreg.json_fields import JsonFields

BONE = 1
"""Label of all bone, where a protocol names no labels."""


@dataclass(frozen=True)
class PatientFiles:
    """The files of a patient, one at least.

    Attributes:
        ct: None where only the bones' shapes are known: then a CT is made of these.
        labels: None where nobody segmented the CT: then all of its bone has the label `BONE`.
        grid_mm: spacing to which a finer CT is brought, so that its cases take less time; None for its own.
    """

    ct: DataFile | None
    labels: DataFile | None
    grid_mm: float | None = None


def read_patient_files(fields: JsonFields) -> PatientFiles:
    """Reads "ct", "labels" and "grid_mm"; faults are noted, and the caller ends the fields."""
    ct, labels = (read_data_file(fields.inner(key)) if key in fields else None for key in ("ct", "labels"))
    if ct is None and labels is None:
        fields.faults.add(f'{fields.where} names neither "ct" nor "labels": give one of them, or both.')
    return PatientFiles(ct, labels, fields.number("grid_mm", 0.1, 10.0) if "grid_mm" in fields else None)


def open_patient(files: PatientFiles, folder: Path | None, protocol_name: str) -> tuple[Volume, Volume]:
    """CT in HU, and labels.

    Raises:
        InputError: a file is missing or another one than the protocol names.
    """
    named = [file for file in (files.ct, files.labels) if file is not None]
    paths = dict(zip(named, found_files(named, folder, protocol_name), strict=True))
    labels = None if files.labels is None else read_labels(paths[files.labels])
    if files.ct is not None:
        ct = _coarser(read_ct(paths[files.ct]), files.grid_mm)
        return ct, labels or ct.with_values(np.where(anatomy_by_threshold(ct), BONE, 0).astype(np.int32))
    if labels is None:
        raise AssertionError("a protocol without CT and labels was read")
    labels = _thinned(labels, files.grid_mm)
    return ct_of_labels(labels), labels


def _coarser(ct: Volume, grid_mm: float | None) -> Volume:
    if grid_mm is None:
        return ct
    reduced = reduced_volume(ct.with_values(ct.values - AIR_HU), grid_mm)  # blocks at the border are filled with air
    return reduced.with_values(reduced.values + AIR_HU)


def _thinned(labels: Volume, grid_mm: float | None) -> Volume:
    """Labels of fewer voxels: they cannot be averaged."""
    if grid_mm is None:
        return labels
    i, j, k = (max(1, round(grid_mm / float(mm))) for mm in labels.spacing_mm)
    return Volume(np.ascontiguousarray(labels.values[::k, ::j, ::i]), labels.volume_from_index @ np.diag([i, j, k, 1]))
