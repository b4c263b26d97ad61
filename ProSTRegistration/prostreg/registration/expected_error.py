"""The expected error of a pose, from the curvature of the similarity and its unevenness over the image.

The pose is where the mean of many patches' correlations is highest. Each patch alone would pull it elsewhere: the
flatter the mean (small curvature) and the more the patches disagree (large pulls), the less certain the pose. That is
the covariance of an M-estimator, ``H^-1 J H^-1`` with H the curvature and J the scatter of the pulls (P. J. Huber,
"The behavior of maximum likelihood estimates under nonstandard conditions", 1967). The pulls are summed over blocks
as wide as a patch, since patches overlap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import transform_points
from prostreg.registration.result import ExpectedError
from prostreg.search.objective import Objective

STEPS = np.array([np.deg2rad(0.5)] * 3 + [0.5, 0.5, 3.0])
"""Largest steps of the finite differences in the chart's parameters: half a pixel or so of one usual view."""

REDUCTIONS = (1.0, 1 / 3, 1 / 9, 1 / 27)
LARGEST_FALL = 0.05
"""Steps are reduced until the score falls by less than this share: another view may see depth as a shift."""


def pose_covariance(
    objective: Objective, chart: PoseChart, spread: NDArray[np.float64], inflation: float
) -> NDArray[np.float64]:
    """Covariance (6, 6) of the pose at the chart's origin, in rad and mm.

    Args:
        objective: at whose optimum the pose lies.
        spread: (6,) uncertainty of the start; what the images leave open keeps it.
        inflation: factor on the variances, from a fit to true errors.
    """
    steps = _steps(objective, chart)
    pulls, curvature = _pulls(objective, chart, steps), _curvature(objective, chart, steps)
    scatter = pulls.T @ pulls
    values, vectors = np.linalg.eigh(-curvature)
    stiffness = np.maximum(values, 1e-9)
    inverse = (vectors / stiffness) @ vectors.T
    from_image = inflation * inverse @ scatter @ inverse
    spread_steps = np.diag((spread / steps) ** 2)
    combined = spread_steps @ np.linalg.inv(from_image + spread_steps) @ from_image
    return np.asarray(combined * np.outer(steps, steps))


def expected_error(covariance: NDArray[np.float64], chart: PoseChart, points_mm: NDArray[np.float64]) -> ExpectedError:
    """Standard deviations per parameter, and over points (n, 3) of the volume frame."""
    deviations = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    arms = (transform_points(chart.camera_from_volume, points_mm) - chart.centre_camera_mm) @ chart.camera_from_axes
    motion = np.zeros((len(arms), 3, 6))
    motion[:, 0, 1], motion[:, 0, 2] = arms[:, 2], -arms[:, 1]
    motion[:, 1, 0], motion[:, 1, 2] = -arms[:, 2], arms[:, 0]
    motion[:, 2, 0], motion[:, 2, 1] = arms[:, 1], -arms[:, 0]
    motion[:, :, 3:] = np.eye(3)
    variance = np.einsum("nij,jk,nik->n", motion, covariance, motion)
    rms_mm = float(np.sqrt(np.maximum(variance, 0.0).mean()))
    return ExpectedError(np.rad2deg(deviations[:3]), deviations[3:], rms_mm)


def _steps(objective: Objective, chart: PoseChart) -> NDArray[np.float64]:
    """For each parameter the largest step (6,) within which the score is about a parabola."""
    sizes = np.concatenate([np.diag(STEPS) * reduction for reduction in REDUCTIONS])
    scores = objective.scores(chart.world_from_volume_at(np.concatenate([np.zeros((1, 6)), sizes, -sizes])))
    ahead, behind = scores[1:].reshape(2, len(REDUCTIONS), 6)
    falls = scores[0] - (ahead + behind) / 2
    is_small = falls < LARGEST_FALL * abs(scores[0])
    first_small = np.where(is_small.any(axis=0), is_small.argmax(axis=0), len(REDUCTIONS) - 1)
    return np.asarray(STEPS * np.array(REDUCTIONS)[first_small])


def _curvature(objective: Objective, chart: PoseChart, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Second derivative (6, 6) of the score, per step."""
    rows = []
    for step in np.diag(steps):
        _, ahead = objective.score_and_gradient(chart, step)
        _, behind = objective.score_and_gradient(chart, -step)
        rows.append((ahead - behind) / 2 * steps)
    curvature = np.array(rows)
    return np.asarray((curvature + curvature.T) / 2)


def _pulls(objective: Objective, chart: PoseChart, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Derivative (blocks, 6) of each block's part of the score, per step."""
    poses = chart.world_from_volume_at(np.concatenate([np.diag(steps), -np.diag(steps)]))
    shares = objective.block_shares(poses, chart.world_from_volume)
    return np.asarray((shares[:6] - shares[6:]).T / 2)
