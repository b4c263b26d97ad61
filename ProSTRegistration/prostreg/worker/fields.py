"""Reads the fields of a request; every fault of a request is found at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix, rigid_faults
from prostreg.worker.protocol import Message

PolarityChoice = Literal["auto", "bone-dark", "bone-bright"]


class Fields:
    """The fields of one request. Each reader notes its fault and returns a stand-in; end with ``raise_if_any``."""

    def __init__(self, message: Message) -> None:
        self._header = message.header
        self._arrays = message.arrays
        self._faults = FaultList()

    def raise_if_any(self) -> None:
        """Raises InputError with all faults noted so far."""
        self._faults.raise_if_any()

    def add(self, fault: str) -> None:
        """Notes a fault that the caller found."""
        self._faults.add(fault)

    def text(self, name: str, default: str) -> str:
        value = self._header.get(name, default)
        if not isinstance(value, str):
            self._faults.add(f"The field {name} of the request must be text.")
            return default
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self._header.get(name) is None else self.text(name, "")

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        value = self._header.get(name, default)
        if value not in choices:
            self._faults.add(f"The field {name} is {value!r}; choose one of {', '.join(choices)}.")
            return default
        return str(value)

    def ids(self, name: str) -> list[str]:
        """A list of one or more ids of what was loaded."""
        value = self._header.get(name)
        if not isinstance(value, list) or not value or not all(isinstance(entry, str) for entry in value):
            self._faults.add(f"The field {name} must be a list of one or more ids, as loading answered them.")
            return []
        return value

    def count(self, name: str, default: int, lowest: int, highest: int) -> int:
        """A whole number between two limits, both allowed."""
        value = self._header.get(name, default)
        if type(value) is not int or not lowest <= value <= highest:
            self._faults.add(f"The field {name} is {value!r}; it must be a whole number from {lowest} to {highest}.")
            return default
        return value

    def number(self, name: str) -> float | None:
        value = self._header.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            self._faults.add(f"The field {name} is {value!r}; it must be a number.")
            return None
        return float(value)

    def number_within(self, name: str, default: float, lowest: float, highest: float) -> float:
        """A number between two limits, both allowed."""
        value = self.number(name)
        if value is not None and not lowest <= value <= highest:
            self._faults.add(f"The field {name} is {value:g}; it must be a number from {lowest:g} to {highest:g}.")
        return default if value is None else value

    def settings(self, name: str) -> dict[str, Any]:
        value = self._header.get(name, {})
        if not isinstance(value, dict):
            self._faults.add(f"The field {name} of the request must be an object.")
            return {}
        return value

    def rigid(self, name: str) -> Matrix:
        """A rigid (4, 4) matrix."""
        faults = rigid_faults(self._header.get(name, ()), name)
        self._faults.extend(faults)
        return np.eye(4) if faults else np.array(self._header[name], dtype=np.float64)

    def optional_rigid(self, name: str) -> Matrix | None:
        """A rigid (4, 4) matrix, or None where the field is missing or null."""
        return None if self._header.get(name) is None else self.rigid(name)

    def affine(self, name: str) -> Matrix:
        """An invertible (4, 4) index-to-mm matrix, whose voxels may be oblique but not skewed."""
        return self._checked_affine(self._header.get(name), f"The field {name}")

    def label_maps(self) -> list[tuple[Matrix, list[int] | None]]:
        """Place and chosen values of every entry of ``labels``; None for all values but 0."""
        entries = self._header.get("labels", [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self._faults.add("The field labels must be a list of objects.")
            return []
        found: list[tuple[Matrix, list[int] | None]] = []
        for number, entry in enumerate(entries, start=1):
            values = entry.get("values")
            if values is not None and not (isinstance(values, list) and all(type(v) is int for v in values)):
                self._faults.add(f"Label map {number}: values must be a list of whole numbers, or null for all.")
                values = None
            place = self._checked_affine(entry.get("volume_from_index"), f"Label map {number}: volume_from_index")
            found.append((place, values))
        return found

    def _checked_affine(self, given: Any, name: str) -> Matrix:
        try:
            value = np.array(given, dtype=np.float64)
        except (TypeError, ValueError):
            value = np.zeros(0)
        if value.shape != (4, 4) or not np.isfinite(value).all():
            self._faults.add(f"{name} must be 4 rows of 4 finite numbers.")
            return np.eye(4)
        spacing = np.linalg.norm(value[:3, :3], axis=0)
        if (spacing < 1e-6).any():
            self._faults.add(f"{name} has a voxel spacing of zero: check the volume's geometry.")
            return np.eye(4)
        axes = value[:3, :3] / spacing
        if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
            self._faults.add(f"{name} has axes that are not at right angles: resample the volume first.")
        return value

    def array(self, name: str, dimensions: int) -> NDArray[Any]:
        """An array with that many dimensions, none of them empty."""
        array = self._arrays.get(name)
        if array is None or array.ndim != dimensions or array.size == 0:
            found = "is missing" if array is None else f"has shape {array.shape}"
            self._faults.add(f"The array {name} {found}; it must have {dimensions} dimensions.")
            return np.zeros((1,) * dimensions, dtype=np.float32)
        return array

    def optional_array(self, name: str, dimensions: int) -> NDArray[Any] | None:
        return self.array(name, dimensions) if name in self._arrays else None

    def views(self) -> Sequence[tuple[CArm, PolarityChoice]]:
        """The C-arm and polarity of every entry of ``views``; the caller compares their sizes with the pixels."""
        entries = self._header.get("views")
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
            self._faults.add("The field views must be a list of at least one object.")
            return []
        views = []
        for number, entry in enumerate(entries, start=1):
            polarity = entry.get("polarity", "auto")
            if polarity not in get_args(PolarityChoice):
                self._faults.add(
                    f"View {number}: the polarity is {polarity!r}; choose one of {', '.join(get_args(PolarityChoice))}."
                )
            try:
                views.append((_carm(entry), polarity))
            except InputError as error:
                self._faults.extend(f"View {number}: {fault}" for fault in error.faults)
        return views


def _carm(entry: dict[str, Any]) -> CArm:
    try:
        spacing = entry.get("spacing_mm")
        width, height = entry["size"]
        return CArm(
            entry["K"],
            (width, height),
            entry["camera_from_world"],
            None if spacing is None else (float(spacing[0]), float(spacing[1])),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            "The camera needs K (3x3), size (width, height) and camera_from_world (4x4), optionally spacing_mm."
        ) from error
