"""Scores of DRRs with their derivatives by the pose, from DRRs with theirs."""

from __future__ import annotations

import torch
from torch import Tensor

from prostreg.similarity.correlation import FLAT, PatchGradNcc, sobel_gradients
from prostreg.similarity.selection import Similarity
from prostreg.similarity.torch_scorer import scores_by_autograd


@torch.no_grad()
def scores_in_one_pass(similarity: Similarity, images: Tensor) -> Tensor:
    """The same as `scores_by_autograd`, for Patch-GradNCC by derivatives that go along with the values.

    Seven images of a pose go through the same few dozen operations whatever the number of poses, and nothing goes
    back: a third fewer operations than autograd's, and on a GPU starting one costs more than doing it.
    """
    if type(similarity) is not PatchGradNcc:
        with torch.enable_grad():
            return scores_by_autograd(similarity, images)
    of, counts = similarity, similarity.counts
    count, channels, height, width = images.shape
    gradients = sobel_gradients(images.flatten(0, 1)).reshape(count, channels, 2, height, width) * of.weight
    products = torch.cat([gradients, gradients * gradients[:, :1], gradients * of.fixed], dim=1)
    means = of.patch_means(products.flatten(1, 2)) * of.inverse_cover
    plain, square, cross = means.reshape(count, 3, channels, 2, *means.shape[2:]).unbind(1)
    mean, mean_d = plain[:, :1], plain[:, 1:]
    raised = square[:, :1] - mean**2
    variance = raised.clamp(min=0) * counts
    variance_d = 2 * (square[:, 1:] - mean * mean_d) * counts * (raised > 0)
    share = of.DAMPING / counts.sum().clamp(min=1)
    damped = variance + share * variance.sum(dim=(-1, -2), keepdim=True)
    damped_d = variance_d + share * variance_d.sum(dim=(-1, -2), keepdim=True)
    covariance, covariance_d = cross[:, :1] - mean * of.fixed_mean, cross[:, 1:] - mean_d * of.fixed_mean
    inverse = (damped * of.fixed_variance + FLAT).rsqrt() * counts
    agreement = (covariance * inverse).sum(dim=(2, 3, 4))
    fall = 0.5 * covariance * of.fixed_variance * inverse**3
    agreement_d = (covariance_d * inverse - fall * damped_d).sum(dim=(2, 3, 4))
    scale = 1 / (damped + FLAT)
    structure = (variance * scale).sum(dim=(2, 3, 4)) + 1
    structure_d = ((variance_d - variance * scale * damped_d) * scale).sum(dim=(2, 3, 4))
    length = (structure * (2 * counts.sum()).clamp(min=1)).rsqrt()
    scores = agreement * length
    return torch.cat([scores, agreement_d * length - scores * structure_d / (2 * structure)], dim=1).double()
