"""Patch-GradNCC and its likelihood of many DRRs at once, compiled for the CPU and shared out to all cores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from prostreg.parallel import run_all, share_out
from prostreg.similarity.patch_blocks import block_grid, expansion_at, fill_block_shares
from prostreg.similarity.patch_moments import PatchedXRay
from prostreg.similarity.patch_scores import fill_scores
from prostreg.similarity.patch_slopes import fill_score_and_derivatives


class CompiledScorer:
    """A `Scorer` for one X-ray.

    Args:
        xray: what the kernels know of it.
    """

    def __init__(self, xray: PatchedXRay) -> None:
        self._xray = xray

    def __call__(self, images: Tensor) -> NDArray[np.float64]:
        drrs, scores = images.numpy(), np.empty(len(images))
        share_out(lambda part: fill_scores(drrs[part], self._xray, scores[part]), len(images))
        return scores

    def with_derivatives(self, images: Tensor) -> NDArray[np.float64]:
        drrs, found = images.numpy(), np.empty(images.shape[:2])

        def compare(pose: int) -> None:
            fill_score_and_derivatives(drrs[pose], self._xray, found[pose])

        run_all(compare, range(len(images)))
        return found

    def block_shares(self, images: Tensor, centre: Tensor) -> NDArray[np.float64]:
        _, down, across = block_grid(self._xray)
        drrs, found = images.numpy(), np.empty((len(images), down, across))
        by_correlation, by_structure = expansion_at(centre[0].numpy(), self._xray)

        def share(pose: int) -> None:
            fill_block_shares(drrs[pose], self._xray, by_correlation, by_structure, found[pose])

        run_all(share, range(len(images)))
        return found.reshape(len(images), -1)
