"""The depth of one bone among others, by the image of itself and by that of the bones around it.

One bone alone tells its distance from the source badly: a vertebra's is off by several millimetres. All bone within
reach tells it to one, as one body, and moves little against it from the CT to the fluoroscopy. Both are put together,
each by how well it is known (R. E. Kalman, "A new approach to linear filtering and prediction problems", 1960).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from prostreg.geometry.frames import Matrix
from prostreg.registration.carm.carm_check import LARGEST_ERROR_MM, precision_at
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.pipeline import judged_at
from prostreg.registration.readings import case_read_as, reading_of
from prostreg.registration.result import Progress, Result

MOTION_MM = 3.0
"""Standard deviation of a bone's motion along the beam against those around it since the CT: an assumption.

Where it is wrong it cannot do much harm: what follows bones that say more than `MOST_BRIDGED_MM` is not accepted.
"""

MOST_SIGMAS = 2.0
"""Two depths that lie farther apart, by the standard deviation of their difference, are not of one pose."""

MOST_BRIDGED_MM = LARGEST_ERROR_MM + MOTION_MM
"""Two depths that lie farther apart are doubted even where they may be of one pose: a bone may have moved by more.

Put between the two, 31 right poses with 5 to 15 mm between them were at most 6.0 mm off in depth.
"""

TOLD_BY_NEIGHBOURS = "its depth is told by the bones around as well: they fit the image as they lie in the CT"
BETWEEN = "it was put between the two depths, where both together make it likeliest"


def is_told_by_neighbours(result: Result, along_mm: float) -> bool:
    """True if a result's image leaves more of its depth open than the bones around do, and may agree with them.

    Args:
        along_mm: from where it was found to where the bones around put it, away from the source.
    """
    if result.status == "failed":
        return False
    open_mm = result.evidence["expected_along_mm"]
    return open_mm > MOTION_MM and abs(along_mm) <= MOST_SIGMAS * float(np.hypot(open_mm, MOTION_MM))


def with_depth_of_neighbours(
    case: Case,
    found: Result,
    along_mm: float,
    config: RegistrationConfig,
    on_progress: Callable[[Progress], None] | None,
    is_cancelled: Callable[[], bool] | None,
) -> Result:
    """The result at the pose that image and bones around make likeliest, judged there.

    Args:
        case: that was registered.
        found: its result by its image alone.
        along_mm: from there to where the bones around put it, away from the source.
        config: of the registration.

    Raises:
        Stopped: the run was cancelled or is out of time.
    """
    pose = _likeliest(case_read_as(case, reading_of(case, found.polarities)), found.world_from_volume, along_mm, config)
    known = replace(config, spread_depth_mm=min(config.spread_depth_mm, MOTION_MM))
    judged = judged_at(case, found, pose, known, on_progress, is_cancelled)
    return replace(judged, config=found.config, look_alikes=found.look_alikes)


def _likeliest(case: Case, world_from_volume: Matrix, along_mm: float, config: RegistrationConfig) -> Matrix:
    """The pose after a measurement of its depth, whose other parameters follow as their covariance says."""
    precision = precision_at(case, world_from_volume, config)
    of_depth = precision.covariance[:, 5]
    step = of_depth * along_mm / (of_depth[5] + MOTION_MM**2)
    return np.asarray(precision.chart.world_from_volume_at(step)[0])
