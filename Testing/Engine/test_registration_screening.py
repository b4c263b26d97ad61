"""Likely views: a body turned by any angle is among the first, in an image of either polarity."""

from __future__ import annotations

import numpy as np
import pytest

from prostreg.errors import Stopped
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.rotations import rotation_from_vector, vector_from_rotation
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.projector.selection import make_projector
from prostreg.registration import screening
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.levels import Levels
from prostreg.registration.neighbours.bones_around import with_bones_around
from prostreg.registration.screening import (
    ANYWHERE_MM,
    CLEARLY_CONFIRMED,
    SOME_AROUND,
    VIEWS_AROUND,
    Refinement,
    Screened,
    _Judged,
    _judged,
    _varied,
    screened_around,
    screened_starts,
    views_from_all_sides,
)
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.search.view_match import ViewMatcher, Views

CENTRE = np.array([39.0, 35.0, 37.0])
DEPTH_MM = 610.0
CARM = CArm.from_sdd(1000.0, (2.5, 2.5), (96, 96))


@pytest.fixture(scope="module")
def projector(body):
    return make_projector(Volume(np.where(body.values > 500, 0.02, 0).astype(np.float32), body.volume_from_index))


@pytest.fixture(scope="module")
def turned() -> np.ndarray:
    """A view far from any standard one, turned in the picture too."""
    chart = PoseChart(standard_view("AP", CENTRE, DEPTH_MM), np.eye(4), CENTRE)
    return chart.world_from_volume_at([0.5, -0.6, 0.8, 12.0, -8.0, 15.0])[0]


def test_the_best_of_the_likely_views_is_the_true_one_though_the_image_is_read_the_wrong_way(body, projector, turned):
    camera = CArm.from_sdd(1000.0, (2.5, 2.5), (64, 64))
    image = projector.render(turned[None], camera)[0]
    everywhere = np.ones(image.shape, dtype=bool)
    misread = XRay(-image, everywhere, "bone-dark", XRay(image, everywhere, "bone-bright"))
    place = np.array([0.0, 0.0, DEPTH_MM])
    case = Case("body", body, body.values > 500, (View(misread, camera),))
    first, *others = screened_starts(case, RegistrationConfig(), place, np.random.default_rng(0), lambda: None)
    turn_deg = np.rad2deg(np.linalg.norm(vector_from_rotation(first[:3, :3] @ turned[:3, :3].T)))
    assert turn_deg < 10
    assert np.linalg.norm((first @ [*CENTRE, 1] - turned @ [*CENTRE, 1])[:2]) < 5
    assert len(others) < 6


def test_bones_around_tell_how_a_ball_is_turned(body, projector, turned):
    """Alone it looks the same from all sides."""
    k, j, i = np.indices(body.values.shape)
    away_mm = 2.0 * np.sqrt((i - CENTRE[0] / 2) ** 2 + (j - CENTRE[1] / 2) ** 2 + (k - CENTRE[2] / 2) ** 2)
    ball = away_mm < 8
    ct = body.with_values(np.where(ball, 900.0, body.values).astype(np.float32))
    bone = ct.with_values(np.where(ct.values > 500, 0.02, 0).astype(np.float32))
    image = make_projector(bone).render(turned[None], CARM)[0]
    case = Case("ball", ct, ball, (View(XRay(image, np.ones(image.shape, dtype=bool)), CARM),))
    place, rng = np.array([0.0, 0.0, DEPTH_MM]), np.random.default_rng(0)
    first, *_ = screened_starts(with_bones_around(case), RegistrationConfig(), place, rng, lambda: None)
    turn_deg = np.rad2deg(np.linalg.norm(vector_from_rotation(first[:3, :3] @ turned[:3, :3].T)))
    assert turn_deg < 10
    assert np.linalg.norm((first @ [*CENTRE, 1] - turned @ [*CENTRE, 1])[:2]) < 5


