"""Image gradients for the similarities."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def sobel_gradients(images: Tensor) -> Tensor:
    """Sobel derivatives along u and v of images (n, h, w): (n, 2, h, w), zero on the border pixels."""
    along = torch.tensor([-0.5, 0.0, 0.5], dtype=images.dtype, device=images.device)
    across = torch.tensor([0.25, 0.5, 0.25], dtype=images.dtype, device=images.device)
    kernels = torch.stack([across[:, None] * along, along[:, None] * across])[:, None]
    inner = functional.conv2d(images[:, None], kernels)
    return functional.pad(inner, (1, 1, 1, 1))


def eroded_mask(mask: Tensor) -> Tensor:
    """Pixels (h, w) whose 3x3 neighbourhood lies inside a bool mask and inside the image."""
    outside = functional.pad((~mask)[None, None].to(torch.float32), (1, 1, 1, 1), value=1.0)
    return functional.max_pool2d(outside, 3, stride=1)[0, 0] == 0
