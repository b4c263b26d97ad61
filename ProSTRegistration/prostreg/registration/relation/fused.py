"""The pose that several images tell together, and where their C-arms stood, from a pose by each image alone.

The first C-arm stands where it was said to. What another image tells of the pose is as uncertain as that image leaves
it, and as the other C-arm's place against the first: such a measurement is added to the pose by the first image by how
well it is known (R. E. Kalman, "A new approach to linear filtering and prediction problems", 1960).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix
from prostreg.registration.carm.known_pose import KnownPose
from prostreg.registration.case import RoughRelation

Array = NDArray[np.float64]

MOST_SIGMAS = 3.0
"""Poses by two images that lie farther apart, by the standard deviation of their difference, contradict each other."""


@dataclass(frozen=True, eq=False)
class FusedPose:
    """A pose by several images.

    Attributes:
        world_from_volume: the pose, rigid (4, 4).
        depth_deviation_mm: standard deviation with which the other images alone tell its depth; infinite without any.
        contradicting: the numbers of those whose C-arms would have to stand elsewhere than the relation allows.
    """

    world_from_volume: Matrix
    depth_deviation_mm: float
    contradicting: tuple[int, ...]


def fused_pose(first: KnownPose, others: Mapping[int, KnownPose], relation: RoughRelation) -> FusedPose:
    """The likeliest pose by the first image and by those of the others that do not contradict it.

    Args:
        first: by the first image.
        others: by the others, by number.
        relation: how well their places are known against the first.
    """
    chart, covariance, parameters = first.chart, first.compared, np.zeros(6)
    depths, contradicting = [], []
    for number, other in others.items():
        told = chart.parameters_of(other.chart.world_from_volume)
        noise = _carried(other, chart) + _of_relation(relation)
        allowed = MOST_SIGMAS * np.sqrt(np.diag(first.compared_with_carm + noise))
        if (np.abs(told) > allowed).any():
            contradicting.append(number)
            continue
        gain = covariance @ np.linalg.inv(covariance + noise)
        parameters = parameters + gain @ (told - parameters)
        covariance = covariance - gain @ covariance
        depths.append(float(noise[5, 5]))
    deviation_mm = sum(1 / depth for depth in depths) ** -0.5 if depths else np.inf
    return FusedPose(np.asarray(chart.world_from_volume_at(parameters)[0]), float(deviation_mm), tuple(contradicting))


def _carried(known: KnownPose, chart: PoseChart) -> Array:
    """The covariance (6, 6) of a pose in the parameters of another chart."""
    jacobian = known.jacobian(lambda poses: np.array([chart.parameters_of(pose) for pose in poses]))
    return np.asarray(jacobian @ known.compared_with_carm @ jacobian.T)


def _of_relation(relation: RoughRelation) -> Array:
    """The covariance (6, 6) that a roughly known C-arm adds to a pose by its image: its own turn and shift."""
    deviations = np.array([np.deg2rad(relation.rotation_deg)] * 3 + [relation.translation_mm] * 3)
    return np.diag(deviations**2)
