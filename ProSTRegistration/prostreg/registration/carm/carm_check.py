"""Agreement of the image with the C-arm that was given, and the error that what is not known of it leaves in the pose.

The image's own estimate of the source-detector distance and of the principal point (see `carm_profile`) meets what is
known of them (see `geometry.carm_accuracy`). Where they contradict each other the pose is not to be trusted: it belongs
to a C-arm that is not there. Where the image cannot tell, the pose is as uncertain as the C-arm leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_accuracy import CARM_ACCURACIES, CArmAccuracy
from prostreg.geometry.carm_change import hiding_pose
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix
from prostreg.registration.acceptance import Verdict
from prostreg.registration.carm.carm_profile import CArmProfile, carm_profile
from prostreg.registration.case import Case
from prostreg.registration.confidence import confidence_model, precise_enough
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.evidence import Evidence
from prostreg.registration.expected_error import (
    Parabola,
    combined,
    expected_error,
    point_errors_mm,
    pose_covariance,
    pose_parabola,
)
from prostreg.registration.levels import Levels
from prostreg.registration.result import CArmFit, ExpectedError
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm, start_spread
from prostreg.search.objective import Objective

Array = NDArray[np.float64]

INFLATION = 2.0
"""Factor on the variances of the image's estimates, from errors on simulated pelves (see docs/evaluation.md)."""

BONES_AROUND_INFLATION = 1.5
"""Another one where the bones around are in the DRR: of 18 pelves of three people the distance was off by 1.6 of its
deviations (rms) without it."""

CLEARLY = 3.0
"""A contradiction counts from this many standard deviations on. Single vertebrae under a right C-arm reached 2.7, a
pelvis whose principal point was right 2.8."""

MOST_IF_CONTRADICTED = 0.5

LARGEST_ERROR_MM = 5.0
"""Expected error across and along the beam up to which a result is accepted: then 19 of 20 are within 10 mm."""

OPEN_ALONG = f"along the beam the place is not known to {LARGEST_ERROR_MM:.0f} mm"
OPEN_ACROSS = f"across the beam the place is not known to {LARGEST_ERROR_MM:.0f} mm"

OPEN = CArmAccuracy(0.1, 0.1)
"""What the image is asked about counts as no better known than this, however it was given."""

NEAR_CENTRE = 0.01
"""A distance that differs by less than this share from a profile's centre is told well by that profile."""

TELLING = 0.03
"""An image whose own distance is less well known than by this share of it does not tell the distance."""


WELL_KNOWN_MM = 1.0
"""Expected error of a pose up to which bones around it are thought to be where it puts them."""


@dataclass(frozen=True, eq=False)
class Precision:
    """The precision of a pose if the C-arm is as given.

    Attributes:
        objective: at whose optimum the pose lies.
        chart: at the pose.
        parabola: the score's shape there.
        expected: the error that follows.
        covariance: (6, 6) of the pose, in the chart's parameters.
        with_bones_around: the objective with the bones around in every DRR; None where the image does not want them.
    """

    objective: Objective
    chart: PoseChart
    parabola: Parabola
    expected: ExpectedError
    covariance: Array
    with_bones_around: Objective | None = None

    def added_to(self, evidence: Evidence) -> Evidence:
        """The evidence with the expected error."""
        return replace(
            evidence,
            expected_mtre_mm=self.expected.mtre_mm,
            expected_across_mm=self.expected.across_mm,
            expected_along_mm=self.expected.along_mm,
        )


def pose_precision(objective: Objective, chart: PoseChart, spread: Array, points_mm: Array) -> Precision:
    """The precision of a pose.

    Args:
        objective: at whose optimum the pose lies.
        chart: at the pose.
        spread: (6,) uncertainty of the start.
        points_mm: (n, 3) of the anatomy in the volume frame.
    """
    parabola = pose_parabola(objective, chart)
    covariance = pose_covariance(parabola, spread, confidence_model().error_inflation)
    return Precision(objective, chart, parabola, expected_error(covariance, chart, points_mm), covariance)


