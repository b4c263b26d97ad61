"""Patients made of a patient: mirrored, of other proportions, or completed from one half; real ones are few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.images.volume import Volume
from prostreg.json_fields import JsonFields
from prostreg.registration.case import Case

PROPORTIONS = (0.5, 2.0)


@dataclass(frozen=True)
class Variant:
    """The steps that make another patient, in their order.

    Attributes:
        completed_at: where the columns of the CT that follow this one are replaced by those before it, mirrored: a
            hemipelvis with its sacrum becomes a pelvis. None leaves them.
        is_mirrored: columns in reverse order, left and right exchanged.
        proportions: what the spacing along (i, j, k) is multiplied with.
    """

    completed_at: int | None = None
    is_mirrored: bool = False
    proportions: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def of(self, patient: Case) -> Case:
        """The patient as this variant has it; the same one where it changes nothing."""
        if self == Variant():
            return patient
        values: NDArray[np.float32] = self._columns(patient.ct.values)
        anatomy: NDArray[np.bool_] = self._columns(patient.anatomy)
        volume_from_index = patient.ct.volume_from_index @ np.diag([*self.proportions, 1.0])
        return Case(patient.name, Volume(values, volume_from_index), anatomy)

    def _columns(self, grid: NDArray[Any]) -> NDArray[Any]:
        if self.completed_at is not None:
            half = grid[:, :, : self.completed_at]
            grid = np.concatenate([half, half[:, :, ::-1]], axis=2)
        return np.ascontiguousarray(grid[:, :, ::-1] if self.is_mirrored else grid)


def read_variant(fields: JsonFields) -> Variant:
    """Reads "completed_at", "mirrored" and "proportions" of a patient's entry; all may be missing."""
    mirrored = fields.flag("mirrored", False)
    i, j, k = fields.numbers("proportions", 3, (1.0, 1.0, 1.0))
    if not all(PROPORTIONS[0] <= factor <= PROPORTIONS[1] for factor in (i, j, k)):
        fields.faults.add(
            f'"proportions" are {[i, j, k]}: give three factors from {PROPORTIONS[0]} to {PROPORTIONS[1]}.'
        )
    completed_at = fields.whole("completed_at", 1, 100000) if "completed_at" in fields else None
    return Variant(completed_at, mirrored, (i, j, k))
