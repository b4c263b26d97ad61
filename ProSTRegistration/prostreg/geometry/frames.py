"""Frames of reference: the one place where LPS becomes RAS, and where a matrix proves to be rigid.

volume  patient RAS, mm
world   any fixed frame, mm
camera  x along image columns, y along rows, z from the source towards the detector, mm
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]

RAS_FROM_LPS: Matrix = np.diag([-1.0, -1.0, 1.0, 1.0])
RAS_FROM_LPS.setflags(write=False)

RIGID_TOLERANCE = 1e-3

MOST_SHIFT_MM = 1e6
"""A kilometre: what is shifted by more is not in millimetres, or nonsense."""


def ras_from_lps(matrix_in_lps: ArrayLike) -> Matrix:
    """Turns index-to-LPS (4x4) into index-to-RAS; its own inverse."""
    return RAS_FROM_LPS @ np.asarray(matrix_in_lps, dtype=np.float64)


def lps_transform_from_ras(transform_in_ras: ArrayLike) -> Matrix:
    """Conjugates a 4x4 transform between RAS spaces into one between LPS spaces; its own inverse."""
    return RAS_FROM_LPS @ np.asarray(transform_in_ras, dtype=np.float64) @ RAS_FROM_LPS


def rigid_faults(matrix: ArrayLike, name: str) -> list[str]:
    """Says in words what keeps a matrix from being a rigid 4x4 transform; empty if it is one."""
    try:
        values = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return [f"{name} is not a matrix of numbers: give 4 rows of 4 numbers."]
    if values.shape != (4, 4):
        return [f"{name} has shape {'x'.join(map(str, values.shape))}: give 4 rows of 4 numbers."]
    if not np.isfinite(values).all():
        return [f"{name} contains NaN or infinity: give finite numbers."]
    faults = []
    if not _is_close(values[3], np.eye(4)[3]):
        faults.append(f"{name} has the last row {values[3].tolist()}: it must be 0 0 0 1.")
    shift_mm = np.abs(values[:3, 3]).max()
    if shift_mm > MOST_SHIFT_MM:
        faults.append(f"{name} shifts by {shift_mm:.3g} mm: give millimetres, {MOST_SHIFT_MM:g} at most.")
    rotation = values[:3, :3]
    # Looked at first: the product of the largest numbers is none.
    is_large = bool(np.abs(rotation).max() > 1 + RIGID_TOLERANCE)
    if is_large or not _is_close(rotation @ rotation.T, np.eye(3)):
        faults.append(f"{name} is not rigid, it scales or shears: its 3x3 part must be a pure rotation.")
    elif np.linalg.det(rotation) < 0:
        faults.append(f"{name} is left-handed (determinant -1), it mirrors: check the axes it was built from.")
    return faults


def _is_close(values: Matrix, expected: Matrix) -> bool:
    """The answer of `np.allclose` for a few finite numbers, sooner: poses are looked at all the time."""
    return bool((np.abs(values - expected) <= RIGID_TOLERANCE + 1e-5 * expected).all())


def invert_rigid(target_from_source: ArrayLike) -> Matrix:
    """Inverse of a rigid 4x4 matrix, or of a stack (..., 4, 4), exact to rounding."""
    values = np.asarray(target_from_source, dtype=np.float64)
    inverse = np.zeros_like(values)
    rotation_transposed = np.swapaxes(values[..., :3, :3], -1, -2)
    inverse[..., :3, :3] = rotation_transposed
    inverse[..., :3, 3] = -np.einsum("...ij,...j->...i", rotation_transposed, values[..., :3, 3])
    inverse[..., 3, 3] = 1.0
    return inverse


def transform_points(target_from_source: ArrayLike, points: ArrayLike) -> Matrix:
    """Applies one 4x4 matrix to points (..., 3)."""
    matrix = np.asarray(target_from_source, dtype=np.float64)
    return np.asarray(points, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def mean_distance_mm(first: ArrayLike, second: ArrayLike, points_mm: ArrayLike) -> float:
    """Mean distance between where two 4x4 matrices put points (n, 3), one or more: the mTRE if one is the truth."""
    apart_mm = transform_points(first, points_mm) - transform_points(second, points_mm)
    return float(np.linalg.norm(apart_mm, axis=1).mean())