@pytest.fixture(scope="module")
def two_finalists(body, projector, turned):
    """Levels for an image of the turned body, and charts beside its true pose and about one turned by two radians."""
    image = projector.render(turned[None], CARM)[0]
    case = Case("body", body, body.values > 500, (View(XRay(image, np.ones(image.shape, dtype=bool)), CARM),))
    points_mm = anatomy_points_mm(case)
    centre_mm = anatomy_centre_mm(points_mm)
    about = PoseChart(turned, np.eye(4), centre_mm)
    right, wrong = about.world_from_volume_at([[0.03, -0.03, 0.02, 2.0, -2.0, 5.0], [0.0, 2.0, 0.0, 0.0, 0.0, 0.0]])
    levels = Levels(case, turned, points_mm, centre_mm, ANYWHERE_MM, RegistrationConfig())
    return levels, PoseChart(right, np.eye(4), centre_mm), PoseChart(wrong, np.eye(4), centre_mm)


def test_of_the_finalists_the_one_that_the_image_confirms_comes_first_and_is_polished(two_finalists, turned):
    levels, right, wrong = two_finalists
    first, second = _judged(levels, [wrong, right], lambda: None).poses
    assert np.rad2deg(np.linalg.norm(vector_from_rotation(first[:3, :3] @ turned[:3, :3].T))) < 0.3
    assert levels.middle.footprint_score(second).score < CLEARLY_CONFIRMED


def test_finalists_after_one_that_is_clearly_confirmed_stay_behind_it_as_they_are(two_finalists):
    levels, right, wrong = two_finalists
    first, second = _judged(levels, [right, wrong], lambda: None).poses
    assert levels.middle.footprint_score(first).score > CLEARLY_CONFIRMED
    np.testing.assert_allclose(second, wrong.world_from_volume_at(np.zeros(6))[0])


def test_a_start_far_off_is_mended_by_a_screening_around_it(body, projector, turned):
    """By a radian and 50 mm: further than a CMA-ES run reaches."""
    image = projector.render(turned[None], CARM)[0]
    view = View(XRay(image, np.ones(image.shape, dtype=bool)), CARM)
    case = Case("body", body, body.values > 500, (view,))
    points_mm = anatomy_points_mm(case)
    centre_mm = anatomy_centre_mm(points_mm)
    start = PoseChart(turned, np.eye(4), centre_mm).world_from_volume_at([-0.6, 0.6, 0.5, 40.0, -30.0, 50.0])[0]
    spread = np.array([0.5, 0.5, 0.5, 30.0, 30.0, 60.0])
    config = RegistrationConfig()
    levels = Levels(case, start, points_mm, centre_mm, 30.0, config)
    first, *others = screened_around(
        case, config, levels, PoseChart(start, np.eye(4), centre_mm), spread, np.random.default_rng(0), lambda: None
    ).poses
    turn_deg = np.rad2deg(np.linalg.norm(vector_from_rotation(first[:3, :3] @ turned[:3, :3].T)))
    assert turn_deg < 10
    assert np.linalg.norm((first @ [*CENTRE, 1] - turned @ [*CENTRE, 1])[:2]) < 5
    assert len(others) < 6


@pytest.mark.parametrize(("is_around", "is_seen"), [(True, True), (True, False), (False, True)])
def test_climbs_begin_only_where_no_view_is_clearly_confirmed(body, projector, turned, monkeypatch, is_around, is_seen):
    image = projector.render(turned[None], CARM)[0]
    if not is_seen:
        image = np.random.default_rng(3).normal(size=image.shape).astype(np.float32)
    case = Case("body", body, body.values > 500, (View(XRay(image, np.ones(image.shape, dtype=bool)), CARM),))
    climbed = []

    def climbs(coarse, poses, *others):
        climbed.append(len(poses))
        return list(poses[:2])

    monkeypatch.setattr(screening, "_climbed", climbs)
    if is_around:
        screened = around(case, turned)
        assert (screened.evaluations < SOME_AROUND + 200) == is_seen
        assert (screened.evaluations > VIEWS_AROUND) == (not is_seen)
        found = screened.poses
    else:
        place = np.array([0.0, 0.0, DEPTH_MM])
        found = screened_starts(case, RegistrationConfig(), place, np.random.default_rng(0), lambda: None)
    assert bool(climbed) == (not is_seen)
    turn_deg = np.rad2deg(np.linalg.norm(vector_from_rotation(found[0][:3, :3] @ turned[:3, :3].T)))
    assert (turn_deg < 1) == is_seen


