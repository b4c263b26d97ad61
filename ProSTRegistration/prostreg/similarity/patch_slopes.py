"""Derivatives of patch scores by a DRR's pixels, and with those by its pose: the way back through `patch_moments`.

Autograd gives the same in ten times the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from prostreg.compilation import compiled
from prostreg.similarity.patch_moments import damping_of, patch_moments
from prostreg.similarity.patch_scores import score_of_patches


@compiled
def fill_score_and_derivatives(image: Any, xray: Any, found: Any) -> None:
    """Fills ``found`` (7,) with the score of a DRR and its derivatives.

    Args:
        image: (7, h, w) the DRR and its derivatives.
        xray: a `PatchedXRay`.
    """
    gradients, mean, variance, covariance = patch_moments(image[0], xray)
    damping, by_correlation = damping_of(variance, xray), np.zeros(variance.shape)
    found[0], by_structure = score_of_patches(variance, covariance, damping, xray, by_correlation)
    by_gradients = np.zeros((2, image.shape[1] + 2, image.shape[2] + 2))
    for direction in range(2):
        by_moments = _by_moments(
            mean[direction], variance[direction], covariance[direction], damping[direction],
            xray.fixed_mean[direction], xray.fixed_variance[direction], by_correlation[direction], by_structure, xray,
        )  # fmt: skip
        _spread(by_moments, gradients[direction], xray.fixed[direction], xray, by_gradients[direction])
    _sum_along_pose(_by_pixels(by_gradients), image, found)


@compiled
def _by_moments(
    mean: Any, variance: Any, covariance: Any, damping: float, fixed_mean: Any, fixed_variance: Any,
    by_correlation: Any, by_structure: float, xray: Any,
) -> Any:  # fmt: skip
    """Derivatives (3, rows, columns) by the sums of m, m^2 and m f in each patch of one gradient direction."""
    rows, columns = mean.shape
    by_moments, by_all = np.empty((3, rows, columns)), 0.0
    for row in range(rows):
        for column in range(columns):
            damped = variance[row, column] + damping
            inverse = 1.0 / np.sqrt(damped * fixed_variance[row, column] + xray.flat)
            scale = 1.0 / (damped + xray.flat)
            by_covariance = by_correlation[row, column] * inverse * xray.counts[row, column]
            by_damped = -0.5 * by_covariance * covariance[row, column] * fixed_variance[row, column] * inverse * inverse
            by_damped -= by_structure * variance[row, column] * scale * scale
            by_all += by_damped
            by_moments[1, row, column] = by_structure * scale + by_damped
            by_moments[2, row, column] = by_covariance
    by_average = xray.damping * by_all / max(xray.patches, 1.0)
    for row in range(rows):
        for column in range(columns):
            per_sum = xray.inverse_cover[row, column] / (xray.edge * xray.edge)
            varies = xray.counts[row, column] if variance[row, column] > 0 else 0.0
            by_variance = (by_moments[1, row, column] + by_average) * varies
            by_covariance = by_moments[2, row, column]
            by_mean = -2.0 * mean[row, column] * by_variance - fixed_mean[row, column] * by_covariance
            by_moments[0, row, column] = per_sum * by_mean
            by_moments[1, row, column] = per_sum * by_variance
            by_moments[2, row, column] = per_sum * by_covariance
    return by_moments


@compiled
def _spread(by_moments: Any, moving: Any, fixed: Any, xray: Any, by_gradient: Any) -> None:
    """Fills derivatives by gradients (h + 2, w + 2), a rim of zeros around, from those by the patches' sums."""
    height, width = moving.shape
    across = _spread_across(by_moments, width, xray)
    here = np.zeros((3, width))
    for row in range(height):
        if row % xray.stride == 0:
            _add_row(across, row // xray.stride, 1.0, here)
        if row >= xray.edge and (row - xray.edge) % xray.stride == 0:
            _add_row(across, (row - xray.edge) // xray.stride, -1.0, here)
        for column in range(width):
            value = here[0, column] + 2.0 * moving[row, column] * here[1, column] + fixed[row, column] * here[2, column]
            by_gradient[row + 1, column + 1] = value * xray.weight[row, column]


@compiled
def _add_row(across: Any, row: int, sign: float, here: Any) -> None:
    """Adds a row of patches to the sums (3, w) over those that hold a row of pixels, where there is one."""
    if row < across.shape[1]:
        for moment in range(across.shape[0]):
            for column in range(here.shape[1]):
                here[moment, column] += sign * across[moment, row, column]


@compiled
def _spread_across(by_moments: Any, width: int, xray: Any) -> Any:
    """Sums (3, rows, w) over the patches of a row that hold a column."""
    moments, rows, columns = by_moments.shape
    across = np.zeros((moments, rows, width + 1))
    for moment in range(moments):
        for row in range(rows):
            for column in range(columns):
                first, value = column * xray.stride, by_moments[moment, row, column]
                across[moment, row, first] += value
                across[moment, row, first + xray.edge] -= value
            for column in range(1, width):
                across[moment, row, column] += across[moment, row, column - 1]
    return across


@compiled
def _by_pixels(by_gradients: Any) -> Any:
    """Derivatives (h, w) by the DRR's pixels from those by its Sobel gradients (2, h + 2, w + 2): Sobel's transpose."""
    along_u, along_v = by_gradients
    slopes = np.empty((along_u.shape[0] - 2, along_u.shape[1] - 2))
    for row in range(slopes.shape[0]):
        for column in range(slopes.shape[1]):
            up, here, down = row, row + 1, row + 2
            before, at, after = column, column + 1, column + 2
            left = 0.25 * (along_u[up, before] + along_u[down, before]) + 0.5 * along_u[here, before]
            right = 0.25 * (along_u[up, after] + along_u[down, after]) + 0.5 * along_u[here, after]
            above = 0.25 * (along_v[up, before] + along_v[up, after]) + 0.5 * along_v[up, at]
            below = 0.25 * (along_v[down, before] + along_v[down, after]) + 0.5 * along_v[down, at]
            slopes[row, column] = 0.5 * (left - right + above - below)
    return slopes


@compiled
def _sum_along_pose(slopes: Any, image: Any, found: Any) -> None:
    """Fills ``found[1:]`` with the score's derivatives by the pose, from those by the pixels."""
    for channel in range(1, len(image)):
        total = 0.0
        for row in range(slopes.shape[0]):
            for column in range(slopes.shape[1]):
                total += slopes[row, column] * image[channel, row, column]
        found[channel] = total
