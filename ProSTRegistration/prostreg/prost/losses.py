"""Losses that teach L_N its gradient: its direction, or its direction and length.

Gradients are six-vectors with respect to a pose: (rotation vector in rad, translation in units of as many mm as weigh
one radian). The target is the gradient of the squared geodesic distance to the true pose,
`prostreg.geometry.geodesic.squared_geodesic_gradient` with ``mm_per_radian=1`` of poses in these units.
"""

from __future__ import annotations

import torch
from torch import Tensor

from prostreg.geometry.geodesic import squared_geodesic_distance


def gradient_direction_loss(gradient: Tensor, target: Tensor) -> Tensor:
    """Squared distances (n,) of the unit rotation parts plus those of the unit translation parts, from 0 to 8.

    C. Gao et al., "Generalizing spatial transformers to projective geometry", MICCAI 2020. A part that is
    exactly zero has no direction: it stays zero, and its derivative is zero.

    Args:
        gradient: of L_N, (n, 6).
        target: (n, 6).
    """
    rotation = _unit(gradient[:, :3]) - _unit(target[:, :3])
    translation = _unit(gradient[:, 3:]) - _unit(target[:, 3:])
    return (rotation**2).sum(-1) + (translation**2).sum(-1)


def gradient_distance_loss(gradient: Tensor, target: Tensor) -> Tensor:
    """Squared geodesic distances (n,) of the gradients, read as poses; so their length counts, too.

    C. Gao et al., IEEE TMI 43(1):275-285, 2024. Rotation parts that differ by whole turns are the same rotation.

    Args:
        gradient: of L_N, (n, 6).
        target: (n, 6).
    """
    return squared_geodesic_distance(gradient, target, mm_per_radian=1.0)


def _unit(vectors: Tensor) -> Tensor:
    squared = (vectors**2).sum(-1, keepdim=True)
    is_zero = squared == 0
    inverse = torch.where(is_zero, torch.ones_like(squared), squared).rsqrt()
    return vectors * torch.where(is_zero, torch.zeros_like(inverse), inverse)
