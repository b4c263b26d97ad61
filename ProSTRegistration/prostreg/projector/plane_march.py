"""The fused kernels: one ray marched plane by plane, in registers.

A ray is sampled where it crosses the voxel planes of its dominant axis, with bilinear
interpolation in each plane and the path length between two planes as weight (Joseph, "An improved
algorithm for reprojecting rays through pixel images", IEEE TMI 1982). Its crossing points
``x(k) = offset + slope k`` are linear in the plane number k, so five running sums per ray (the
values, and the in-plane slopes with and without the factor k) give the integral and, by the chain
rule, its exact derivative with respect to the six pose parameters.

Coordinates are those of the volume padded by one voxel of zeros: nothing needs a border check.

`pixel` is the one source of both fused projectors: it knows nothing but numbers and flat arrays, so that numba makes
machine code of it for processors here, and numba-cuda makes `kernels.ptx` of it for GPUs (see docs/kernels).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from prostreg.compilation import compiled, inlined

CELL = 4
"""Edge in voxels of a cell of the occupancy grid; the march looks up one cell per CELL planes.

It is defined here and not beside the grid because numba's cache on disk watches this file only.
"""

INSIDE = 1e-3
"""Distance in voxels that a sample keeps from the outer, all-zero planes."""

NUMBERS_PER_POSE = 21
"""Inverse intrinsics (3, 3), rotation from camera to index coordinates (3, 3), and the source in these (3,)."""


@inlined
def _times(matrix: Any, x: float, y: float, z: float) -> Any:
    """A matrix, as nine numbers, times a vector."""
    return (
        (matrix[0] * x + matrix[1] * y) + matrix[2] * z,
        (matrix[3] * x + matrix[4] * y) + matrix[5] * z,
        (matrix[6] * x + matrix[7] * y) + matrix[8] * z,
    )


@inlined
def _transposed_times(matrix: Any, x: float, y: float, z: float) -> Any:
    return (
        (matrix[0] * x + matrix[3] * y) + matrix[6] * z,
        (matrix[1] * x + matrix[4] * y) + matrix[7] * z,
        (matrix[2] * x + matrix[5] * y) + matrix[8] * z,
    )


@inlined
def _dominant_axis(x: float, y: float, z: float) -> int:
    if abs(z) >= abs(x) and abs(z) >= abs(y):
        return 2
    return 1 if abs(y) >= abs(x) else 0


@inlined
def _main_first(x: Any, y: Any, z: Any, main: int) -> Any:
    """The number along the dominant axis first, the two others in their order."""
    if main == 0:
        return x, y, z
    if main == 1:
        return y, x, z
    return z, x, y


@inlined
def _in_order(along: float, a: float, b: float, main: int) -> Any:
    """The way back from `_main_first`."""
    if main == 0:
        return along, a, b
    if main == 1:
        return a, along, b
    return a, b, along


@inlined
def _planes_within(low: float, high: float, offset: float, slope: float, size: int) -> Any:
    """Narrows the plane range [low, high] to where ``offset + slope k`` lies inside the volume."""
    first, last = INSIDE, size + 1 - INSIDE
    if abs(slope) < 1e-9:
        return (low, high) if first < offset < last else (1.0, 0.0)
    enters, leaves = (first - offset) / slope, (last - offset) / slope
    return max(low, min(enters, leaves)), min(high, max(enters, leaves))


@inlined
def _plane_range(source: float, direction: float, size: int) -> Any:
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


@inlined
def pixel(values: Any, cells: Any, grid: Any, pose: Any, column: int, row: int, derivative: Any) -> Any:
    """The line integral of a pixel's ray, and its derivatives by the six components of a twist.

    Args:
        values: of the padded volume, flat.
        cells: of the occupancy grid, flat.
        grid: nine whole numbers: strides of ``values``, strides of ``cells``, and the size without padding, each along
            (i, j, k).
        pose: the NUMBERS_PER_POSE numbers, as a tuple of three.
        derivative: None for the integral alone; the other numbers are zero then.
    """
    camera_from_pixel, turn, source = pose
    camera = _times(camera_from_pixel, float(column), float(row), 1.0)
    x, y, z = _times(turn, camera[0], camera[1], camera[2])
    main = _dominant_axis(x, y, z)
    direction, direction_a, direction_b = _main_first(x, y, z, main)
    start, start_a, start_b = _main_first(source[0], source[1], source[2], main)
    size, size_a, size_b = _main_first(grid[6], grid[7], grid[8], main)
    per_plane = 1.0 / direction
    slope_a, slope_b = direction_a * per_plane, direction_b * per_plane
    offset_a, offset_b = start_a - slope_a * start, start_b - slope_b * start
    low, high = _plane_range(start, direction, size)
    low, high = _planes_within(low, high, offset_a, slope_a, size_a)
    low, high = _planes_within(low, high, offset_b, slope_b, size_b)
    first, last = int(math.ceil(low)), int(math.floor(high))  # noqa: RUF046 (numba-cuda rounds to a float)
    sums = _march(
        values, cells, _main_first(grid[0], grid[1], grid[2], main), _main_first(grid[3], grid[4], grid[5], main),
        (offset_a, offset_b), (slope_a, slope_b), first, last + 1, derivative,
    )  # fmt: skip
    length = math.sqrt(camera[0] ** 2 + camera[1] ** 2 + camera[2] ** 2)
    step_mm = length * abs(per_plane)
    if derivative is None:
        return step_mm * sums[0], 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    total, sum_a, moment_a, sum_b, moment_b = sums
    # The derivative of (sum / |direction|) |direction| by the ray in the index frame, with all else left as it is ...
    by_a, by_b = (moment_a - start * sum_a) * per_plane, (moment_b - start * sum_b) * per_plane
    by_main = -(total * per_plane + slope_a * by_a + slope_b * by_b)
    x, y, z = _in_order(by_main, by_a, by_b, main)
    turn_x, turn_y, turn_z = _transposed_times(turn, x, y, z)
    x, y, z = _in_order(-(slope_a * sum_a + slope_b * sum_b), sum_a, sum_b, main)
    shift_x, shift_y, shift_z = _transposed_times(turn, x, y, z)
    # ... and by the twist: moving the volume moves source and direction the other way.
    return (
        step_mm * total,
        -step_mm * (camera[1] * turn_z - camera[2] * turn_y),
        -step_mm * (camera[2] * turn_x - camera[0] * turn_z),
        -step_mm * (camera[0] * turn_y - camera[1] * turn_x),
        -step_mm * shift_x,
        -step_mm * shift_y,
        -step_mm * shift_z,
    )


@inlined
def pose_numbers(poses: Any, number: int) -> Any:
    """The numbers of one pose as `pixel` takes them, from a flat array of those of many."""
    n = NUMBERS_PER_POSE * number
    return (
        (
            poses[n], poses[n + 1], poses[n + 2], poses[n + 3], poses[n + 4], poses[n + 5], poses[n + 6],
            poses[n + 7], poses[n + 8],
        ),
        (
            poses[n + 9], poses[n + 10], poses[n + 11], poses[n + 12], poses[n + 13], poses[n + 14],
            poses[n + 15], poses[n + 16], poses[n + 17],
        ),
        (poses[n + 18], poses[n + 19], poses[n + 20]),
    )  # fmt: skip


def project_rows(
    values: Any, cells: Any, grid: Any, poses: Any, some_poses: Any, rows: Any, images: Any, derivative: Any
) -> None:
    """Projects some rows of some poses' images: fills ``images[pose, :, row]``, of (n, 1 or 7, height, width).

    Args:
        poses: (n * NUMBERS_PER_POSE,).
        some_poses: first and last plus one.
        rows: likewise.
        derivative: None for images alone; see `pixel` for the rest.
    """
    # The stored _project_rows contains a copy of _march that was optimised once more and rounds differently. What is
    # loaded first is run, so this makes a later process give the same numbers as the one that compiled.
    _march(values, cells, grid[:3], grid[3:6], (0.0, 0.0), (0.0, 0.0), 1, 1, derivative)
    _project_rows(values, cells, grid, poses, some_poses, rows, images, derivative)


@compiled
def _project_rows(
    values: Any, cells: Any, grid: Any, poses: Any, some_poses: Any, rows: Any, images: Any, derivative: Any
) -> None:
    for number in range(some_poses[0], some_poses[1]):
        pose = pose_numbers(poses, number)
        for row in range(rows[0], rows[1]):
            for column in range(images.shape[3]):
                found = pixel(values, cells, grid, pose, column, row, derivative)
                images[number, 0, row, column] = found[0]
                if derivative is not None:
                    for channel in range(1, 7):
                        images[number, channel, row, column] = found[channel]
