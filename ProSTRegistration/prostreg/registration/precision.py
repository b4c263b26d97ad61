"""How well a pose is known: by the image, and by what is known of the C-arm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.registration.acceptance import Verdict
from prostreg.registration.carm_check import doubted, fit_of, with_carm
from prostreg.registration.carm_profile import carm_profile
from prostreg.registration.confidence import confidence_model
from prostreg.registration.evidence import Evidence
from prostreg.registration.expected_error import Parabola, expected_error, pose_covariance, pose_parabola
from prostreg.registration.result import CArmFit, ExpectedError
from prostreg.search.objective import Objective


@dataclass(frozen=True, eq=False)
class Precision:
    """How well a pose is known if the C-arm is as given.

    Attributes:
        objective: at whose optimum the pose lies.
        chart: at the pose.
        parabola: the score's shape there.
        expected: the error that follows.
    """

    objective: Objective
    chart: PoseChart
    parabola: Parabola
    expected: ExpectedError

    def added_to(self, evidence: Evidence) -> Evidence:
        """The evidence with the expected error."""
        return replace(
            evidence,
            expected_mtre_mm=self.expected.mtre_mm,
            expected_across_mm=self.expected.across_mm,
            expected_along_mm=self.expected.along_mm,
        )


def pose_precision(
    objective: Objective, chart: PoseChart, spread: NDArray[np.float64], points_mm: NDArray[np.float64]
) -> Precision:
    """The precision of a pose.

    Args:
        objective: at whose optimum the pose lies.
        chart: at the pose.
        spread: (6,) uncertainty of the start.
        points_mm: (n, 3) of the anatomy in the volume frame.
    """
    parabola = pose_parabola(objective, chart)
    covariance = pose_covariance(parabola, spread, confidence_model().error_inflation)
    return Precision(objective, chart, parabola, expected_error(covariance, chart, points_mm))


def carm_checked(
    verdict: Verdict, precision: Precision, carm: CArm, spread: NDArray[np.float64], points_mm: NDArray[np.float64]
) -> tuple[Verdict, ExpectedError, CArmFit]:
    """The verdict and the expected error when the C-arm counts as no better known than it is, and what the image says.

    More searching mends nothing of it: this is for the pose that is reported.

    Args:
        verdict: on the pose, if the C-arm is as given.
        precision: of the pose.
        carm: of the first view, as it was given; it says how well it is known.
        spread, points_mm: as for `pose_precision`.
    """
    profile = carm_profile(precision.objective, precision.chart, precision.parabola.steps)
    expected = with_carm(
        precision.expected, profile, precision.parabola, precision.chart, carm, spread,
        confidence_model().error_inflation, points_mm,
    )  # fmt: skip
    fit = fit_of(profile, carm)
    return doubted(verdict, fit, expected, carm), expected, fit
