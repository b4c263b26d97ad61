"""Similarities: their interface, and the one that is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from prostreg.choices import SIMILARITIES, loaded


class Scorer(Protocol):
    """Scores DRRs against one X-ray, in numbers that have left the device."""

    def __call__(self, images: Tensor) -> NDArray[np.float64]:
        """Scores (n,) of DRRs (n, h, w), without derivatives."""

    def with_derivatives(self, images: Tensor) -> NDArray[np.float64]:
        """Scores and derivatives (n, 7) of DRRs with their six derivatives (n, 7, h, w)."""

    def block_shares(self, images: Tensor, centre: Tensor) -> NDArray[np.float64]:
        """Shares (n, blocks) of image blocks in the scores of DRRs (n, h, w), as `Similarity.block_shares`."""


class Similarity(Protocol):
    """Compares DRRs (n, h, w) with one X-ray (h, w) inside its mask."""

    def __call__(self, moving: Tensor) -> Tensor:
        """Scores (n,) from -1 to 1, differentiable in the DRRs: what a search climbs."""

    def confirmed_structure(self, moving: Tensor) -> Tensor:
        """Share (n,) of the DRRs' structure that the X-ray confirms: what the verdict judges."""

    def block_shares(self, moving: Tensor, centre: Tensor) -> Tensor:
        """Shares (n, blocks) of image blocks in the scores, to first order around a DRR ``centre`` (1, h, w).

        Differences between DRRs add up to those of their scores: the expected error is taken from their unevenness.
        """

    def scorer(self) -> Scorer:
        """The quickest way to scores on the CPU, with derivatives and without."""


MakeSimilarity = Callable[[Tensor, Tensor, int, int], Similarity]
"""From an X-ray (h, w), its mask bool (h, w), and the radius and stride of patches in pixels."""


def similarity_called(name: str) -> MakeSimilarity:
    """The similarity of that name, one of SIMILARITIES."""
    made: MakeSimilarity = loaded(SIMILARITIES[name])
    return made
