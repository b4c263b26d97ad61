"""Chords of rays through straight rods, in closed form: wires, screws with their thread, tubes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm

Vector = NDArray[np.float64]

_PARALLEL = 1e-9


@dataclass(frozen=True, eq=False)
class Rod:
    """A straight round rod in the camera frame.

    Attributes:
        start_mm, end_mm: (3,), the centres of its flat ends.
        radius_mm: of its core.
        material: of the beam's table.
        bore_mm: radius of a hole along its axis.
        thread_mm: how far a thread stands out from the core.
        pitch_mm: of the thread.
    """

    start_mm: Vector
    end_mm: Vector
    radius_mm: float
    material: str
    bore_mm: float = 0.0
    thread_mm: float = 0.0
    pitch_mm: float = 1.0


def add_rod(lengths_mm: dict[str, NDArray[np.float32]], carm: CArm, rod: Rod) -> None:
    """Adds the rod's chords to the lengths (height, width) of its material; other rays are left alone."""
    window = _window(carm, rod)
    if window is None:
        return
    rows, columns = window
    u, v = np.meshgrid(np.arange(carm.width)[columns], np.arange(carm.height)[rows])
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(carm.intrinsics).T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    if rod.material not in lengths_mm:
        lengths_mm[rod.material] = np.zeros((carm.height, carm.width), dtype=np.float32)
    lengths_mm[rod.material][rows, columns] += chord_mm(rays, rod).astype(np.float32)


def chord_mm(rays: Vector, rod: Rod) -> NDArray[np.float64]:
    """Length (...) inside the rod of rays from the origin with unit directions (..., 3).

    A thread is seen at its outline: where a ray passes the axis, the radius is that of the thread's flank there, and
    half a pitch later on the other side.
    """
    axis = rod.end_mm - rod.start_mm
    length = float(np.linalg.norm(axis))
    axis = axis / length
    radius: NDArray[np.float64] | float = rod.radius_mm
    if rod.thread_mm > 0:
        radius = rod.radius_mm + rod.thread_mm * _flank(rays, rod.start_mm, axis, rod.pitch_mm)
    chord = _cylinder_chord(rays, rod.start_mm, axis, length, radius)
    if rod.bore_mm > 0:
        chord = chord - _cylinder_chord(rays, rod.start_mm, axis, length, rod.bore_mm)
    return np.maximum(chord, 0.0)


def _nearest(rays: Vector, start: Vector, axis: Vector) -> tuple[Vector, Vector, Vector, Vector]:
    """Nearest points of rays to the axis: along the ray, squared distance; cosine and squared sine to it."""
    cosine = rays @ axis
    squared_sine = np.maximum(1 - cosine**2, _PARALLEL)
    across = start - (start @ axis) * axis
    along_ray = (rays @ across) / squared_sine
    return along_ray, across @ across - along_ray**2 * squared_sine, cosine, squared_sine


def _flank(rays: Vector, start: Vector, axis: Vector, pitch_mm: float) -> Vector:
    """Height of the thread's outline, 0 to 1, at the place and on the side where each ray passes the axis."""
    along_ray, _, cosine, _ = _nearest(rays, start, axis)
    along_axis = along_ray * cosine - start @ axis
    side = rays @ np.cross(axis, start) > 0
    turn = (along_axis / pitch_mm + 0.5 * side) % 1.0
    return np.asarray(np.abs(2 * turn - 1))


def _cylinder_chord(rays: Vector, start: Vector, axis: Vector, length: float, radius: Vector | float) -> Vector:
    along_ray, squared_distance, cosine, squared_sine = _nearest(rays, start, axis)
    half = np.sqrt(np.maximum(np.square(radius) - squared_distance, 0.0) / squared_sine)
    steep = np.where(np.abs(cosine) < _PARALLEL, _PARALLEL, cosine)
    ends = [(start @ axis) / steep, (start @ axis + length) / steep]
    entry = np.maximum(along_ray - half, np.minimum(*ends))
    leave = np.minimum(along_ray + half, np.maximum(*ends))
    return np.where(half > 0, np.maximum(leave - np.maximum(entry, 0.0), 0.0), 0.0)


def _window(carm: CArm, rod: Rod) -> tuple[slice, slice] | None:
    """The rows and columns that the rod can touch."""
    reach = rod.radius_mm + rod.thread_mm
    ends = np.array([rod.start_mm, rod.end_mm])
    if (ends[:, 2] <= 2 * reach).any():
        return None
    pixels = carm.project(ends)
    margin = 2 + 1.5 * reach * carm.intrinsics[[0, 1], [0, 1]] / (ends[:, 2].min() - reach)
    low = np.maximum(np.floor(pixels.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(pixels.max(axis=0) + margin), np.array(carm.size) - 1).astype(int)
    if (high < low).any():
        return None
    return slice(low[1], high[1] + 1), slice(low[0], high[0] + 1)
