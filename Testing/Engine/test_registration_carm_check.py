"""C-arms that are not as they are said to be: what the image says of them, and what a verdict makes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_change import changed_carm, hiding_pose
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import transform_points
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.projector.selection import make_projector
from prostreg.registration.acceptance import Verdict
from prostreg.registration.carm.carm_check import (
    LARGEST_ERROR_MM,
    MOST_IF_CONTRADICTED,
    Precision,
    carm_checked,
    centred_profile,
    doubted,
    expected_without_check,
    fit_of,
    pose_precision,
    telling_profile,
    with_carm,
)
from prostreg.registration.carm.carm_profile import CArmProfile
from prostreg.registration.expected_error import Parabola, pose_covariance
from prostreg.registration.result import CArmFit, ExpectedError
from prostreg.search.objective import Objective
from prostreg.search.polish import polish
from prostreg.similarity.correlation import PatchGradNcc

CENTRE = np.array([4.0, -6.0, 3.0])
SPREAD = np.array([0.35, 0.35, 0.35, 30.0, 30.0, 60.0])
DEPTH_MM = 500.0
POINTS = CENTRE + np.random.default_rng(0).normal(0, 50, (60, 3))
TRUE_CARM = CArm.from_sdd(1000.0, (4.0, 4.0), (120, 112), camera_from_world=standard_view("AP", CENTRE, DEPTH_MM))
CHART = PoseChart(np.eye(4), TRUE_CARM.camera_from_world, CENTRE)
ACCEPTED = Verdict("accepted", 0.99, ("what is confirmed",))
AGREEING = CArmFit(1020.0, 1022.0, 8.0, (127.5, 127.5), (129.0, 127.0), (3.0, 3.0))
PRECISE = ExpectedError(np.full(3, 0.1), np.full(3, 0.2), 0.8, 3.1)


def blobs() -> Volume:
    """Structure as deep as it is wide, 190 mm: near the source it is half as large again as far from it."""
    k, j, i = np.indices((64, 64, 64))
    rng = np.random.default_rng(4)
    values = np.zeros(k.shape)
    for _ in range(60):
        centre, width = rng.uniform(5, 58, 3), rng.uniform(1.2, 2.5)
        squares = (k - centre[0]) ** 2 + (j - centre[1]) ** 2 + (i - centre[2]) ** 2
        values += 0.03 * np.exp(-squares / (2 * width**2))
    volume_from_index = np.diag([3.0, 3.0, 3.0, 1.0])
    volume_from_index[:3, 3] = CENTRE - 3.0 * 31.5
    return Volume(values.astype(np.float32), volume_from_index)


@pytest.fixture(scope="module")
def image():
    projector = make_projector(blobs())
    clean = projector.render(TRUE_CARM.camera_from_world[None], TRUE_CARM)[0]
    noise = np.random.default_rng(1).normal(0, 0.1 * clean.std(), clean.shape)
    return projector, XRay(clean + noise.astype(np.float32), np.ones(clean.shape, dtype=bool))


def found_with(image, change, accuracy="calibrated"):
    """The C-arm that is told, and the precision of the pose that is found with it."""
    projector, xray = image
    carm = replace(changed_carm(TRUE_CARM, np.array(change)), accuracy=accuracy)
    objective = Objective(projector, [(xray, carm)], CENTRE, 5, 2, PatchGradNcc)
    hidden = replace(CHART, world_from_volume=hiding_pose(CHART, np.array(change)))
    best = polish(objective, hidden, np.zeros(6), 30, lambda _: None)
    there = replace(hidden, world_from_volume=hidden.world_from_volume_at(best.parameters)[0])
    return carm, pose_precision(objective, there, SPREAD, POINTS)


def judged(image, change, accuracy="calibrated"):
    """Verdict, expected error and fitted C-arm."""
    carm, precision = found_with(image, change, accuracy)
    return carm_checked(ACCEPTED, precision, carm, SPREAD, POINTS)


@pytest.mark.parametrize("change", [(0.04, 0.0, 0.0), (0.0, 0.03, -0.02), (-0.05, 0.01, 0.02)])
def test_the_hiding_pose_keeps_the_centre_in_its_place_and_its_size(change):
    off_axis = standard_view("AP", CENTRE, DEPTH_MM)
    off_axis[:3, 3] += 60.0, -40.0, 10.0
    chart = PoseChart(np.eye(4), off_axis, CENTRE)
    carm = replace(TRUE_CARM, camera_from_world=off_axis)
    other = changed_carm(carm, np.array(change))
    near = CENTRE + np.array([[0, 0, 0], [1, 0, 0], [0, 0, 1]])
    pose = hiding_pose(chart, np.array(change))
    before, after = carm.project_world(near), other.project_world(transform_points(pose, near))
    np.testing.assert_allclose(after[0], before[0], atol=1e-9)
    np.testing.assert_allclose(after - after[0], before - before[0], atol=0.03)


def test_a_right_carm_is_left_alone(image):
    verdict, expected, fit = judged(image, (0.0, 0.0, 0.0))
    assert verdict.status == "accepted"
    assert fit.sdd_mm == pytest.approx(1000, abs=3 * fit.sdd_deviation_mm)
    assert fit.sdd_deviation_mm < 12
    assert expected.along_mm < LARGEST_ERROR_MM


@pytest.mark.parametrize("factor", [1.04, 0.96])
def test_a_distance_that_the_image_contradicts_is_named_and_not_accepted(image, factor):
    verdict, _, fit = judged(image, (np.log(factor), 0.0, 0.0))
    assert fit.given_sdd_mm == pytest.approx(1000 * factor)
    assert fit.sdd_mm == pytest.approx(1000, abs=12)
    assert verdict.status == "uncertain"
    assert verdict.confidence <= MOST_IF_CONTRADICTED
    fitted = f"the image fits an SDD of {fit.sdd_mm:.0f} mm"
    assert verdict.reasons[0].startswith(fitted)
    assert f"better than the {1000 * factor:.0f} given" in verdict.reasons[0]
    assert verdict.reasons[-1] == "what is confirmed"


def test_a_guessed_distance_is_doubted_by_its_error_and_not_by_contradiction(image):
    verdict, expected, _ = judged(image, (np.log(1.04), 0.0, 0.0), "preset")
    assert expected.along_mm == pytest.approx(0.04 * DEPTH_MM, rel=0.4)
    assert verdict.status == "uncertain"
    assert verdict.confidence < 0.5
    assert verdict.reasons[0].startswith("along the beam the place is not known to")
    assert "better than the 1040 given" in verdict.reasons[1]


def test_the_fitted_principal_point_goes_towards_the_true_one(image):
    _, _, fit = judged(image, (0.0, 0.12, 0.0))
    given, fitted = fit.given_principal_point, fit.principal_point
    assert given[0] == pytest.approx(59.5 + 0.12 * 250)
    assert abs(fitted[0] - 59.5) < 0.7 * abs(given[0] - 59.5)


def test_the_image_alone_is_sure_of_a_depth_that_the_carm_leaves_open(image):
    _, precision = found_with(image, (0.04, 0.0, 0.0), "preset")
    assert precision.expected.along_mm < 3


def in_the_way(image):
    """A projector of bone that lies over the blobs in the image, and the X-ray that shows both."""
    projector, xray = image
    turned = CHART.world_from_volume_at(np.array([0.0, np.pi, 0.0, 40.0, 30.0, 60.0]))[0]
    clutter = projector.render((TRUE_CARM.camera_from_world @ turned)[None], TRUE_CARM)[0]
    return turned, replace(xray, line_integrals=xray.line_integrals + clutter)


@pytest.mark.parametrize("expected_mm", [0.9, 1.1])
def test_bones_over_the_anatomy_hide_the_carm_unless_they_are_in_the_drr(image, expected_mm):
    """And unless the pose that puts them where they are is badly known itself."""
    turned, xray = in_the_way(image)
    _, precision = found_with((image[0], xray), (0.0, 0.0, 0.0))
    precision = replace(precision, expected=replace(precision.expected, across_mm=expected_mm, along_mm=0.0))
    around = precision.objective.with_others([(image[0], turned)])
    alone = fit_of(telling_profile(precision, TRUE_CARM), TRUE_CARM)
    together = fit_of(telling_profile(replace(precision, with_bones_around=around), TRUE_CARM), TRUE_CARM)
    if expected_mm > 1:
        assert together == alone
    else:
        assert together.sdd_deviation_mm < 0.8 * alone.sdd_deviation_mm
        assert abs(together.sdd_mm - 1000) < 3 * together.sdd_deviation_mm


def test_bones_around_that_tell_less_do_not_count(image):
    _, precision = found_with(image, (0.0, 0.0, 0.0))
    turned, _ = in_the_way(image)
    around = precision.objective.with_others([(image[0], turned)])
    alone, together = (
        fit_of(telling_profile(each, TRUE_CARM), TRUE_CARM)
        for each in (precision, replace(precision, with_bones_around=around))
    )
    assert together == alone


def silent_profile(chart: PoseChart) -> CArmProfile:
    """Of an image that tells nothing of the C-arm: its blocks pull hard where the score is flat."""
    step = 1e-3
    followed = [chart.parameters_of(hiding_pose(chart, change)) for change in np.eye(3) * step]
    pulls = np.random.default_rng(0).normal(0, 1.0, (50, 3))
    return CArmProfile(
        np.zeros(3), Parabola(np.full(3, 0.02), -1e-3 * np.eye(3), pulls), np.zeros(3), np.array(followed).T / step
    )


def profiles_that_tell(tops, pulls):
    """Stand-ins for `carm_profile`, one after the other: tops of the distance, and how hard the blocks pull."""
    centres = []

    def profile(objective, chart, pose_steps, centre):
        number = len(centres)
        centres.append(centre[0])
        gradient = np.array([(tops[number] - centre[0]) / 0.02, 0.0, 0.0])
        scatter = np.random.default_rng(0).normal(0, pulls[number] / 50**0.5, (50, 3))
        return CArmProfile(centre, Parabola(np.full(3, 0.02), -np.eye(3), scatter), gradient, np.zeros((6, 3)))

    return centres, profile


@pytest.mark.parametrize(
    ("tops", "pulls", "centres", "kept"),
    [
        ((0.009,), (0.2,), [0.0], 0),  # near enough
        ((0.03, 0.038), (0.2, 0.1), [0.0, 0.03], 1),
        ((0.03, 0.08), (0.2, 0.21), [0.0, 0.03], 0),  # it tells less there
        ((0.05,), (1.4,), [0.0], 0),  # it tells little anywhere
    ],
)
def test_the_profile_is_taken_where_the_image_tells_the_distance_best(monkeypatch, tops, pulls, centres, kept):
    made, stand_in = profiles_that_tell(tops, pulls)
    monkeypatch.setattr("prostreg.registration.carm.carm_check.carm_profile", stand_in)
    precision = Precision(None, CHART, Parabola(np.ones(6), -np.eye(6), np.zeros((50, 6))), PRECISE, np.eye(6))
    profile = centred_profile(precision, TRUE_CARM)
    np.testing.assert_allclose(made, centres, rtol=0.02)
    assert profile.centre[0] == made[kept]
    fit = fit_of(profile, TRUE_CARM)
    assert np.log(fit.sdd_mm / 1000) == pytest.approx(tops[kept], rel=0.2)


def test_where_the_score_has_no_top_over_other_carms_the_carm_leaves_its_share_of_the_depth():
    """As of a collimated pelvis in a difficult image: an expected error of 0.0 mm along the beam was all rounding."""
    silent, saddle = silent_profile(CHART), 1e-5 * np.array([[22.0, -46, -31], [-46, 26, -12], [-31, -12, 5.7]])
    topless = replace(silent, parabola=replace(silent.parabola, curvature=saddle), gradient=np.full(3, 1e-4))
    pulls = 1e-4 * np.random.default_rng(1).standard_normal((50, 6))
    pose = Parabola(np.ones(6), -1e-3 * np.eye(6), pulls)
    expected = with_carm(PRECISE, topless, pose, CHART, TRUE_CARM, SPREAD, 1.0, CENTRE[None])
    of_pose_mm = pose_covariance(pose, SPREAD, 1.0)[5, 5] ** 0.5
    assert expected.along_mm == pytest.approx(np.hypot(0.005 * DEPTH_MM, of_pose_mm), rel=0.1)


@pytest.mark.parametrize(("accuracy", "share"), [("calibrated", 0.005), ("dicom", 0.01), ("preset", 0.05)])
def test_a_run_that_was_stopped_expects_all_that_is_not_known_of_its_carm(accuracy, share):
    carm = replace(TRUE_CARM, accuracy=accuracy)
    covariance = np.diag([0.0, 0.0, 0.0, 0.0, 0.0, 2.0**2])
    precision = Precision(None, CHART, Parabola(np.ones(6), -np.eye(6), np.zeros((50, 6))), PRECISE, covariance)
    expected = expected_without_check(precision, carm, CENTRE[None])
    assert expected.along_mm == pytest.approx(np.hypot(2.0, share * DEPTH_MM), rel=0.05)
    point_mm = {"calibrated": 0.003, "dicom": 0.005, "preset": 0.02}[accuracy] * 120 * 4 * DEPTH_MM / 1000
    assert expected.across_mm == pytest.approx(2**0.5 * point_mm, rel=0.05)
    np.testing.assert_array_equal(expected.translation_mm, PRECISE.translation_mm)


@pytest.mark.parametrize(("accuracy", "share"), [("calibrated", 0.005), ("dicom", 0.01), ("preset", 0.05)])
def test_where_the_image_tells_nothing_the_carm_leaves_its_share_of_the_depth(accuracy, share):
    carm = replace(TRUE_CARM, accuracy=accuracy)
    sure = Parabola(np.ones(6), -np.eye(6), np.zeros((50, 6)))
    expected = with_carm(PRECISE, silent_profile(CHART), sure, CHART, carm, SPREAD, 1.0, CENTRE[None])
    assert expected.along_mm == pytest.approx(share * DEPTH_MM, rel=0.05)
    point_mm = {"calibrated": 0.003, "dicom": 0.005, "preset": 0.02}[accuracy] * 120 * 4 * DEPTH_MM / 1000
    assert expected.across_mm == pytest.approx(2**0.5 * point_mm, rel=0.05)
    np.testing.assert_array_equal(expected.translation_mm, PRECISE.translation_mm)
    fit = fit_of(silent_profile(CHART), carm)
    assert fit.sdd_mm == pytest.approx(1000, abs=1)
    assert fit.sdd_deviation_mm == pytest.approx(100, rel=0.05)


def test_a_verdict_with_which_the_carm_agrees_stays():
    assert doubted(ACCEPTED, AGREEING, PRECISE, TRUE_CARM) == ACCEPTED


@pytest.mark.parametrize("status", ["uncertain", "failed"])
def test_a_worse_verdict_is_not_raised_and_keeps_its_first_reason(status):
    verdict = doubted(Verdict(status, 0.3, ("why",)), replace(AGREEING, sdd_mm=1090.0), PRECISE, TRUE_CARM)
    assert (verdict.status, verdict.confidence, verdict.reasons[0]) == (status, 0.3, "why")
    assert "better than the 1020 given" in verdict.reasons[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"along_mm": 5.01}, "along the beam the place is not known to 5 mm"),
     ({"across_mm": 5.01}, "across the beam the place is not known to 5 mm")],
)  # fmt: skip
def test_an_error_across_or_along_the_beam_alone_stands_against_acceptance(change, words):
    verdict = doubted(ACCEPTED, AGREEING, replace(PRECISE, **change), TRUE_CARM)
    assert (verdict.status, verdict.reasons) == ("uncertain", (words, *ACCEPTED.reasons))
    name = next(iter(change))
    assert doubted(ACCEPTED, AGREEING, replace(PRECISE, **{name: 4.99}), TRUE_CARM) == ACCEPTED


def test_an_open_depth_is_put_down_to_a_carm_that_is_little_known():
    carm = replace(CArm.from_sdd(1020.0, (1.0, 1.0), (256, 256)), accuracy="preset")
    verdict = doubted(ACCEPTED, AGREEING, replace(PRECISE, along_mm=31.0), carm)
    assert verdict.reasons[:2] == (
        "along the beam the place is not known to 5 mm",
        "the C-arm's SDD of 1020 mm counts as known to 5.0% (preset), and the image does not tell it",
    )


@pytest.mark.parametrize(
    ("fit", "is_contradiction"),
    [
        ({"sdd_mm": 1020 + 2.95 * np.hypot(8.0, 5.1)}, False),
        ({"sdd_mm": 1020 + 3.05 * np.hypot(8.0, 5.1)}, True),
        ({"sdd_mm": 1020 - 3.05 * np.hypot(8.0, 5.1)}, True),
        ({"principal_point": (127.5 + 2.95 * np.hypot(3.0, 0.36), 127.5)}, False),
        ({"principal_point": (127.5 - 3.05 * np.hypot(3.0, 0.36), 127.5)}, True),
        ({"principal_point": (127.5, 127.5 + 3.05 * np.hypot(3.0, 0.36))}, True),
    ],
)
def test_what_counts_as_a_contradiction(fit, is_contradiction):
    verdict = doubted(ACCEPTED, replace(AGREEING, **fit), PRECISE, TRUE_CARM)
    assert (verdict.status == "uncertain") == is_contradiction
