"""Random poses: one distribution for each of the six coordinates of a pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.json_fields import JsonFields

COORDINATES = ("tilt_u_deg", "tilt_v_deg", "in_plane_deg", "shift_u_mm", "shift_v_mm", "depth_mm")
"""In the order of the pose chart: turns about its axes (image right, image down, beam) and shifts along them."""

DEGREES = np.array([True] * 3 + [False] * 3)


@dataclass(frozen=True)
class Distribution:
    """``uniform`` from ``first`` to ``second``, or ``normal`` with mean ``first`` and standard deviation ``second``."""

    kind: str
    first: float
    second: float

    def draw(self, rng: np.random.Generator) -> float:
        if self.kind == "uniform":
            return float(rng.uniform(self.first, self.second))
        return float(rng.normal(self.first, self.second))

    def __str__(self) -> str:
        if self.kind == "uniform":
            return f"U({self.first:g}, {self.second:g})"
        return f"N({self.first:g}, {self.second:g})"


@dataclass(frozen=True)
class PoseDraw:
    """Distributions of the six coordinates, in degrees and mm, in the order of COORDINATES."""

    distributions: tuple[Distribution, ...]

    def parameters(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """One draw (6,) in the pose chart's units, rad and mm."""
        values = np.array([distribution.draw(rng) for distribution in self.distributions])
        return np.asarray(np.where(DEGREES, np.deg2rad(values), values))

    def __str__(self) -> str:
        return ", ".join(f"{name} {spread}" for name, spread in zip(COORDINATES, self.distributions, strict=True))


def read_pose_draw(fields: JsonFields) -> PoseDraw:
    """Reads ``{"tilt_u_deg": {"uniform": [-15, 15]}, ..., "depth_mm": {"normal": [0, 60]}}``."""
    distributions = tuple(_distribution(fields, name) for name in COORDINATES)
    fields.end()
    return PoseDraw(distributions)


def _distribution(fields: JsonFields, name: str) -> Distribution:
    inside = fields.inner(name)
    kind = "uniform" if "uniform" in inside else "normal"
    first, second = inside.numbers(kind, 2)
    if kind == "uniform" and first > second:
        inside.faults.add(f'"{name}" is uniform from {first:g} to {second:g}: give the lower end first.')
    if kind == "normal" and second < 0:
        inside.faults.add(f'"{name}" has the standard deviation {second:g}: it cannot be negative.')
    inside.end()
    return Distribution(kind, first, second)
