"""Scores of DRRs by their patches on the CPU, compiled: those of `PatchGradNcc` and of `PatchLikelihood`.

A score is a function of two numbers of each patch, its damped correlation and its structure. Both similarities are
written here once, with their derivatives by those two.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from prostreg.compilation import compiled, inlined
from prostreg.similarity.patch_moments import damping_of, patch_moments


@compiled
def fill_scores(images: Any, xray: Any, scores: Any) -> None:
    """Fills ``scores`` (n,) for ``images`` (n, h, w), compared with a `PatchedXRay`."""
    none = np.empty((0, 0, 0))
    for index in range(len(images)):
        _, _, variance, covariance = patch_moments(images[index], xray)
        scores[index] = score_of_patches(variance, covariance, damping_of(variance, xray), xray, none)[0]


@compiled
def score_of_patches(variance: Any, covariance: Any, damping: Any, xray: Any, by_correlation: Any) -> Any:
    """A score, and its derivative by any patch's structure.

    Args:
        variance, covariance: of the patches (2, rows, columns).
        damping: added to the variances of each direction (2,).
        by_correlation: filled with the derivatives (2, rows, columns) by the patches' correlations; empty for none.
    """
    if xray.most_correlation > 0:
        return _likelihood(variance, covariance, damping, xray, by_correlation), 0.0
    return _grad_ncc(variance, covariance, damping, xray, by_correlation)


@inlined
def correlation_and_structure(variance: Any, covariance: Any, damping: Any, xray: Any, patch: Any) -> Any:
    """The damped correlation of a patch, nothing where it does not count, and its structure (0: flat, 1: far from it).

    Args:
        variance, covariance, damping: as for `score_of_patches`.
        patch: its direction, row and column.
    """
    direction, row, column = patch
    damped = variance[direction, row, column] + damping[direction]
    fixed_variance = xray.fixed_variance[direction, row, column]
    covaries = xray.counts[row, column] * covariance[direction, row, column]
    return covaries / np.sqrt(damped * fixed_variance + xray.flat), variance[direction, row, column] / (
        damped + xray.flat
    )


@inlined
def log_likelihood(correlation: float, xray: Any) -> Any:
    """Twice the log-likelihood of a patch; nothing where its correlation is negative."""
    kept = min(max(correlation, 0.0), xray.most_correlation)
    return -np.log(1.0 - kept * kept)


@compiled
def _grad_ncc(variance: Any, covariance: Any, damping: Any, xray: Any, by_correlation: Any) -> Any:
    agreement, structure = 0.0, 1.0
    for direction in range(2):
        for row in range(variance.shape[1]):
            for column in range(variance.shape[2]):
                patch = (direction, row, column)
                correlation, weight = correlation_and_structure(variance, covariance, damping, xray, patch)
                agreement += correlation
                structure += weight
    length = 1.0 / np.sqrt(structure * max(2.0 * xray.patches, 1.0))
    by_correlation[:] = length
    return agreement * length, -agreement * length / (2.0 * structure)


@compiled
def _likelihood(variance: Any, covariance: Any, damping: Any, xray: Any, by_correlation: Any) -> Any:
    total, share = 0.0, 1.0 / max(2.0 * xray.patches, 1.0)
    for direction in range(2):
        for row in range(variance.shape[1]):
            for column in range(variance.shape[2]):
                patch = (direction, row, column)
                correlation, _ = correlation_and_structure(variance, covariance, damping, xray, patch)
                total += log_likelihood(correlation, xray)
                if by_correlation.size > 0 and correlation < xray.most_correlation:
                    kept = max(correlation, 0.0)
                    by_correlation[direction, row, column] = 2.0 * share * kept / (1.0 - kept * kept)
    return share * total
