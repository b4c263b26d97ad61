"""The gradient of L_N in whitened pose parameters: the quantity that training shapes and a descent follows.

Parameters are those of the pose chart at the pose itself (turns about the anatomy's centre, shifts along the viewing
ray), divided by the spread of the starts. In them a descent step of 1 against the gradient of half the squared
distance ends at the truth, and depth, which an image shows least, does not outweigh the rest.
"""

from __future__ import annotations

import torch
from torch import Tensor

from prostreg.prost.network import Comparison


def gradient_of(comparison: Comparison, whitened: Tensor, create_graph: bool) -> Tensor:
    """Gradient (n, 6) of L_N (n,) with respect to the whitened parameters (n, 6) that it was computed from."""
    (gradient,) = torch.autograd.grad(comparison.similarity.sum(), whitened, create_graph=create_graph)
    return gradient
