"""Patch-GradNCC of many DRRs at once, compiled for the CPU and shared out to all cores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from prostreg.parallel import share_out
from prostreg.similarity.patch_scores import patch_grad_ncc_scores


class CompiledScorer:
    """Scores (n,) of DRRs (n, h, w) against one X-ray.

    Args:
        constants: what `patch_scores.patch_grad_ncc_scores` knows of the X-ray.
    """

    def __init__(self, constants: tuple[Any, ...]) -> None:
        self._constants = constants

    def __call__(self, images: Tensor) -> NDArray[np.float64]:
        drrs, scores = images.numpy(), np.empty(len(images))

        def work(part: slice) -> None:
            patch_grad_ncc_scores(drrs[part], *self._constants, scores[part])

        share_out(work, len(images))
        return scores
