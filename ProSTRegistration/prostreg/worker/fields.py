"""Reads the fields and arrays of a request; every fault of a request is found at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.choices import POLARITIES, PolarityChoice
from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_values import read_carm
from prostreg.geometry.frames import MOST_SHIFT_MM, Matrix, rigid_faults
from prostreg.json_fields import JsonFields
from prostreg.worker.protocol import Message

_MATRIX = "give 4 rows of 4 numbers"


class Fields(JsonFields):
    """The fields and arrays of one request; end with ``raise_if_any``."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.header, "The request")
        self._arrays = message.arrays

    def raise_if_any(self) -> None:
        """Raises InputError with all faults noted so far."""
        self.faults.raise_if_any()

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if key in self else None

    def ids(self, key: str) -> list[str]:
        """A list of one or more ids of what was loaded."""

        def fits(value: Any) -> bool:
            return isinstance(value, list) and bool(value) and all(isinstance(entry, str) for entry in value)

        return self.checked(key, fits, "give a list of one or more ids, as loading answered them", [])

    def rigid(self, key: str) -> Matrix:
        """A rigid (4, 4) matrix."""
        return np.array(self.judged(key, rigid_faults, _MATRIX, np.eye(4)), dtype=np.float64)

    def optional_rigid(self, key: str) -> Matrix | None:
        """A rigid (4, 4) matrix, or None where the field is missing or null."""
        return self.rigid(key) if key in self else None

    def affine(self, key: str) -> Matrix:
        """An invertible (4, 4) index-to-mm matrix, whose voxels may be oblique but not skewed."""
        return _affine(self, key)

    def label_maps(self) -> list[tuple[Matrix, tuple[int, ...] | None]]:
        """Place and chosen values of every entry of ``labels``; None for all values but 0."""
        return [
            (_affine(entry, "volume_from_index"), entry.wholes("values") if "values" in entry else None)
            for entry in self.inners("labels", ())
        ]

    def array(self, key: str, dimensions: int) -> NDArray[Any]:
        """An array with that many dimensions, none of them empty."""
        array = self._arrays.get(key)
        if array is None or array.ndim != dimensions or array.size == 0:
            found = "is missing" if array is None else f"has shape {array.shape}"
            self.faults.add(f"The array {key} {found}; it must have {dimensions} dimensions.")
            return np.zeros((1,) * dimensions, dtype=np.float32)
        return array

    def optional_array(self, key: str, dimensions: int) -> NDArray[Any] | None:
        return self.array(key, dimensions) if key in self._arrays else None

    def views(self) -> list[tuple[CArm, PolarityChoice]]:
        """The C-arm and polarity of every entry of ``views``; the caller compares their sizes with the pixels."""
        views = []
        entries: list[Any] = self.checked("views", _is_filled_list, "give a list of at least one object", [])
        for number, entry in enumerate(entries, start=1):
            view = JsonFields(entry, f"View {number}", self.faults)
            polarity = view.choice("polarity", POLARITIES, "auto")
            view.checked("camera_from_world", _is_filled_list, _MATRIX, [])
            carm = read_carm(view, f"{view.where}: ")
            views += [] if carm is None else [(carm, polarity)]
        return views


def _is_filled_list(value: object) -> bool:
    return isinstance(value, list) and bool(value)


def _affine(fields: JsonFields, key: str) -> Matrix:
    return np.array(fields.judged(key, _affine_faults, _MATRIX, np.eye(4)), dtype=np.float64)


def _affine_faults(given: Any, name: str) -> list[str]:
    try:
        value = np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        value = np.zeros(0)
    if value.shape != (4, 4) or not np.isfinite(value).all():
        return [f"{name} must be 4 rows of 4 finite numbers."]
    if np.abs(value).max() > MOST_SHIFT_MM:
        return [f"{name} holds {np.abs(value).max():.3g}: give millimetres, {MOST_SHIFT_MM:g} at most."]
    spacing = np.linalg.norm(value[:3, :3], axis=0)
    if (spacing < 1e-6).any():
        return [f"{name} has a voxel spacing of zero: check the volume's geometry."]
    if not np.array_equal(value[3], [0, 0, 0, 1]):
        return [f"{name} has the last row {value[3].tolist()}: it must be 0 0 0 1."]
    axes = value[:3, :3] / spacing
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
        return [f"{name} has axes that are not at right angles: resample the volume first."]
    return []
