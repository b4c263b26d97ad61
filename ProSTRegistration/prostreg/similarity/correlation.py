"""Similarities by normalised cross-correlation: NCC, GradNCC and Patch-GradNCC.

All of them compare DRRs (n, h, w) with one fixed image (h, w) inside its mask, give scores (n,)
in [-1, 1] with 1 for equal images up to gain and offset, are differentiable in the DRRs, and
are 0 where an image is flat.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from prostreg.similarity.gradients import eroded_mask, sobel_gradients

FLAT = 1e-12
"""Variance below which an image counts as flat, relative to its mean square."""


class Ncc:
    """Pearson's correlation of grey values over the mask.

    Args:
        fixed: (h, w).
        mask: bool (h, w).
    """

    def __init__(self, fixed: Tensor, mask: Tensor) -> None:
        self._weight = mask.to(fixed.dtype)
        self._fixed = fixed[None, None]

    def __call__(self, moving: Tensor) -> Tensor:
        return _masked_correlation(moving[:, None], self._fixed, self._weight)[:, 0]


class GradNcc:
    """Mean of the correlations of the derivatives along u and along v (Penney et al., IEEE TMI 1998).

    Args:
        fixed: (h, w).
        mask: bool (h, w).
    """

    def __init__(self, fixed: Tensor, mask: Tensor) -> None:
        self._weight = eroded_mask(mask).to(fixed.dtype)
        self._fixed = sobel_gradients(fixed[None])

    def __call__(self, moving: Tensor) -> Tensor:
        return _masked_correlation(sobel_gradients(moving), self._fixed, self._weight).mean(dim=1)


class PatchGradNcc:
    """GradNCC taken in square patches and averaged (Grupp et al., IEEE TBME 2020, section II-C).

    A patch's correlation is damped where a patch is nearly flat against the whole image, so that
    noise in empty areas counts for nothing.

    Args:
        fixed: (h, w).
        mask: bool (h, w).
        radius: of a patch in pixels; its edge is ``2 radius + 1``.
        stride: between patches in pixels.
    """

    DAMPING = 0.05
    LEAST_COVER = 0.5

    def __init__(self, fixed: Tensor, mask: Tensor, radius: int, stride: int = 1) -> None:
        self.edge = min(2 * radius + 1, *fixed.shape)
        self.stride = stride
        self.weight = eroded_mask(mask).to(fixed.dtype)
        self.fixed = sobel_gradients(fixed[None]) * self.weight
        cover = self._patch_means(self.weight[None, None])
        self.inverse_cover = 1 / cover.clamp(min=1e-6)
        self.counts = (cover >= self.LEAST_COVER).to(fixed.dtype)
        self.fixed_mean = self._patch_means(self.fixed) * self.inverse_cover
        variance = self._variance(self._patch_means(self.fixed**2), self.fixed_mean)
        self.fixed_variance = variance + self.DAMPING * _typical(variance, self.counts)

    def __call__(self, moving: Tensor) -> Tensor:
        correlation, _ = self._patches(moving)
        total: Tensor = correlation.sum(dim=(1, 2, 3))
        return total / (2 * self.counts.sum()).clamp(min=1)

    def confirmed_structure(self, moving: Tensor) -> Tensor:
        """Like the score, but weighted by how much structure the DRR has in a patch (n,).

        It tells how much of what the DRR claims is confirmed by the image, whether the anatomy
        has edges everywhere or only along an outline.
        """
        correlation, structure = self._patches(moving)
        return (correlation * structure).sum(dim=(1, 2, 3)) / ((structure**2).sum(dim=(1, 2, 3)) + FLAT)

    def block_shares(self, moving: Tensor) -> Tensor:
        """The score's parts from blocks of the image as wide as a patch (n, blocks); their sum is the score.

        Patches of one block overlap, those of different blocks hardly do.
        """
        correlation, _ = self._patches(moving)
        per_patch = correlation.sum(dim=1, keepdim=True) / (2 * self.counts.sum()).clamp(min=1)
        size = -(-self.edge // self.stride)
        sums = functional.avg_pool2d(per_patch, size, ceil_mode=True, divisor_override=1)
        return sums.flatten(start_dim=1)

    def _patches(self, moving: Tensor) -> tuple[Tensor, Tensor]:
        """Damped correlation, and structure (0: flat, 1: far from flat), of each patch (n, 2, rows, columns)."""
        gradients = sobel_gradients(moving) * self.weight
        mean = self._patch_means(gradients) * self.inverse_cover
        variance = self._variance(self._patch_means(gradients**2), mean)
        average = variance.sum(dim=(-1, -2), keepdim=True) / self.counts.sum().clamp(min=1)
        damped = variance + self.DAMPING * average
        covariance = self._patch_means(gradients * self.fixed) * self.inverse_cover - mean * self.fixed_mean
        correlation = covariance / (damped * self.fixed_variance + FLAT).sqrt() * self.counts
        return correlation, (variance / (damped + FLAT)).sqrt()

    def _variance(self, squares: Tensor, mean: Tensor) -> Tensor:
        return (squares * self.inverse_cover - mean**2).clamp(min=0) * self.counts

    def _patch_means(self, images: Tensor) -> Tensor:
        rows = functional.avg_pool2d(images, (self.edge, 1), (self.stride, 1))
        return functional.avg_pool2d(rows, (1, self.edge), (1, self.stride))


def _typical(variance: Tensor, counts: Tensor) -> Tensor:
    """Median (1, 2, 1, 1) of the patch variances that count: one glaring edge does not change it."""
    counting = variance[0, :, counts[0, 0] > 0]
    if counting.shape[1] == 0:
        return torch.zeros_like(variance[:, :, :1, :1])
    return counting.median(dim=1).values[None, :, None, None]


def _masked_correlation(moving: Tensor, fixed: Tensor, weight: Tensor) -> Tensor:
    """Pearson's correlation (n, c) of (n, c, h, w) with (1, c, h, w) over the pixels of ``weight``."""
    count = weight.sum().clamp(min=1)

    def mean(images: Tensor) -> Tensor:
        return (images * weight).sum(dim=(-1, -2)) / count

    moving = moving - mean(moving)[..., None, None]
    fixed = fixed - mean(fixed)[..., None, None]
    variances = mean(moving**2) * mean(fixed**2)
    is_flat = variances <= FLAT
    return (
        torch.where(is_flat, torch.zeros_like(variances), mean(moving * fixed))
        / torch.where(is_flat, torch.ones_like(variances), variances).sqrt()
    )
