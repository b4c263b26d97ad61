"""Rotation vectors and rotation matrices in numpy, for stacks of them; exact at zero, near pi and at pi.

A rotation vector is axis times angle in radians. For what has to be differentiated, see `prostreg.geometry.se3`.
Formulas: Sola, Deray, Atchuthan, "A micro Lie theory for state estimation in robotics" (2018), appendix B.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SERIES_BELOW = 0.5
SERIES_TERMS = 10
SMALL_IMAGINARY = 1e-2
_ARCTANGENT = [(-1) ** n / (2 * n + 1) for n in range(SERIES_TERMS)]
_SERIES = np.array([[(-1) ** n / math.factorial(2 * n + first) for first in (1, 2, 3)] for n in range(SERIES_TERMS)])


def rotation_from_vector(vectors: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3)."""
    sine, versine, _, skew, squared = _terms(vectors)
    return np.asarray(np.eye(3) + sine * skew + versine * squared)


def nearest_rotation(matrix: ArrayLike) -> Array:
    """The orthogonal matrix (3, 3) nearest to one whose digits were cut; left-handed where that is."""
    left, _, right = np.linalg.svd(np.asarray(matrix, dtype=np.float64))
    return np.asarray(left @ right)


def left_jacobian(vectors: ArrayLike) -> Array:
    """J (..., 3, 3) at rotation vectors (..., 3), with ``exp(r + d) = exp(J d) exp(r)`` for small d."""
    _, versine, cubic, skew, squared = _terms(vectors)
    return np.asarray(np.eye(3) + versine * skew + cubic * squared)


def vector_from_rotation(rotations: ArrayLike) -> Array:
    """Rotation vectors (..., 3) with angles in [0, pi] of rotation matrices (..., 3, 3).

    Goes through the unit quaternion, read off by the largest of its four divisors (Shepperd, "Quaternion from rotation
    matrix", J. Guidance and Control, 1978), so that it holds up to an angle of pi.
    """
    m = np.asarray(rotations, dtype=np.float64)
    x, y, z = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    rows = [
        [1 + xx + yy + zz, x, y, z],
        [x, 1 + xx - yy - zz, xy, xz],
        [y, xy, 1 - xx + yy - zz, yz],
        [z, xz, yz, 1 - xx - yy + zz],
    ]
    candidates = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    best = np.diagonal(candidates, axis1=-2, axis2=-1).argmax(axis=-1)
    quaternion = np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :]
    quaternion = quaternion / np.sqrt((quaternion**2).sum(axis=-1, keepdims=True))
    quaternion = np.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    real, imaginary = quaternion[..., :1], quaternion[..., 1:]
    squared = (imaginary**2).sum(axis=-1, keepdims=True)
    is_small = squared < SMALL_IMAGINARY
    divisor = np.where(is_small, real, 1.0)
    small = 2 * np.polynomial.polynomial.polyval(np.where(is_small, squared / divisor**2, 0.0), _ARCTANGENT) / divisor
    length = np.sqrt(np.where(is_small, 1.0, squared))
    return np.asarray(np.where(is_small, small, 2 * np.arctan2(length, real) / length) * imaginary)


def _terms(vectors: ArrayLike) -> tuple[Array, Array, Array, Array, Array]:
    """sin(a)/a, (1 - cos a)/a^2 and (a - sin a)/a^3, each (..., 1, 1); skew matrices (..., 3, 3) and their squares."""
    r = np.asarray(vectors, dtype=np.float64)
    squared = (r**2).sum(axis=-1)
    is_small = squared < SERIES_BELOW
    small, large = np.where(is_small, squared, 0.0), np.where(is_small, 1.0, squared)
    angle = np.sqrt(large)
    closed = (np.sin(angle) / angle, (1 - np.cos(angle)) / large, (angle - np.sin(angle)) / (angle * large))
    terms = np.where(is_small, np.polynomial.polynomial.polyval(small, _SERIES), np.stack(closed))[..., None, None]
    zero = np.zeros_like(squared)
    x, y, z = r[..., 0], r[..., 1], r[..., 2]
    skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*r.shape, 3)
    sine, versine, cubic = terms
    # Unlike a matrix product, einsum adds up in one order on every machine and for stacks of any size.
    return sine, versine, cubic, skew, np.einsum("...ij,...jk->...ik", skew, skew)