def precision_at(case: Case, world_from_volume: Matrix, config: RegistrationConfig) -> Precision:
    """The precision of a pose (4, 4) that was found for a case, the polarity of its views decided."""
    points_mm = anatomy_points_mm(case)
    centre_mm = anatomy_centre_mm(points_mm)
    chart = PoseChart(world_from_volume, case.views[0].carm.camera_from_world, centre_mm)
    levels = Levels(case, world_from_volume, points_mm, centre_mm, config.spread_shift_mm, config)
    return pose_precision(levels.fine, chart, start_spread(config), points_mm)


def carm_checked(
    verdict: Verdict, precision: Precision, carm: CArm, spread: Array, points_mm: Array
) -> tuple[Verdict, ExpectedError, CArmFit]:
    """The verdict and the expected error when the C-arm counts as no better known than it is, and what the image says.

    More searching mends nothing of it: this is for the pose that is reported.

    Args:
        verdict: on the pose, if the C-arm is as given.
        precision: of the pose.
        carm: of the first view, as it was given; it says how well it is known.
        spread, points_mm: as for `pose_precision`.
    """
    profile = telling_profile(precision, carm)
    expected = with_carm(
        precision.expected, profile, precision.parabola, precision.chart, carm, spread,
        confidence_model().error_inflation, points_mm,
    )  # fmt: skip
    fit = fit_of(profile, carm)
    return doubted(verdict, fit, expected, carm), expected, fit


def expected_without_check(precision: Precision, carm: CArm, points_mm: Array) -> ExpectedError:
    """The expected error where there was no time to ask the image about the C-arm: all that is not known of it counts.

    Args:
        precision: of the pose.
        carm: of the first view, as it was given.
        points_mm: (n, 3) of the anatomy in the volume frame.
    """
    chart, deviations = precision.chart, _deviations(CARM_ACCURACIES[carm.accuracy], carm)
    hidden = np.array([chart.parameters_of(hiding_pose(chart, change)) for change in np.diag(deviations)])
    across_mm, along_mm = point_errors_mm(precision.covariance + hidden.T @ hidden, chart, points_mm)
    return replace(precision.expected, across_mm=across_mm, along_mm=along_mm)


def telling_profile(precision: Precision, carm: CArm) -> CArmProfile:
    """The profile that tells the distance best: of the anatomy alone, or with the bones around in every DRR.

    What lies over the anatomy in the image, and not in the DRR, draws distance and principal point away: femoral
    heads over a pelvis by up to a tenth of the image. Bones around stay where the pose puts them, so this must be sure.

    Args:
        precision: of the pose.
        carm: of the first view, as it was given.
    """
    alone = centred_profile(precision, carm)
    if precision.with_bones_around is None or precision.expected.mtre_mm > WELL_KNOWN_MM:
        return alone
    together = _less_sure(centred_profile(replace(precision, objective=precision.with_bones_around), carm))
    told = _with_open_distance(carm)
    variances = [_estimate(profile, told)[1][0, 0] for profile in (alone, together)]
    return together if variances[1] < variances[0] else alone


def _less_sure(profile: CArmProfile) -> CArmProfile:
    pulls = BONES_AROUND_INFLATION**0.5 * profile.parabola.pulls
    return replace(profile, parabola=replace(profile.parabola, pulls=pulls))


def centred_profile(precision: Precision, carm: CArm) -> CArmProfile:
    """The profile around the distance that the image fits: far from its centre a profile is no parabola any more.

    One that tells less than the given C-arm's counts for nothing: there the image has lost the anatomy. An image that
    tells little is not asked twice: its second answer goes farther, and is surer than it should be.

    Args:
        precision: of the pose.
        carm: of the first view, as it was given.
    """
    objective, chart, steps = precision.objective, precision.chart, precision.parabola.steps
    told = _with_open_distance(carm)
    given = carm_profile(objective, chart, steps, np.zeros(3))
    fitted, covariance = _estimate(given, told)
    if abs(fitted[0]) <= NEAR_CENTRE or covariance[0, 0] > TELLING**2:
        return given
    other = carm_profile(objective, chart, steps, fitted)
    _, other_covariance = _estimate(other, told)
    return other if other_covariance[0, 0] < covariance[0, 0] else given


