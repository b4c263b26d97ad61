"""Scores many DRRs at once with Patch-GradNCC, the quick way where there is one, on all cores."""

from __future__ import annotations

import importlib.util
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from prostreg.parallel import share_out
from prostreg.similarity.correlation import FLAT, PatchGradNcc


class Scorer(Protocol):
    """Scores images against one fixed image."""

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores (n,) of DRRs (n, h, w)."""


class TorchScorer:
    """Any similarity written in torch."""

    def __init__(self, similarity: PatchGradNcc) -> None:
        self._similarity = similarity

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        with torch.no_grad():
            return self._similarity(torch.from_numpy(images)).numpy().astype(np.float64)


class CompiledScorer:
    """Patch-GradNCC compiled for the CPU."""

    def __init__(self, similarity: PatchGradNcc) -> None:
        self._constants = (
            similarity.weight.numpy(), similarity.fixed[0].numpy(), similarity.fixed_mean[0].numpy(),
            similarity.fixed_variance[0].numpy(), similarity.inverse_cover[0, 0].numpy(),
            similarity.counts[0, 0].numpy(), similarity.edge, similarity.stride, similarity.DAMPING, FLAT,
        )  # fmt: skip

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        from prostreg.similarity.patch_scores import patch_grad_ncc_scores

        scores = np.empty(len(images))

        def work(part: slice) -> None:
            patch_grad_ncc_scores(images[part], *self._constants, scores[part])

        share_out(work, len(images))
        return scores


def make_scorer(similarity: PatchGradNcc) -> Scorer:
    """The compiled scorer where numba is installed, else the one in torch."""
    if importlib.util.find_spec("numba") is None:
        return TorchScorer(similarity)
    return CompiledScorer(similarity)
