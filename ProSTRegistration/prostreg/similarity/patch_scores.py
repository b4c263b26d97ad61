"""Patch-GradNCC of many DRRs on the CPU, compiled: what `correlation.PatchGradNcc` gives, without derivatives.

One call scores one image from gradients to patches in a few passes over rows that stay in the cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from prostreg.compilation import compiled


@compiled
def patch_grad_ncc_scores(
    images: Any, weight: Any, fixed: Any, fixed_mean: Any, fixed_variance: Any, inverse_cover: Any, counts: Any,
    edge: int, stride: int, damping: float, flat: float, scores: Any,
) -> None:  # fmt: skip
    """Fills ``scores`` (n,) for ``images`` (n, h, w).

    Args:
        weight: (h, w), 1 where gradients count.
        fixed: masked gradients (2, h, w) of the fixed image.
        fixed_mean: patch means (2, rows, columns) of ``fixed``.
        fixed_variance: damped patch variances, likewise.
        inverse_cover: (rows, columns), 1 over the share of counting pixels in a patch.
        counts: (rows, columns), 1 for patches that count.
        edge: of a patch in pixels.
        stride: between patches in pixels.
        damping: share of the average variance that is added to each.
        flat: keeps the division defined.
    """
    for index in range(len(images)):
        gradients = np.zeros((2, images.shape[1], images.shape[2]), dtype=np.float32)
        _sobel(images[index], weight, gradients)
        agreement, structure = 0.0, 1.0
        for direction in range(2):
            more_agreement, more_structure = _direction_sums(
                gradients[direction], fixed[direction], fixed_mean[direction], fixed_variance[direction],
                inverse_cover, counts, edge, stride, damping, flat,
            )  # fmt: skip
            agreement += more_agreement
            structure += more_structure
        scores[index] = agreement / np.sqrt(structure * max(2.0 * counts.sum(), 1.0))


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
def _direction_sums(
    moving: Any, fixed: Any, fixed_mean: Any, fixed_variance: Any, inverse_cover: Any, counts: Any,
    edge: int, stride: int, damping: float, flat: float,
) -> tuple[float, float]:  # fmt: skip
    """Sums of the damped patch correlations, and of the squared structure, of one gradient direction."""
    rows, columns = counts.shape
    variance = np.empty((rows, columns), dtype=np.float32)
    covariance = np.empty((rows, columns), dtype=np.float32)
    sums = np.zeros((3, moving.shape[1]), dtype=np.float32)
    average = 0.0
    for row in range(rows):
        _column_sums(moving, fixed, row * stride, edge, sums)
        average += _row_of_patches(
            sums, fixed_mean[row], inverse_cover[row], counts[row], edge, stride, variance[row], covariance[row]
        )
    average /= max(counts.sum(), 1.0)
    agreement, structure = 0.0, 0.0
    for row in range(rows):
        for column in range(columns):
            damped = variance[row, column] + damping * average
            scale = damped * fixed_variance[row, column] + flat
            agreement += counts[row, column] * covariance[row, column] / np.sqrt(scale)
            structure += variance[row, column] / (damped + flat)
    return agreement, structure


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
    sums: Any, fixed_mean: Any, inverse_cover: Any, counts: Any, edge: int, stride: int, variance: Any, covariance: Any
) -> float:
    """Variances and covariances of one row of patches; returns the sum of the variances that count."""
    total = 0.0
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
        mean = plain * scale
        variance[patch] = max(square * scale - mean * mean, np.float32(0)) * counts[patch]
        covariance[patch] = product * scale - mean * fixed_mean[patch]
        total += variance[patch]
    return total