def fit_of(profile: CArmProfile, carm: CArm) -> CArmFit:
    """The C-arm by the image itself, the distance as if that were not known, and then the principal point.

    Args:
        profile: around the pose that was found.
        carm: the one that was given, of the first view.
    """
    said = CARM_ACCURACIES[carm.accuracy]
    of_point = _deviations(CArmAccuracy(said.sdd_share, OPEN.principal_point_share), carm)
    distance, distance_covariance = _estimate(profile, _with_open_distance(carm))
    point, point_covariance = _estimate(profile, of_point)
    focal_lengths = np.diag(carm.intrinsics)[:2]
    shift, deviation = point[1:] * focal_lengths, np.sqrt(np.diag(point_covariance)[1:]) * focal_lengths
    return CArmFit(
        given_sdd_mm=carm.sdd_mm,
        sdd_mm=carm.sdd_mm * float(np.exp(distance[0])),
        sdd_deviation_mm=carm.sdd_mm * float(np.sqrt(distance_covariance[0, 0])),
        given_principal_point=carm.principal_point,
        principal_point=(carm.principal_point[0] + shift[0], carm.principal_point[1] + shift[1]),
        principal_point_deviation_px=(deviation[0], deviation[1]),
    )


def with_carm(
    expected: ExpectedError,
    profile: CArmProfile,
    pose: Parabola,
    chart: PoseChart,
    carm: CArm,
    spread: Array,
    inflation: float,
    points_mm: Array,
) -> ExpectedError:
    """The expected error with what the C-arm adds: what it leaves open, and what the image says that it is off.

    Args:
        expected: of the pose if the C-arm is as given.
        profile: of other C-arms around the pose.
        pose: the score's shape around the pose.
        chart: at the pose.
        carm: the one that was given, of the first view.
        spread: (6,) uncertainty of the start.
        inflation: factor on the variances of the pose.
        points_mm: (n, 3) of the anatomy in the volume frame.
    """
    deviations = _deviations(CARM_ACCURACIES[carm.accuracy], carm)
    carm_reach, change = profile.reach_and_top(deviations)
    reach = np.concatenate([inflation**0.5 * pose.reach / spread, INFLATION**0.5 * carm_reach], axis=1)
    from_image = reach.T @ reach
    remaining = combined(from_image, np.eye(9))
    off = np.linalg.solve(from_image + np.eye(9), np.concatenate([np.zeros(6), change]))
    pose_from_all = np.concatenate([np.eye(6) * spread, profile.response * deviations], axis=1)
    bias = pose_from_all @ off
    moment = pose_from_all @ remaining @ pose_from_all.T + np.outer(bias, bias)
    across_mm, along_mm = point_errors_mm(moment, chart, points_mm)
    return replace(expected, across_mm=across_mm, along_mm=along_mm)


def doubted(verdict: Verdict, fit: CArmFit, expected: ExpectedError, carm: CArm) -> Verdict:
    """The verdict with what the C-arm adds to it: accepted only where the image does not contradict the C-arm, and
    the pose is known well both across and along the beam."""
    contradictions = _contradictions(fit, carm)
    doubts = [*contradictions, *_open_errors(fit, expected, carm, is_explained=bool(contradictions))]
    judged = with_doubts(verdict, doubts, expected.mtre_mm)
    if contradictions and verdict.status == "accepted":
        return replace(judged, confidence=min(judged.confidence, MOST_IF_CONTRADICTED))
    return judged


