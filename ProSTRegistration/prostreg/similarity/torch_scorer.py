"""Scores by torch: of any similarity, wherever the DRRs and the X-ray are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prostreg.parallel import run_all, single_threaded_torch
from prostreg.similarity.selection import Similarity


def scores_by_autograd(similarity: Similarity, images: Tensor) -> Tensor:
    """Scores and derivatives (n, 7) of DRRs with derivatives (n, 7, h, w), float64: of any similarity."""
    drrs = images[:, 0].contiguous().requires_grad_()
    scores = similarity(drrs)
    (per_pixel,) = torch.autograd.grad(scores.sum(), drrs)
    derivatives = images[:, 1:].flatten(2).double() @ per_pixel.flatten(1).double()[..., None]
    return torch.cat([scores.detach().double()[:, None], derivatives[..., 0]], dim=1)


class TorchScorer:
    """A `Scorer` of any similarity; only the numbers leave its device.

    Args:
        similarity: to an X-ray, on the device of the DRRs.
        compared: scores with derivatives, as `scores_by_autograd` gives them.
    """

    def __init__(
        self, similarity: Similarity, compared: Callable[[Similarity, Tensor], Tensor] = scores_by_autograd
    ) -> None:
        self._similarity, self._compared = similarity, compared

    def __call__(self, images: Tensor) -> NDArray[np.float64]:
        with torch.no_grad():
            found: NDArray[np.float64] = self._similarity(images).cpu().numpy().astype(np.float64)
        return found

    def with_derivatives(self, images: Tensor) -> NDArray[np.float64]:
        if images.device.type != "cpu":
            return np.asarray(self._compared(self._similarity, images).cpu().numpy())
        found = np.empty(images.shape[:2])

        def compare(pose: int) -> None:
            """Each on one core and alone: rounding does not depend on how many cores there are."""
            found[pose] = self._compared(self._similarity, images[pose : pose + 1])[0].numpy()

        with single_threaded_torch():
            run_all(compare, range(len(images)))
        return found

    def block_shares(self, images: Tensor, centre: Tensor) -> NDArray[np.float64]:
        with torch.no_grad(), single_threaded_torch():
            shares = self._similarity.block_shares(images, centre)
        return np.asarray(shares.cpu().numpy().astype(np.float64))
