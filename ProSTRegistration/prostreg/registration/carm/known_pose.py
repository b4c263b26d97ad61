"""A pose with what its images tell of it, ready to be put together with what others tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.registration.carm.carm_check import precision_at
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.readings import case_read_as, reading_of
from prostreg.registration.result import Result

COMPARED = 2.5
"""Factor on the deviations of poses by their images where they are compared: the depths of pelvis and femur were wrong
against each other by 2.0 mm where 0.9 mm were expected (see docs/evaluation.md)."""


STEP = 1e-3
"""Of finite differences, in rad and mm."""


@dataclass(frozen=True, eq=False)
class KnownPose:
    """A pose that a registration found.

    Attributes:
        chart: at the pose.
        covariance: (6, 6) of the pose in the chart's parameters, by the image if the C-arm is as given.
        carm_along_mm: standard deviation along the beam of what is not known of the C-arm.
    """

    chart: PoseChart
    covariance: NDArray[np.float64]
    carm_along_mm: float

    @property
    def compared(self) -> NDArray[np.float64]:
        """The covariance (6, 6) where this pose is compared with another one's."""
        return COMPARED**2 * self.covariance

    @property
    def compared_with_carm(self) -> NDArray[np.float64]:
        """The same with what is not known of the C-arm."""
        covariance = self.compared
        covariance[5, 5] += self.carm_along_mm**2
        return covariance

    def jacobian(self, values_at: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
        """(n, 6): derivatives, by the chart's parameters, of values (m, n) at poses (m, 4, 4)."""
        values = values_at(self.chart.world_from_volume_at(STEP * np.concatenate([np.eye(6), -np.eye(6)])))
        return np.asarray((values[:6] - values[6:]).T / (2 * STEP))


def known_pose(case: Case, result: Result, config: RegistrationConfig) -> KnownPose:
    """The pose of a case's result; the settings are those for its resolutions."""
    read = case_read_as(case, reading_of(case, result.polarities))
    precision = precision_at(read, result.world_from_volume, config)
    along_mm = precision.expected.along_mm if result.expected_error is None else result.expected_error.along_mm
    carm_mm = float(np.sqrt(max(along_mm**2 - precision.expected.along_mm**2, 0.0)))
    return KnownPose(precision.chart, precision.covariance, carm_mm)
