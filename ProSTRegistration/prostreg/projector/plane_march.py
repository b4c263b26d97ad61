"""The fused kernels: one ray marched plane by plane, in registers.

A ray is sampled where it crosses the voxel planes of its dominant axis, with bilinear
interpolation in each plane and the path length between two planes as weight (Joseph, "An improved
algorithm for reprojecting rays through pixel images", IEEE TMI 1982). Its crossing points
``x(k) = offset + slope k`` are linear in the plane number k, so five running sums per ray (the
values, and the in-plane slopes with and without the factor k) give the integral and, by the chain
rule, its exact derivative with respect to the six pose parameters.

Coordinates are those of the volume padded by one voxel of zeros: nothing needs a border check.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from prostreg.compilation import compiled

CELL = 4
"""Edge in voxels of a cell of the occupancy grid; the march looks up one cell per CELL planes.

It is defined here and not beside the grid because numba's cache on disk watches this file only.
"""

INSIDE = 1e-3
"""Distance in voxels that a sample keeps from the outer, all-zero planes."""


@compiled
def _planes_within(low: float, high: float, offset: float, slope: float, size: int) -> tuple[float, float]:
    """Narrows the plane range [low, high] to where ``offset + slope k`` lies inside the volume."""
    first, last = INSIDE, size + 1 - INSIDE
    if abs(slope) < 1e-9:
        return (low, high) if first < offset < last else (1.0, 0.0)
    enters, leaves = (first - offset) / slope, (last - offset) / slope
    return max(low, min(enters, leaves)), min(high, max(enters, leaves))


@compiled
def _dominant_axis(direction: Any) -> int:
    x, y, z = abs(direction[0]), abs(direction[1]), abs(direction[2])
    if z >= x and z >= y:
        return 2
    return 1 if y >= x else 0


@compiled
def _plane_range(source: float, direction: float, size: int) -> tuple[float, float]:
    """The planes 1..size in front of the source, along the dominant axis."""
    if direction > 0:
        return max(1.0, source), float(size)
    return 1.0, min(float(size), source)


@compiled
def _march(
    values: Any, cells: Any, strides: Any, cell_strides: Any, offsets: Any, slopes: Any, first: int, stop: int,
    derivative: Any,
) -> Any:  # fmt: skip
    """The march along one ray: the five sums, or only the first of them where ``derivative`` is None."""
    offset_a, offset_b = np.float32(offsets[0]), np.float32(offsets[1])
    slope_a, slope_b = np.float32(slopes[0]), np.float32(slopes[1])
    along, across_a, across_b = np.int32(strides[0]), np.int32(strides[1]), np.int32(strides[2])
    to_a, to_b, to_ab = np.uint32(across_a), np.uint32(across_b), np.uint32(across_a + across_b)
    zero = np.float32(0)
    total, sum_a, moment_a, sum_b, moment_b = zero, zero, zero, zero, zero
    k = first
    while k < stop:
        end = k
        while end < stop:
            cell = end // CELL
            middle = np.float32(cell * CELL + 0.5 * (CELL - 1))
            cell_a = int(max(offset_a + slope_a * middle, zero)) // CELL
            cell_b = int(max(offset_b + slope_b * middle, zero)) // CELL
            if not cells[cell * cell_strides[0] + cell_a * cell_strides[1] + cell_b * cell_strides[2]]:
                break
            end = min((cell + 1) * CELL, stop)
        for plane in range(k, end):
            number = np.float32(plane)
            a, b = offset_a + slope_a * number, offset_b + slope_b * number
            low_a, low_b = np.int32(a), np.int32(b)
            rest_a, rest_b = a - np.float32(low_a), b - np.float32(low_b)
            place = np.uint32(np.int32(plane) * along + low_a * across_a + low_b * across_b)
            near, far = values[place], values[place + to_b]
            rise_near, rise_far = values[place + to_a] - near, values[place + to_ab] - far
            on_near, on_far = near + rest_a * rise_near, far + rest_a * rise_far
            rise_b = on_far - on_near
            total += on_near + rest_b * rise_b
            if derivative is not None:
                rise_a = rise_near + rest_b * (rise_far - rise_near)
                sum_a += rise_a
                moment_a += number * rise_a
                sum_b += rise_b
                moment_b += number * rise_b
        k = max(end, min((end // CELL + 1) * CELL, stop))
    return total, sum_a, moment_a, sum_b, moment_b


def project_rows(
    values: Any, cells: Any, strides: Any, cell_strides: Any, size: Any, index_from_camera: Any, source: Any,
    camera_from_pixel: Any, poses: Any, rows: Any, images: Any, derivative: Any,
) -> None:  # fmt: skip
    """Projects some rows of some poses' images: fills ``images[pose, row]`` and ``derivative[pose, :, row]``.

    ``derivative`` may be None, for images alone.
    """
    # The stored _project_rows contains a copy of _march that was optimised once more and rounds differently. What is
    # loaded first is run, so this makes a later process give the same numbers as the one that compiled.
    _march(values, cells, strides, cell_strides, (0.0, 0.0), (0.0, 0.0), 1, 1, derivative)
    _project_rows(
        values, cells, strides, cell_strides, size, index_from_camera, source, camera_from_pixel,
        poses, rows, images, derivative,
    )  # fmt: skip


@compiled
def _project_rows(
    values: Any, cells: Any, strides: Any, cell_strides: Any, size: Any, index_from_camera: Any, source: Any,
    camera_from_pixel: Any, poses: Any, rows: Any, images: Any, derivative: Any,
) -> None:  # fmt: skip
    direction = np.empty(3)
    in_camera = np.empty(3)
    to_direction = np.empty(3)
    to_source = np.empty(3)
    for pose in range(poses[0], poses[1]):
        turn, start = index_from_camera[pose], source[pose]
        for row in range(rows[0], rows[1]):
            for column in range(images.shape[2]):
                for axis in range(3):
                    in_camera[axis] = (
                        camera_from_pixel[axis, 0] * column + camera_from_pixel[axis, 1] * row
                    ) + camera_from_pixel[axis, 2]
                for axis in range(3):
                    direction[axis] = (
                        turn[axis, 0] * in_camera[0] + turn[axis, 1] * in_camera[1] + turn[axis, 2] * in_camera[2]
                    )
                main = _dominant_axis(direction)
                a, b = (0 if main != 0 else 1), (2 if main != 2 else 1)
                per_plane = 1.0 / direction[main]
                slopes = (direction[a] * per_plane, direction[b] * per_plane)
                offsets = (start[a] - slopes[0] * start[main], start[b] - slopes[1] * start[main])
                low, high = _plane_range(start[main], direction[main], size[main])
                low, high = _planes_within(low, high, offsets[0], slopes[0], size[a])
                low, high = _planes_within(low, high, offsets[1], slopes[1], size[b])
                sums = _march(
                    values, cells, (strides[main], strides[a], strides[b]),
                    (cell_strides[main], cell_strides[a], cell_strides[b]),
                    offsets, slopes, math.ceil(low), math.floor(high) + 1, derivative,
                )  # fmt: skip
                length = math.sqrt(in_camera[0] ** 2 + in_camera[1] ** 2 + in_camera[2] ** 2)
                step_mm = length * abs(per_plane)
                images[pose, row, column] = step_mm * sums[0]
                if derivative is not None:
                    _to_ray(sums, slopes, start[main], per_plane, main, a, b, to_direction, to_source)
                    _to_twist(to_direction, to_source, turn, in_camera, step_mm, derivative[pose, :, row, column])


@compiled
def _to_ray(
    sums: Any, slopes: Any, start: float, per_plane: float, main: int, a: int, b: int, to_direction: Any, to_source: Any
) -> None:
    """Derivative of (sum / |direction[main]|) |direction[main]| with respect to the ray in the index frame."""
    total, sum_a, moment_a, sum_b, moment_b = sums
    to_direction[a] = (moment_a - start * sum_a) * per_plane
    to_direction[b] = (moment_b - start * sum_b) * per_plane
    to_direction[main] = -(total * per_plane + slopes[0] * to_direction[a] + slopes[1] * to_direction[b])
    to_source[a] = sum_a
    to_source[b] = sum_b
    to_source[main] = -(slopes[0] * sum_a + slopes[1] * sum_b)


@compiled
def _to_twist(to_direction: Any, to_source: Any, turn: Any, in_camera: Any, step_mm: float, derivative: Any) -> None:
    """Chain rule: moving the volume by a twist moves source and direction the other way."""
    for axis in range(3):
        nxt, last = (axis + 1) % 3, (axis + 2) % 3
        along_next = turn[0, nxt] * to_direction[0] + turn[1, nxt] * to_direction[1] + turn[2, nxt] * to_direction[2]
        along_last = turn[0, last] * to_direction[0] + turn[1, last] * to_direction[1] + turn[2, last] * to_direction[2]
        derivative[axis] = -step_mm * (in_camera[nxt] * along_last - in_camera[last] * along_next)
        derivative[3 + axis] = -step_mm * (
            turn[0, axis] * to_source[0] + turn[1, axis] * to_source[1] + turn[2, axis] * to_source[2]
        )
