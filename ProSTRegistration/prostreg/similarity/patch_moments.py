"""Patches of a DRR's gradients beside those of an X-ray, compiled for the CPU: what `PatchGradNcc` compares.

Few passes over rows that stay in the cache; a patch's sums follow from its neighbour's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from prostreg.compilation import compiled


class PatchedXRay(NamedTuple):
    """Constants of a comparison with one X-ray.

    Attributes:
        weight: (h, w), 1 where gradients count.
        fixed: masked gradients (2, h, w) of the X-ray.
        fixed_mean: patch means (2, rows, columns) of ``fixed``.
        fixed_variance: damped patch variances, likewise.
        inverse_cover: (rows, columns), 1 over the share of counting pixels in a patch.
        counts: (rows, columns), 1 for patches that count.
        patches: how many count.
        edge: of a patch in pixels.
        stride: between patches in pixels.
        damping: share of the average variance that is added to each.
        flat: keeps the division defined.
        most_correlation: where the likelihood is cut off; 0 for Patch-GradNCC.
    """

    weight: Any
    fixed: Any
    fixed_mean: Any
    fixed_variance: Any
    inverse_cover: Any
    counts: Any
    patches: float
    edge: int
    stride: int
    damping: float
    flat: float
    most_correlation: float


@compiled
def patch_moments(image: Any, xray: Any) -> tuple[Any, Any, Any, Any]:
    """Gradients (2, h, w) of a DRR (h, w); means, variances and covariances (2, rows, columns) of its patches."""
    height, width = image.shape
    rows, columns = xray.counts.shape
    gradients = np.zeros((2, height, width), dtype=np.float32)
    _sobel(image, xray.weight, gradients)
    mean = np.empty((2, rows, columns), dtype=np.float32)
    variance, covariance = np.empty_like(mean), np.empty_like(mean)
    sums = np.empty((3, width), dtype=np.float32)
    for direction in range(2):
        for row in range(rows):
            _column_sums(gradients[direction], xray.fixed[direction], row * xray.stride, xray.edge, sums)
            _row_of_patches(
                sums, xray.fixed_mean[direction, row], xray.inverse_cover[row], xray.counts[row], xray.edge,
                xray.stride, mean[direction, row], variance[direction, row], covariance[direction, row],
            )  # fmt: skip
    return gradients, mean, variance, covariance


@compiled
def damping_of(variance: Any, xray: Any) -> Any:
    """Share of their average (2,) that is added to the variances (2, rows, columns) of each direction."""
    sums = np.zeros(2)
    for direction in range(2):
        for row in range(variance.shape[1]):
            for column in range(variance.shape[2]):
                sums[direction] += variance[direction, row, column]
    return sums * (xray.damping / max(xray.patches, 1.0))


@compiled
def _sobel(image: Any, weight: Any, gradients: Any) -> None:
    half, quarter = np.float32(0.5), np.float32(0.25)
    for row in range(1, image.shape[0] - 1):
        above, here, below = image[row - 1], image[row], image[row + 1]
        for column in range(1, image.shape[1] - 1):
            left = quarter * (above[column - 1] + below[column - 1]) + half * here[column - 1]
            right = quarter * (above[column + 1] + below[column + 1]) + half * here[column + 1]
            upper = quarter * (above[column - 1] + above[column + 1]) + half * above[column]
            lower = quarter * (below[column - 1] + below[column + 1]) + half * below[column]
            gradients[0, row, column] = half * (right - left) * weight[row, column]
            gradients[1, row, column] = half * (lower - upper) * weight[row, column]


@compiled
def _column_sums(moving: Any, fixed: Any, first: int, edge: int, sums: Any) -> None:
    """Sums of m, m^2 and m f over ``edge`` rows from ``first``, for each column."""
    sums[:] = 0
    for row in range(first, first + edge):
        for column in range(moving.shape[1]):
            value = moving[row, column]
            sums[0, column] += value
            sums[1, column] += value * value
            sums[2, column] += value * fixed[row, column]


@compiled
def _row_of_patches(
    sums: Any, fixed_mean: Any, inverse_cover: Any, counts: Any, edge: int, stride: int,
    mean: Any, variance: Any, covariance: Any,
) -> None:  # fmt: skip
    """Means, variances and covariances of one row of patches."""
    area = np.float32(1.0 / (edge * edge))
    plain, square, product = np.float32(0), np.float32(0), np.float32(0)
    for column in range(edge):
        plain += sums[0, column]
        square += sums[1, column]
        product += sums[2, column]
    for patch in range(len(counts)):
        if patch > 0:
            for column in range((patch - 1) * stride, patch * stride):
                plain += sums[0, column + edge] - sums[0, column]
                square += sums[1, column + edge] - sums[1, column]
                product += sums[2, column + edge] - sums[2, column]
        scale = area * inverse_cover[patch]
        mean[patch] = plain * scale
        variance[patch] = max(square * scale - mean[patch] * mean[patch], np.float32(0)) * counts[patch]
        covariance[patch] = product * scale - mean[patch] * fixed_mean[patch]
