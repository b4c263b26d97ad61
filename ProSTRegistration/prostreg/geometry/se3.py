"""Rotations and rigid motions as exponentials, batched and differentiable, exact at zero and near pi.

Rotation vectors are angle times axis, in radians. Twists are (rotation, translation) = (rx, ry, rz,
tx, ty, tz), in radians and mm. Formulas: Sola, Deray, Atchuthan, "A micro Lie theory for state
estimation in robotics" (2018), sections II-III and appendix B.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

SERIES_BELOW = 0.5
SERIES_TERMS = 10


def hat(vector: Tensor) -> Tensor:
    """The skew matrix (..., 3, 3) of a vector (..., 3), so that ``hat(a) @ b = a x b``."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(*vector.shape, 3)


def exp_so3(rotation_vector: Tensor) -> Tensor:
    """Rotation matrix (..., 3, 3) of a rotation vector (..., 3)."""
    sine, versine, _ = _rotation_coefficients((rotation_vector**2).sum(-1))
    skew = hat(rotation_vector)
    return _identity_like(skew) + sine[..., None, None] * skew + versine[..., None, None] * (skew @ skew)


def log_so3(rotation: Tensor) -> Tensor:
    """Rotation vector (..., 3) with an angle in [0, pi] of a rotation matrix (..., 3, 3).

    Goes through the unit quaternion, so that values and derivatives hold up to an angle of pi.
    """
    quaternion = _quaternion(rotation)
    real, imaginary = quaternion[..., 0], quaternion[..., 1:]
    squared = (imaginary**2).sum(-1)
    is_small = squared < 1e-2
    ratio = torch.where(is_small, squared / torch.where(is_small, real, torch.ones_like(real)) ** 2, squared)
    series = _power_series(ratio, [(-1) ** n / (2 * n + 1) for n in range(SERIES_TERMS)])
    series = 2 * series / torch.where(is_small, real, torch.ones_like(real))
    norm = torch.where(is_small, torch.ones_like(squared), squared).sqrt()
    closed = 2 * torch.atan2(norm, real) / norm
    return torch.where(is_small, series, closed)[..., None] * imaginary


def exp_se3(twist: Tensor) -> Tensor:
    """Rigid matrix (..., 4, 4) of a twist (..., 6)."""
    rotation_vector, translation = twist[..., :3], twist[..., 3:]
    moved = (left_jacobian_so3(rotation_vector) @ translation[..., None])[..., 0]
    return rigid_matrix(exp_so3(rotation_vector), moved)


def left_jacobian_so3(rotation_vector: Tensor) -> Tensor:
    """J (..., 3, 3) with ``exp(r + d) = exp(J d) exp(r)`` to first order."""
    _, versine, cubic = _rotation_coefficients((rotation_vector**2).sum(-1))
    skew = hat(rotation_vector)
    return _identity_like(skew) + versine[..., None, None] * skew + cubic[..., None, None] * (skew @ skew)


def rigid_matrix(rotation: Tensor, translation: Tensor) -> Tensor:
    """Rigid matrix (..., 4, 4) from a rotation (..., 3, 3) and a translation (..., 3)."""
    upper = torch.cat([rotation, translation[..., None]], dim=-1)
    last = torch.zeros_like(upper[..., :1, :])
    last[..., 0, 3] = 1
    return torch.cat([upper, last], dim=-2)


def _identity_like(matrix: Tensor) -> Tensor:
    return torch.eye(3, dtype=matrix.dtype, device=matrix.device).expand_as(matrix)


def _rotation_coefficients(angle_squared: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """sin(a)/a, (1 - cos a)/a^2 and (a - sin a)/a^3 from a^2, with all derivatives at zero."""
    is_small = angle_squared < SERIES_BELOW
    small = torch.where(is_small, angle_squared, torch.zeros_like(angle_squared))
    series = [
        _power_series(small, [(-1) ** n / math.factorial(2 * n + first) for n in range(SERIES_TERMS)])
        for first in (1, 2, 3)
    ]
    large = torch.where(is_small, torch.ones_like(angle_squared), angle_squared)
    angle = large.sqrt()
    sine, cosine = angle.sin(), angle.cos()
    closed = [sine / angle, (1 - cosine) / large, (angle - sine) / (angle * large)]
    sine_term, versine_term, cubic_term = (torch.where(is_small, s, c) for s, c in zip(series, closed, strict=True))
    return sine_term, versine_term, cubic_term


def _power_series(x: Tensor, coefficients: list[float]) -> Tensor:
    total = torch.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def _quaternion(rotation: Tensor) -> Tensor:
    """Unit quaternion (..., 4), real part first and not negative.

    Of the four ways to read a quaternion off a matrix, the one with the largest divisor is taken
    (Shepperd, "Quaternion from rotation matrix", J. Guidance and Control, 1978).
    """
    m = [[rotation[..., row, column] for column in range(3)] for row in range(3)]
    trace = m[0][0] + m[1][1] + m[2][2]
    candidates = torch.stack(
        [
            torch.stack([1 + trace, m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]], dim=-1),
            torch.stack([m[2][1] - m[1][2], 1 + 2 * m[0][0] - trace, m[0][1] + m[1][0], m[0][2] + m[2][0]], dim=-1),
            torch.stack([m[0][2] - m[2][0], m[0][1] + m[1][0], 1 + 2 * m[1][1] - trace, m[1][2] + m[2][1]], dim=-1),
            torch.stack([m[1][0] - m[0][1], m[0][2] + m[2][0], m[1][2] + m[2][1], 1 + 2 * m[2][2] - trace], dim=-1),
        ],
        dim=-2,
    )
    best = candidates.diagonal(dim1=-2, dim2=-1).argmax(-1)
    chosen = candidates.gather(-2, best[..., None, None].expand(*best.shape, 1, 4))[..., 0, :]
    quaternion = chosen / (chosen**2).sum(-1, keepdim=True).sqrt()
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
