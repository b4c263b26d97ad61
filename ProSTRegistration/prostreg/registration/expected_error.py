"""The expected error of a pose, from the curvature of the similarity and its unevenness over the image.

The pose is where the mean of many patches' correlations is highest. Each patch alone would pull it elsewhere: the
flatter the mean (small curvature) and the more the patches disagree (large pulls), the less certain the pose. That is
the covariance of an M-estimator, ``H^-1 J H^-1`` with H the curvature and J the scatter of the pulls (P. J. Huber,
"The behavior of maximum likelihood estimates under nonstandard conditions", 1967). The pulls are summed over blocks
as wide as a patch, since patches overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import transform_points
from prostreg.registration.result import ExpectedError
from prostreg.search.objective import Comparison, Objective

Array = NDArray[np.float64]

STEPS = np.array([np.deg2rad(0.5)] * 3 + [0.5, 0.5, 3.0])
"""Largest steps of the finite differences in the chart's parameters: half a pixel or so of one usual view."""

REDUCTIONS = (1.0, 1 / 3, 1 / 9, 1 / 27)
LARGEST_FALL = 0.05
"""Steps are reduced until the score falls by less than this share: another view may see depth as a shift."""

LEAST_STIFFNESS = 1e-9


@dataclass(frozen=True, eq=False)
class Parabola:
    """The shape of a score around its optimum, in steps of its parameters.

    Attributes:
        steps: (p,) sizes of the steps, in the parameters' units.
        curvature: (p, p) second derivative of the score.
        pulls: (blocks, p) derivative of each block's part of the score.
    """

    steps: Array
    curvature: Array
    pulls: Array

    @property
    def reach(self) -> Array:
        """(blocks, p): where each block's pull alone would move the optimum, in the parameters' units."""
        return np.asarray(self.pulls @ inverse_stiffness(self.curvature) * self.steps)


def pose_parabola(objective: Objective, chart: PoseChart) -> Parabola:
    """The shape of an objective's score around the chart's origin, in the chart's parameters."""
    steps = _steps(objective, chart)
    around = _around(objective, chart, steps)
    shares = objective.block_shares(around.images, objective.images(chart.world_from_volume[None]))
    return Parabola(steps, _curvature(around, steps), np.asarray((shares[:6] - shares[6:]).T / 2))


def inverse_stiffness(curvature: Array) -> Array:
    """(p, p): from a score's gradient to the step to its optimum, by its curvature (p, p); finite where it is flat."""
    values, vectors = np.linalg.eigh(-curvature)
    return np.asarray((vectors / np.maximum(values, LEAST_STIFFNESS)) @ vectors.T)


def pose_covariance(parabola: Parabola, spread: Array, inflation: float) -> Array:
    """Covariance (6, 6) of the pose at the chart's origin, in rad and mm.

    Args:
        parabola: around the optimum at which the pose lies.
        spread: (6,) uncertainty of the start; what the images leave open keeps it.
        inflation: factor on the variances, from a fit to true errors.
    """
    reach = inflation**0.5 * parabola.reach / spread
    return combined(reach.T @ reach, np.eye(6)) * np.outer(spread, spread)


def combined(from_image: Array, known: Array) -> Array:
    """Covariance (p, p) of what an image and prior knowledge tell together; that of the image need not be invertible.

    Written as what the image takes from the prior: where it tells nothing its covariance is vast, and a product with it
    would be all rounding.
    """
    return np.asarray(known - known @ np.linalg.solve(from_image + known, known))


def expected_error(covariance: Array, chart: PoseChart, points_mm: Array) -> ExpectedError:
    """Standard deviations per parameter, and over points (n, 3) of the volume frame."""
    deviations = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    across_mm, along_mm = point_errors_mm(covariance, chart, points_mm)
    return ExpectedError(np.rad2deg(deviations[:3]), deviations[3:], across_mm, along_mm)


def point_errors_mm(covariance: Array, chart: PoseChart, points_mm: Array) -> tuple[float, float]:
    """Root mean square motions across and along the beam, of points (n, 3), by a covariance (6, 6) of the pose."""
    arms = (transform_points(chart.camera_from_volume, points_mm) - chart.centre_camera_mm) @ chart.camera_from_axes
    motion = np.zeros((len(arms), 3, 6))
    motion[:, 0, 1], motion[:, 0, 2] = arms[:, 2], -arms[:, 1]
    motion[:, 1, 0], motion[:, 1, 2] = -arms[:, 2], arms[:, 0]
    motion[:, 2, 0], motion[:, 2, 1] = arms[:, 1], -arms[:, 0]
    motion[:, :, 3:] = np.eye(3)
    variances = np.maximum(np.einsum("nij,jk,nik->ni", motion, covariance, motion).mean(axis=0), 0.0)
    return float(np.sqrt(variances[:2].sum())), float(np.sqrt(variances[2]))


def score_curvature(objective: Objective, chart: PoseChart, steps: Array) -> Array:
    """Second derivative (6, 6) of the score at the chart's origin, per step (6,)."""
    return _curvature(_around(objective, chart, steps), steps)


def _steps(objective: Objective, chart: PoseChart) -> Array:
    """For each parameter the largest step (6,) within which the score is about a parabola."""
    (start,) = objective.scores(chart.world_from_volume[None])
    reductions, too_large = np.full(6, REDUCTIONS[-1]), np.arange(6)
    for reduction in REDUCTIONS[:-1]:
        sizes = np.diag(reduction * STEPS)[too_large]
        pairs = objective.scores(chart.world_from_volume_at(np.concatenate([sizes, -sizes]))).reshape(2, -1)
        is_small = start - pairs.mean(axis=0) < LARGEST_FALL * abs(start)
        reductions[too_large[is_small]] = reduction
        too_large = too_large[~is_small]
        if len(too_large) == 0:
            break
    return np.asarray(reductions * STEPS)


def _around(objective: Objective, chart: PoseChart, steps: Array) -> Comparison:
    """The comparison of the twelve poses one step (6,) ahead of and behind the chart's origin."""
    return objective.compared(chart, np.concatenate([np.diag(steps), -np.diag(steps)]))


def _curvature(around: Comparison, steps: Array) -> Array:
    curvature = (around.gradients[:6] - around.gradients[6:]) / 2 * steps
    return np.asarray((curvature + curvature.T) / 2)
