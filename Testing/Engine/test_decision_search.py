"""Which pose wins: the worst view decides, the most convincing pose is kept, and improbable ones lose a little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from prostreg.errors import Stopped
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.projector.selection import make_projector
from prostreg.registration import pose_search
from prostreg.registration.acceptance import judge
from prostreg.registration.attempts import SAME_PLACE_MM, AttemptLog
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.levels import Levels
from prostreg.registration.monitor import Monitor
from prostreg.registration.pipeline import _Run
from prostreg.registration.pose_search import PoseSearch
from prostreg.registration.registering import register
from prostreg.registration.screening import Screened
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.search.candidate import Candidate
from prostreg.search.cmaes import PRIOR_WEIGHT, cmaes_search
from prostreg.search.objective import OFF_IMAGE, FootprintScore, Objective
from prostreg.similarity.correlation import PatchGradNcc

SPREAD = np.array([0.2, 0.2, 0.2, 20.0, 20.0, 50.0])
SHAPE = (40, 44, 48)
CENTRE = np.array([47.0, 43.0, 39.0])
TWO_VIEWS = ("AP", "left lateral")


def bone_hu() -> np.ndarray:
    k, j, i = np.indices(SHAPE)
    rng = np.random.default_rng(4)
    hu = np.full(SHAPE, 40.0)
    for _ in range(14):
        centre, radii = rng.uniform(10, 30, 3), rng.uniform(3, 7, 3)
        squares = sum(((axis - c) / r) ** 2 for axis, c, r in zip((k, j, i), centre, radii, strict=True))
        hu[squares < 1] = 900.0
    return hu.astype(np.float32)


@pytest.fixture(scope="module")
def ct() -> Volume:
    return Volume(bone_hu(), np.diag([2.0, 2.0, 2.0, 1.0]))


def carm_of(name: str) -> CArm:
    return CArm.from_sdd(1000.0, (3.0, 3.0), (72, 64), camera_from_world=standard_view(name, CENTRE, 600.0))


@pytest.fixture(scope="module")
def images(ct) -> dict[str, np.ndarray]:
    """What each view shows at the true pose, the identity."""
    projector = make_projector(Volume(np.where(ct.values > 500, 0.02, 0.0).astype(np.float32), ct.volume_from_index))
    return {
        name: projector.render(carm_of(name).camera_from_world[None], carm_of(name))[0]
        for name in ("AP", "left lateral")
    }


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, (64, 72)).astype(np.float32)


def case_of(ct: Volume, pictures: dict[str, np.ndarray], masks: dict[str, np.ndarray] | None = None) -> Case:
    everywhere = np.ones((64, 72), dtype=bool)
    views = tuple(
        View(XRay(image, (masks or {}).get(name, everywhere)), carm_of(name)) for name, image in pictures.items()
    )
    return Case("bones", ct, ct.values > 500, views, np.eye(4))


def objective_of(case: Case) -> Objective:
    bone = Volume(np.where(case.anatomy, 0.02, 0.0).astype(np.float32), case.ct.volume_from_index)
    return Objective(make_projector(bone), [(view.xray, view.carm) for view in case.views], CENTRE, 4, 2, PatchGradNcc)


@pytest.mark.parametrize("wrong", TWO_VIEWS)
def test_the_view_that_confirms_least_decides_whichever_it_is(ct, images, wrong):
    alone = objective_of(case_of(ct, {wrong: noise(1)})).footprint_score(np.eye(4))
    pictures = {**images, wrong: noise(1)}
    together = objective_of(case_of(ct, pictures)).footprint_score(np.eye(4))
    right = objective_of(case_of(ct, images)).footprint_score(np.eye(4))
    assert together == alone
    assert alone.score < 0.2 < 0.9 < right.score


def test_a_search_weighs_all_views_the_same(ct, images):
    pose = np.eye(4)[None]
    one = {name: objective_of(case_of(ct, {name: image})).scores(pose)[0] for name, image in images.items()}
    wrong = objective_of(case_of(ct, {"AP": noise(1)})).scores(pose)[0]
    assert objective_of(case_of(ct, images)).scores(pose)[0] == pytest.approx(sum(one.values()) / 2, abs=1e-6)
    mixed = objective_of(case_of(ct, {**images, "AP": noise(1)})).scores(pose)[0]
    assert mixed == pytest.approx((wrong + one["left lateral"]) / 2, abs=1e-6)


def test_a_centre_that_any_view_misses_counts_as_unseen(ct, images):
    objective = objective_of(case_of(ct, images))
    # Along the AP beam the anatomy stays on that image and leaves the lateral one.
    beam = np.linalg.inv(carm_of("AP").camera_from_world)[:3, 2]
    poses = np.stack([np.eye(4)] * 3)
    poses[1, :3, 3], poses[2, :3, 3] = 300 * beam, -300 * beam
    scores = objective.scores(poses)
    assert scores[0] > 0.5
    assert list(scores[1:]) == [-1.0, -1.0]  # the lowest score there is
    assert OFF_IMAGE == -1.0
    alone = objective_of(case_of(ct, {"AP": images["AP"]})).scores(poses)
    assert (alone != OFF_IMAGE).all()


@pytest.mark.parametrize("hidden", [{}, {"AP": 0.5}, {"left lateral": 0.25}, {"AP": 0.3, "left lateral": 0.6}])
def test_the_share_seen_is_that_of_the_view_that_shows_least(ct, images, hidden):
    points = anatomy_points_mm(case_of(ct, images))
    masks, shares = {}, [1.0]
    for name, part in hidden.items():
        columns = np.rint(carm_of(name).project_world(points)[:, 0])
        first_shown = int(np.quantile(columns, part))
        masks[name] = np.ones((64, 72), dtype=bool)
        masks[name][:, :first_shown] = False
        shares.append(np.mean(columns >= first_shown))
    case = case_of(ct, images, masks)
    chart = PoseChart(np.eye(4), case.views[0].carm.camera_from_world, CENTRE)
    log = AttemptLog(case, chart, points, SPREAD)
    seen = log.evidence(np.zeros(6), FootprintScore(0.5, 20.0), 1).seen
    assert seen == pytest.approx(min(shares))
    assert len(set(shares)) == len(shares)


def test_points_beyond_each_border_of_the_image_are_not_seen(ct, images):
    case = case_of(ct, {"AP": images["AP"]})
    chart = PoseChart(np.eye(4), case.views[0].carm.camera_from_world, CENTRE)
    log = AttemptLog(case, chart, anatomy_points_mm(case), SPREAD)
    for shift in ((400, 0), (-400, 0), (0, 400), (0, -400)):
        aside = np.array([0, 0, 0, *shift, 0.0])
        assert log.evidence(aside, FootprintScore(0.5, 20.0), 1).seen == 0
    behind = np.array([0, 0, 0, 0, 0, -900.0])
    assert log.evidence(behind, FootprintScore(0.5, 20.0), 1).seen == 0


def test_poses_within_a_centimetre_are_the_same_finding_and_only_others_are_rivals(ct, images):
    case = case_of(ct, {"AP": images["AP"]})
    chart = PoseChart(np.eye(4), case.views[0].carm.camera_from_world, CENTRE)
    log = AttemptLog(case, chart, anatomy_points_mm(case), SPREAD)
    assert SAME_PLACE_MM == 10.0
    near, far, farther = (np.array([0, 0, 0, shift, 0, 0.0]) for shift in (9.9, 10.1, 40.0))
    log.add(near, FootprintScore(0.9, 20.0), 1)
    log.add(far, FootprintScore(0.3, 20.0), 1)
    log.add(farther, FootprintScore(0.2, 20.0), 1)
    evidence = log.evidence(np.zeros(6), FootprintScore(0.5, 20.0), 3)
    assert (evidence.runner_up, evidence.agreement, evidence.restarts) == (0.3, 1.0, 3.0)
    assert log.evidence(np.zeros(6), FootprintScore(0.5, 20.0), 3, is_kept=True).agreement == 0
    assert [attempt.evidence["confirmed"] for attempt in log.attempts] == [0.9, 0.3, 0.2]


class TestMostConvincing:
    """A pose that explains both views a little beats one that explains one of them well (ADR 0006)."""

    @pytest.fixture
    def search(self, ct, images):
        case = case_of(ct, images)
        points, config = anatomy_points_mm(case), RegistrationConfig(search_pixels=32, judge_pixels=48)
        centre = anatomy_centre_mm(points)
        chart = PoseChart(np.eye(4), case.views[0].carm.camera_from_world, centre)
        log = AttemptLog(case, chart, points, SPREAD)
        monitor = Monitor(chart, 1, 60.0, None, None)
        levels = Levels(case, np.eye(4), points, centre, 20.0, config)
        return PoseSearch(chart, levels, SPREAD, log, monitor, config, None, lambda: (case, levels))

    def test_the_more_convincing_pose_is_kept_whatever_its_score_and_its_turn(self, search):
        right, wrong = Candidate(0.3, np.zeros(6)), Candidate(0.9, np.array([0.5, 0.4, 0.6, 9.0, 9.0, 20.0]))
        search._consider(wrong)
        assert search.best is wrong
        unsure = search.confidence
        search._consider(right)
        assert search.best is right
        assert search.confidence > max(unsure, 0.5)
        search._consider(Candidate(0.95, wrong.parameters))
        assert search.best is right

    def test_of_equally_convincing_poses_the_higher_score_is_kept(self, search):
        low, high = Candidate(0.3, np.zeros(6)), Candidate(0.4, np.zeros(6))
        search._consider(low)
        search._consider(high)
        assert search.best is high
        search._consider(low)
        assert search.best is high

    def test_after_a_stop_the_start_is_judged_too(self, search):
        search._consider(Candidate(0.9, np.array([0.5, 0.4, 0.6, 9.0, 9.0, 20.0])))
        search.keep_what_was_found()
        assert (search.best.parameters == 0).all()

    def test_a_polish_that_slides_off_is_not_taken(self, search):
        search._consider(Candidate(2.0, np.zeros(6)))  # nothing comes near the score that it is said to have
        search.polish()
        assert (search.best.parameters == 0).all()
        assert search.best.score == 2.0


def test_each_run_is_in_its_own_chart_and_loses_two_hundredths_for_one_spread_in_every_parameter(ct, images):
    assert PRIOR_WEIGHT == 0.02
    objective = objective_of(case_of(ct, images))
    chart = PoseChart(np.eye(4), carm_of("AP").camera_from_world, CENTRE)
    beside = PoseChart(chart.world_from_volume_at(-0.5 * SPREAD)[0], chart.camera_from_world, CENTRE)
    charts, starts = [chart, beside], np.array([np.zeros(6), 0.5 * SPREAD])
    found = cmaes_search(objective, charts, starts, SPREAD, 6, 1, np.random.default_rng(0), lambda *_: None)
    assert len(found) == 2
    for candidate, chart in zip(found, charts, strict=True):
        plain = objective.scores(chart.world_from_volume_at(candidate.parameters))[0]
        loss = 0.02 * np.mean((candidate.parameters / SPREAD) ** 2)
        assert candidate.score == pytest.approx(plain - loss, abs=1e-9)
        assert loss > 1e-4


def test_of_all_poses_that_a_run_looks_at_the_best_is_kept(ct, images, monkeypatch):
    objective, seen = objective_of(case_of(ct, images)), []
    chart = PoseChart(np.eye(4), carm_of("AP").camera_from_world, CENTRE)
    plain = objective.scores

    def noted(poses):
        seen.append(plain(poses))
        return seen[-1]

    monkeypatch.setattr(objective, "scores", noted)
    starts = np.array([np.zeros(6), 0.5 * SPREAD])
    found = cmaes_search(objective, [chart] * 2, starts, SPREAD, 8, 3, np.random.default_rng(0), lambda *_: None)
    for candidate, scores in zip(found, np.concatenate([part.reshape(2, -1) for part in seen], axis=1), strict=True):
        assert np.ptp(scores) > 0.1
        assert candidate.score == pytest.approx(scores.max(), abs=0.05)


def test_a_search_that_is_stopped_gives_no_worse_pose_than_its_start(ct, images):
    """Placed by hand, and right: the first poses that CMA-ES draws around it are all worse."""
    config, told = RegistrationConfig(method="cmaes", search_pixels=32, judge_pixels=48), []
    result = register(case_of(ct, images), config, told.append, lambda: bool(told))
    assert result.stopped == "cancelled"
    assert [progress.stage for progress in told] == ["cmaes"]
    np.testing.assert_allclose(result.world_from_volume, np.eye(4), atol=1e-9)


def test_a_run_ends_when_it_is_cancelled_or_out_of_time_and_says_which():
    chart = PoseChart(np.eye(4), standard_view("AP", (0, 0, 0), 600.0), np.zeros(3))
    best, told = Candidate(0.25, np.zeros(6)), []
    Monitor(chart, 2, 60.0, told.append, lambda: False).check("cmaes", 0.5, best)
    assert (told[0].stage, told[0].fraction, told[0].score) == ("cmaes", 0.25, 0.25)
    assert told[0].message == "cmaes: similarity 0.250"
    with pytest.raises(Stopped, match="cancelled"):
        Monitor(chart, 1, 60.0, None, lambda: True).check("cmaes", 0.0, best)
    with pytest.raises(Stopped, match="time limit"):
        Monitor(chart, 1, -1.0, None, lambda: False).check("cmaes", 0.0, best)
    with pytest.raises(Stopped, match="cancelled"):
        Monitor(chart, 1, -1.0, None, lambda: True).check("cmaes", 0.0, best)


@pytest.mark.parametrize(
    ("rounds", "done", "share", "fraction"), [(2, 1, 0.5, 0.75), (2, 3, 0.5, 1.0), (None, 1, 0.0, 0.5)]
)
def test_progress_counts_rounds(rounds, done, share, fraction):
    chart = PoseChart(np.eye(4), standard_view("AP", (0, 0, 0), 600.0), np.zeros(3))
    told = []
    monitor = Monitor(chart, rounds, 60.0, told.append, None)
    monitor.rounds_done = done
    monitor.check("cmaes", share, Candidate(0.0, np.zeros(6)))
    assert told[0].fraction == pytest.approx(fraction)


def test_a_judged_pose_is_accepted_only_with_the_footprint_of_its_worst_view(ct, images):
    pictures = {**images, "left lateral": noise(2)}
    case = case_of(ct, pictures)
    chart = PoseChart(np.eye(4), case.views[0].carm.camera_from_world, CENTRE)
    log = AttemptLog(case, chart, anatomy_points_mm(case), SPREAD)
    for views, status in ((pictures, "failed"), (images, "accepted")):
        footprint = objective_of(case_of(ct, views)).footprint_score(np.eye(4))
        assert judge(log.evidence(np.zeros(6), footprint, 1)).status == status


SCREENED_BONE = {
    "all bone": (1.0, (False, False)),
    "half of it": (0.5, (True, False)),
    "a sixth": (1 / 6, (True, True)),
}
"""Share of the bone that the anatomy has; whether the first and the second screening match more than the anatomy."""


@pytest.mark.parametrize(("share", "expected"), SCREENED_BONE.values(), ids=SCREENED_BONE)
def test_screenings_match_all_bone_and_a_large_anatomy_alone_in_turn(ct, images, monkeypatch, share, expected):
    case, bone = case_of(ct, {"AP": images["AP"]}), np.flatnonzero(ct.values > 500)
    part = np.zeros(ct.values.size, dtype=bool)
    part[bone[: round(share * bone.size)]] = True
    run = _Run(replace(case, anatomy=part.reshape(ct.values.shape)), RegistrationConfig(), None, None)
    matched, levels = [], []

    def screened(body, config, body_levels, chart, spread, rng, on_step):
        matched.append(int(np.count_nonzero(body.anatomy)))
        levels.append(body_levels)
        return Screened([np.eye(4)], 1)

    monkeypatch.setattr(pose_search, "screened_around", screened)
    for _ in range(2):
        run.search.search_from_screening(1)
    assert tuple(count > part.sum() for count in matched) == expected
    assert (levels[0] is levels[1]) == (expected[0] == expected[1])  # the same body is made once