@pytest.mark.parametrize(("clear_from", "views", "climbs"), [(1, 500, 0), (2, 2000, 0), (3, 2000, 1)])
def test_more_views_are_matched_only_where_the_first_are_not_clear(
    body, projector, turned, monkeypatch, clear_from, views, climbs
):
    image = projector.render(turned[None], CARM)[0]
    case = Case("body", body, body.values > 500, (View(XRay(image, np.ones(image.shape, dtype=bool)), CARM),))
    matched, judged, climbed = [], [], []
    real_match = ViewMatcher.match

    def judge(levels, starts, on_step):
        judged.append(len(starts))
        return _Judged([chart.world_from_volume_at(np.zeros(6))[0] for chart in starts], len(judged) >= clear_from, 0)

    def match(self, some, *others):
        matched.append(len(some))
        return real_match(self, some, *others)

    monkeypatch.setattr(screening, "_judged", judge)
    monkeypatch.setattr(screening, "_climbed", lambda coarse, poses, *others: climbed.append(1) or list(poses[:2]))
    monkeypatch.setattr(ViewMatcher, "match", match)
    around(case, turned)
    assert sum(matched) == views
    assert judged == [4, 8][: len(matched)]
    assert len(climbed) == climbs


def around(case: Case, start: np.ndarray) -> Screened:
    points_mm = anatomy_points_mm(case)
    centre_mm = anatomy_centre_mm(points_mm)
    levels = Levels(case, start, points_mm, centre_mm, 30.0, RegistrationConfig())
    chart, spread = PoseChart(start, np.eye(4), centre_mm), np.array([0.2, 0.2, 0.2, 10.0, 10.0, 20.0])
    return screened_around(case, RegistrationConfig(), levels, chart, spread, np.random.default_rng(0), lambda: None)


def test_a_view_is_put_where_it_fits_and_shows_there_what_it_showed_ahead(projector):
    aside = PoseChart(standard_view("AP", CENTRE, DEPTH_MM), np.eye(4), CENTRE).world_from_volume_at(
        [0, 0, 0, 30.0, -20.0, 0]
    )[0]
    image = projector.render(aside[None], CARM)[0]
    xray = XRay(image, np.ones(image.shape, dtype=bool))
    rotations = np.array([standard_view(name, CENTRE, DEPTH_MM)[:3, :3] for name in ("left lateral", "AP")])
    views = Views(rotations, np.full(2, DEPTH_MM))
    match = ViewMatcher(projector, xray, CARM, CENTRE, 70.0, DEPTH_MM).match(views, np.zeros(1), lambda: None)
    assert match.scores[1] > match.scores[0]
    found, true = (CARM.project(pose[:3, :3] @ CENTRE + pose[:3, 3]) for pose in (match.camera_from_volume[1], aside))
    np.testing.assert_allclose(found, true, atol=1.5)
    misread = XRay(-image, xray.mask, "bone-dark", XRay(image, xray.mask, "bone-bright"))
    either_way = ViewMatcher(projector, misread, CARM, CENTRE, 70.0, DEPTH_MM).match(views, np.zeros(1), lambda: None)
    assert either_way.scores[1] == pytest.approx(match.scores[1], rel=1e-4)


@pytest.mark.parametrize("turn_deg", [-135, 100, 7.5])
def test_a_view_turned_in_the_picture_is_found_with_oblong_pixels_and_a_middle_aside(projector, turn_deg):
    camera = CArm.from_sdd(1000.0, (2.0, 2.5), (110, 96), (40.0, 55.0))
    aside = PoseChart(standard_view("AP", CENTRE, DEPTH_MM), np.eye(4), CENTRE).world_from_volume_at(
        [0, 0, np.deg2rad(turn_deg), 25.0, -15.0, 0]
    )[0]
    image = projector.render(aside[None], camera)[0]
    xray = XRay(image, np.ones(image.shape, dtype=bool))
    turns_deg = np.array([0.0, 7.5, 100.0, -100.0, 135.0, -135.0])
    ahead = Views(standard_view("AP", CENTRE, DEPTH_MM)[None, :3, :3], np.array([DEPTH_MM]))
    matcher = ViewMatcher(projector, xray, camera, CENTRE, 70.0, DEPTH_MM)
    match = matcher.match(ahead, np.deg2rad(turns_deg), lambda: None)
    best = match.camera_from_volume[match.scores.argmax()]
    assert turns_deg[match.scores.argmax()] == turn_deg
    turned = Views(rotation_from_vector([[0, 0, np.deg2rad(turn_deg)]]) @ ahead.rotations, ahead.depths_mm)
    as_drr = matcher.match(turned, np.zeros(1), lambda: None)
    assert match.scores.max() == pytest.approx(as_drr.scores[0], rel=0.1)
    found, true = (camera.project(pose[:3, :3] @ CENTRE + pose[:3, 3]) for pose in (best, aside))
    assert np.rad2deg(np.linalg.norm(vector_from_rotation(best[:3, :3] @ aside[:3, :3].T))) < 5
    np.testing.assert_allclose(found, true, atol=1.5)