def with_doubts(verdict: Verdict, doubts: Sequence[str], mtre_mm: float) -> Verdict:
    """The verdict on a pose with objections to how well it is known: not accepted, and less sure by its error."""
    if not doubts or verdict.status != "accepted":
        return replace(verdict, reasons=(*verdict.reasons, *doubts))
    return Verdict("uncertain", verdict.confidence * precise_enough(mtre_mm), (*doubts, *verdict.reasons))


def open_errors(across_mm: float, along_mm: float) -> list[str]:
    """Objections to a pose that is not known well enough across or along the beam."""
    errors_mm = {OPEN_ALONG: along_mm, OPEN_ACROSS: across_mm}
    return [objection for objection, error_mm in errors_mm.items() if error_mm > LARGEST_ERROR_MM]


def _estimate(profile: CArmProfile, deviations: Array) -> tuple[Array, Array]:
    """A change (3,) and its covariance (3, 3), by the image and by what is known before it (3,)."""
    reach, change = profile.reach_and_top(deviations)
    from_image = INFLATION * reach.T @ reach
    change = np.asarray(np.linalg.solve(from_image + np.eye(3), change), dtype=np.float64)
    return change * deviations, combined(from_image, np.eye(3)) * np.outer(deviations, deviations)


def _with_open_distance(carm: CArm) -> Array:
    """Standard deviations (3,) of a change where the image alone is asked for the distance."""
    said = CARM_ACCURACIES[carm.accuracy]
    return _deviations(CArmAccuracy(OPEN.sdd_share, said.principal_point_share), carm)


def _deviations(accuracy: CArmAccuracy, carm: CArm) -> Array:
    """Standard deviations (3,) of a change of a C-arm that is known so well."""
    point = accuracy.principal_point_share * max(carm.size) / np.diag(carm.intrinsics)[:2]
    return np.array([accuracy.sdd_share, *point])


def _contradictions(fit: CArmFit, carm: CArm) -> list[str]:
    """Everything that the image fits better, each with what was given."""
    said, found = CARM_ACCURACIES[carm.accuracy], []
    off_mm = fit.sdd_mm - fit.given_sdd_mm
    if abs(off_mm) > CLEARLY * np.hypot(fit.sdd_deviation_mm, said.sdd_share * fit.given_sdd_mm):
        found.append(_better_distance(fit))
    offsets = np.subtract(fit.principal_point, fit.given_principal_point)
    allowed = CLEARLY * np.hypot(fit.principal_point_deviation_px, said.principal_point_share * max(carm.size))
    if (np.abs(offsets) > allowed).any():
        there, here = ("({:.0f}, {:.0f})".format(*point) for point in (fit.principal_point, fit.given_principal_point))
        found.append(
            f"the image fits a principal point at {there} better than the one at {here} that was given: correct the"
            " C-arm and register again"
        )
    return found


def _open_errors(fit: CArmFit, expected: ExpectedError, carm: CArm, is_explained: bool) -> list[str]:
    """Everything that is not known well enough, and why."""
    found = []
    if expected.along_mm > LARGEST_ERROR_MM:
        found.append(OPEN_ALONG)
        if not is_explained and abs(fit.sdd_mm - fit.given_sdd_mm) > 2 * fit.sdd_deviation_mm:
            found.append(_better_distance(fit))
        elif not is_explained and carm.accuracy != "calibrated":
            found.append(_words_of_accuracy(carm))
    if expected.across_mm > LARGEST_ERROR_MM:
        found.append(OPEN_ACROSS)
    return found


def _better_distance(fit: CArmFit) -> str:
    return (
        f"the image fits an SDD of {fit.sdd_mm:.0f} mm (\N{PLUS-MINUS SIGN} {fit.sdd_deviation_mm:.0f}) better than the"
        f" {fit.given_sdd_mm:.0f} given: correct the C-arm and register again"
    )


def _words_of_accuracy(carm: CArm) -> str:
    share = CARM_ACCURACIES[carm.accuracy].sdd_share
    return (
        f"the C-arm's SDD of {carm.sdd_mm:.0f} mm counts as known to {share:.1%} ({carm.accuracy}), and the image does"
        " not tell it"
    )
