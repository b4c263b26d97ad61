"""Distance between poses along the geodesic, and its gradient in closed form.

The metric is the left-invariant product metric of the ProST papers (MICCAI 2020, section 2.3):
``d^2 = |log(R1^T R2)|^2 + |t1 - t2|^2 / s^2`` with s mm weighing as much as one radian.
"""

from __future__ import annotations

import torch
from torch import Tensor

from prostreg.geometry.se3 import exp_so3, left_jacobian_so3, log_so3


def squared_geodesic_distance(pose: Tensor, target: Tensor, mm_per_radian: float) -> Tensor:
    """Squared distance (...) of poses (..., 6), each (rotation vector in rad, translation in mm)."""
    rotation = log_so3(exp_so3(pose[..., :3]).transpose(-1, -2) @ exp_so3(target[..., :3]))
    translation = (pose[..., 3:] - target[..., 3:]) / mm_per_radian
    return (rotation**2).sum(-1) + (translation**2).sum(-1)


def squared_geodesic_gradient(pose: Tensor, target: Tensor, mm_per_radian: float) -> Tensor:
    """Gradient (..., 6) of `squared_geodesic_distance` with respect to ``pose``, without autograd.

    With ``phi = log(R1^T R2)`` a change d of the rotation vector r moves phi by ``-J_r(r) d`` to first
    order along phi, where ``J_r(r) = J_l(-r)``; hence the gradient ``-2 J_r(r)^T phi``.
    """
    rotation_vector = pose[..., :3]
    phi = log_so3(exp_so3(rotation_vector).transpose(-1, -2) @ exp_so3(target[..., :3]))
    right_jacobian = left_jacobian_so3(-rotation_vector)
    rotation = -2 * (right_jacobian.transpose(-1, -2) @ phi[..., None])[..., 0]
    translation = 2 * (pose[..., 3:] - target[..., 3:]) / mm_per_radian**2
    return torch.cat([rotation, translation], dim=-1)
