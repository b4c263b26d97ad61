"""Patch-GradNCC as a likelihood: weighs a patch by how sure its correlation is of itself."""

from __future__ import annotations

import torch
from torch import Tensor

from prostreg.similarity.correlation import PatchGradNcc, block_sums


class PatchLikelihood(PatchGradNcc):
    """The logarithm of the patches' likelihood, where what the DRR does not explain is noise of unknown size.

    For a correlation r that is ``-log(1 - r^2) / 2``. A patch that matches well says more about small changes than ten
    that match badly, which `PatchGradNcc` weighs alike so that a search sees every patch. It has no price for structure
    that is brought into the image, and so is for comparing neighbours of a pose that was found, not for searching.
    """

    MOST_CORRELATION = 0.98

    def __call__(self, moving: Tensor) -> Tensor:
        return self._likelihoods(moving).sum(dim=(1, 2))

    def block_shares(self, moving: Tensor, centre: Tensor) -> Tensor:
        """The shares (n, blocks) that each patch-wide block adds to the scores; they need no ``centre``."""
        return block_sums(self._likelihoods(moving)[:, None], -(-self.edge // self.stride))

    def _likelihoods(self, moving: Tensor) -> Tensor:
        """Mean log-likelihood (n, rows, columns) of each patch; nothing where a correlation is negative."""
        correlation, _ = self._patches(moving)
        squares = correlation.clamp(0, self.MOST_CORRELATION) ** 2
        return -torch.log1p(-squares).sum(dim=1) / (2 * self.counts.sum().clamp(min=1))
