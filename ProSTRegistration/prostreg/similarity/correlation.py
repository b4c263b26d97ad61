"""Patch-GradNCC, the similarity that searches climb by default: correlation of image gradients in patches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from prostreg.compilation import KERNELS_AVAILABLE
from prostreg.similarity.selection import Scorer
from prostreg.similarity.torch_scorer import TorchScorer

FLAT = 1e-12
"""Variance below which an image counts as flat, relative to its mean square."""


class PatchGradNcc:
    """GradNCC taken in square patches (Grupp et al., IEEE TBME 2020, section II-C), not averaged, but as a cosine.

    A patch's correlation is damped where a patch is nearly flat against the whole image, so that
    noise in empty areas counts for nothing: it is the correlation times the structure of both
    patches, 0 to 1. Their sum is divided by the length of the DRR's structure, so that equal
    images are the maximum (Cauchy-Schwarz). The plain average rises as long as a pose brings
    more structure into the image: it drew small anatomies millimetres towards the source.

    Args:
        fixed: (h, w).
        mask: bool (h, w).
        radius: of a patch in pixels; its edge is ``2 radius + 1``.
        stride: between patches in pixels.
    """

    DAMPING = 0.05
    LEAST_COVER = 0.5
    MOST_CORRELATION = 0.0
    """Where a likelihood is cut off; 0 for correlations, which are summed as they are."""

    def __init__(self, fixed: Tensor, mask: Tensor, radius: int, stride: int = 1) -> None:
        self.edge = min(2 * radius + 1, *fixed.shape)
        self.stride = stride
        self.weight = eroded_mask(mask).to(fixed.dtype)
        self.fixed = sobel_gradients(fixed[None]) * self.weight
        cover = self.patch_means(self.weight[None, None])
        self.inverse_cover = 1 / cover.clamp(min=1e-6)
        self.counts = (cover >= self.LEAST_COVER).to(fixed.dtype)
        self.fixed_mean = self.patch_means(self.fixed) * self.inverse_cover
        variance = self._variance(self.patch_means(self.fixed**2), self.fixed_mean)
        self.fixed_variance = variance + self.DAMPING * _typical(variance, self.counts)

    def __call__(self, moving: Tensor) -> Tensor:
        correlation, structure = self._patches(moving)
        everywhere = (2 * self.counts.sum()).clamp(min=1)
        return correlation.sum(dim=(1, 2, 3)) / ((structure.sum(dim=(1, 2, 3)) + 1) * everywhere).sqrt()

    def scorer(self) -> Scorer:
        """Scores compiled for the CPU, on all cores; by torch where kernels cannot be compiled."""
        if not KERNELS_AVAILABLE:
            return TorchScorer(self)
        from prostreg.similarity.patch_moments import PatchedXRay
        from prostreg.similarity.scorer import CompiledScorer

        return CompiledScorer(
            PatchedXRay(
                self.weight.numpy(), self.fixed[0].numpy(), self.fixed_mean[0].numpy(), self.fixed_variance[0].numpy(),
                self.inverse_cover[0, 0].numpy(), self.counts[0, 0].numpy(), float(self.counts.sum()), self.edge,
                self.stride, self.DAMPING, FLAT, self.MOST_CORRELATION,
            )
        )  # fmt: skip

    def confirmed_structure(self, moving: Tensor) -> Tensor:
        """Like the score, but weighted by how much structure the DRR has in a patch (n,).

        It tells how much of what the DRR claims is confirmed by the image, whether the anatomy
        has edges everywhere or only along an outline.
        """
        correlation, structure = self._patches(moving)
        return (correlation * (structure + FLAT).sqrt()).sum(dim=(1, 2, 3)) / (structure.sum(dim=(1, 2, 3)) + FLAT)

    def block_shares(self, moving: Tensor, centre: Tensor) -> Tensor:
        """The shares (n, blocks) that each patch-wide block of the image adds to the scores, to first order.

        The score is a quotient of sums; here it is expanded around the image ``centre`` (1, h, w),
        so that differences between the images (n, h, w) add up to those of their scores. Patches
        of one block overlap, those of different blocks hardly do.
        """
        agreement, structure = (part.sum(dim=1, keepdim=True) for part in self._patches(moving))
        central_agreement, central_structure = (part.sum() for part in self._patches(centre))
        slope = central_agreement / (2 * (central_structure + 1))
        everywhere = (2 * self.counts.sum()).clamp(min=1)
        shares = (agreement - slope * structure) / ((central_structure + 1) * everywhere).sqrt()
        return block_sums(shares, -(-self.edge // self.stride))

    def _patches(self, moving: Tensor) -> tuple[Tensor, Tensor]:
        """Damped correlation and squared structure (0: flat, 1: far from flat) of the patches (n, 2, rows, columns)."""
        gradients = sobel_gradients(moving) * self.weight
        mean = self.patch_means(gradients) * self.inverse_cover
        variance = self._variance(self.patch_means(gradients**2), mean)
        average = variance.sum(dim=(-1, -2), keepdim=True) / self.counts.sum().clamp(min=1)
        damped = variance + self.DAMPING * average
        covariance = self.patch_means(gradients * self.fixed) * self.inverse_cover - mean * self.fixed_mean
        correlation = covariance / (damped * self.fixed_variance + FLAT).sqrt() * self.counts
        return correlation, variance / (damped + FLAT)

    def _variance(self, squares: Tensor, mean: Tensor) -> Tensor:
        return (squares * self.inverse_cover - mean**2).clamp(min=0) * self.counts

    def patch_means(self, images: Tensor) -> Tensor:
        """Means (n, c, rows, columns) of the patches of images (n, c, h, w)."""
        rows = functional.avg_pool2d(images, (self.edge, 1), (self.stride, 1))
        return functional.avg_pool2d(rows, (1, self.edge), (1, self.stride))


def block_sums(shares: Tensor, size: int) -> Tensor:
    """Sums (n, blocks) of patches (n, 1, rows, columns) over blocks of ``size`` patches each way."""
    return functional.avg_pool2d(shares, size, ceil_mode=True, divisor_override=1).flatten(start_dim=1)


def _typical(variance: Tensor, counts: Tensor) -> Tensor:
    """Mean (1, 2, 1, 1) of the patch variances that count, the largest quarter capped: metal does not change it."""
    counting = variance[0, :, counts[0, 0] > 0]
    if counting.shape[1] == 0:
        return torch.zeros_like(variance[:, :, :1, :1])
    cap = torch.quantile(counting, 0.75, dim=1, keepdim=True)
    return torch.minimum(counting, cap).mean(dim=1)[None, :, None, None]


def sobel_gradients(images: Tensor) -> Tensor:
    """Sobel derivatives along u and v of images (n, h, w): (n, 2, h, w), zero on the border pixels."""
    if images.device.type != "cpu":
        return sobel_by_slices(images)
    along = torch.tensor([-0.5, 0.0, 0.5], dtype=images.dtype, device=images.device)
    across = torch.tensor([0.25, 0.5, 0.25], dtype=images.dtype, device=images.device)
    kernels = torch.stack([across[:, None] * along, along[:, None] * across])[:, None]
    inner = functional.conv2d(images[:, None], kernels)
    return functional.pad(inner, (1, 1, 1, 1))


def sobel_by_slices(images: Tensor) -> Tensor:
    """The same as `sobel_gradients` in sums of slices: GPUs convolve with ten bits of each number by default."""
    columns = 0.25 * (images[:, :-2] + images[:, 2:]) + 0.5 * images[:, 1:-1]
    rows = 0.25 * (images[..., :-2] + images[..., 2:]) + 0.5 * images[..., 1:-1]
    inner = [0.5 * (columns[..., 2:] - columns[..., :-2]), 0.5 * (rows[:, 2:] - rows[:, :-2])]
    return functional.pad(torch.stack(inner, dim=1), (1, 1, 1, 1))


def eroded_mask(mask: Tensor) -> Tensor:
    """Pixels (h, w) whose 3x3 neighbourhood lies inside a bool mask and inside the image."""
    outside = functional.pad((~mask)[None, None].to(torch.float32), (1, 1, 1, 1), value=1.0)
    return functional.max_pool2d(outside, 3, stride=1)[0, 0] == 0