def test_any_fit_lies_in_the_image(projector):
    """The corners of a turned image are empty; what is matched with noise alone might lie there."""
    rng = np.random.default_rng(0)
    xray = XRay(rng.normal(size=(96, 60)).astype(np.float32), np.ones((96, 60), dtype=bool))
    camera = CArm.from_sdd(1000.0, (2.5, 2.5), (60, 96))
    views = views_from_all_sides(DEPTH_MM, rng).chosen(list(range(0, 500, 25)))
    match = ViewMatcher(projector, xray, camera, CENTRE, 70.0, DEPTH_MM).match(
        views, np.deg2rad([0.0, 45.0, 90.0]), lambda: None
    )
    places = camera.project(match.camera_from_volume[:, :3, :3] @ CENTRE + match.camera_from_volume[:, :3, 3])
    assert (places > -0.51).all()
    assert (places < np.array(camera.size) - 0.49).all()


def test_every_view_that_a_c_arm_takes_has_another_nearby():
    views = views_from_all_sides(DEPTH_MM, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.det(views.rotations), 1)
    rng = np.random.default_rng(1)
    elevation, around = rng.uniform(-np.deg2rad(62), np.deg2rad(62), 400), rng.uniform(0, 2 * np.pi, 400)
    beams = np.column_stack([np.cos(elevation) * np.cos(around), np.cos(elevation) * np.sin(around), np.sin(elevation)])
    nearest_deg = np.rad2deg(np.arccos(np.clip((beams @ views.rotations[:, 2].T).max(1), -1, 1)))
    assert nearest_deg.max() < 8
    assert (views.rotations[:, 1, 2] < 0).all()  # the head is up


def test_views_are_varied_by_what_a_refinement_says_and_stay_among_the_tries():
    rng = np.random.default_rng(0)
    views = views_from_all_sides(DEPTH_MM, rng).chosen([3, 77])
    varied = _varied(views, Refinement(2, 2000, 7.0, 20.0), DEPTH_MM, rng)
    assert len(varied) == 2 + 2 * 2000
    np.testing.assert_array_equal(varied.rotations[:2], views.rotations)
    np.testing.assert_array_equal(varied.depths_mm[:2], views.depths_mm)
    tries = varied.rotations[2:].reshape(2, 2000, 3, 3)
    turns_deg = np.rad2deg(vector_from_rotation(tries @ views.rotations[:, None].swapaxes(-1, -2)))
    np.testing.assert_allclose(turns_deg.std(1), 7.0, atol=0.5)
    depths_mm = varied.depths_mm[2:].reshape(2, 2000) - views.depths_mm[:, None]
    np.testing.assert_allclose(depths_mm.std(1), 20.0, atol=1.5)


def test_a_screening_asks_often_whether_to_go_on(projector):
    asked = []
    image = np.random.default_rng(0).normal(size=(96, 96)).astype(np.float32)
    matcher = ViewMatcher(projector, XRay(image, np.ones(image.shape, dtype=bool)), CARM, CENTRE, 70.0, DEPTH_MM)
    views = views_from_all_sides(DEPTH_MM, np.random.default_rng(0)).chosen(list(range(60)))
    matcher.match(views, np.deg2rad(np.arange(0.0, 360.0, 7.5)), lambda: asked.append(1))
    assert len(asked) == 2


def test_a_screening_can_be_ended(body, projector, turned):
    image = projector.render(turned[None], CARM)[0]
    case = Case("body", body, body.values > 500, (View(XRay(image, np.ones(image.shape, dtype=bool)), CARM),))

    def stop() -> None:
        raise Stopped("cancelled")

    with pytest.raises(Stopped, match="cancelled"):
        screened_starts(case, RegistrationConfig(), np.array([0.0, 0.0, DEPTH_MM]), np.random.default_rng(0), stop)
