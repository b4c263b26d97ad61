"""A search without a start: which views are tried in which order, what ends it, and which result is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import MAIN_VIEWS, standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.projector.selection import make_projector
from prostreg.registration.acceptance import Verdict
from prostreg.registration.carm.carm_check import carm_checked
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.everywhere import LIKELY, _Everywhere, _trials, merit, register_everywhere
from prostreg.registration.result import Result

QUICK = RegistrationConfig(
    method="cmaes", restarts=1, search_pixels=24, judge_pixels=48, polish_pixels=48, population=12, generations=12,
    time_limit_s=600.0, spread_rotation_deg=5.0, spread_shift_mm=10.0, spread_depth_mm=10.0,
)  # fmt: skip
CENTRE = np.array([39.0, 35.0, 37.0])


def result_of(status: str, confidence: float, confirmed: float | None = None) -> Result:
    evidence = {} if confirmed is None else {"confirmed": confirmed}
    return Result(
        "case", status, confidence, np.eye(4), (), (), 0.0, "cpu", "fused-cpu", None, {}, {}, evidence=evidence
    )


def test_of_several_results_an_accepted_one_wins_then_the_more_convincing_then_the_better_confirmed():
    from_worst_to_best = [
        result_of("failed", 0.0), result_of("failed", 0.0, 0.1), result_of("failed", 0.1, 0.05),
        result_of("uncertain", 0.5, 0.3), result_of("uncertain", 0.6, 0.2), result_of("uncertain", 0.99, 0.9),
        result_of("accepted", 0.8, 0.3), result_of("accepted", 0.9, 0.2),
    ]  # fmt: skip
    merits = [merit(result) for result in from_worst_to_best]
    assert merits == sorted(merits)
    assert len(set(merits)) == len(merits)


def test_a_result_that_convinced_the_search_wins_over_one_that_was_not_checked():
    settled = replace(result_of("uncertain", 0.5), is_settled=True)
    assert merit(settled) > merit(result_of("uncertain", 0.8, 0.9))
    assert merit(settled) < merit(result_of("accepted", 0.8))


def test_likely_views_come_first_then_frontal_ones_in_three_rounds_of_4_16_and_64_restarts_with_other_random_numbers():
    trials = list(_trials(RegistrationConfig(seed=7)))
    assert list(MAIN_VIEWS) == ["AP", "PA", "left lateral", "right lateral"]
    assert [trial.view for trial in trials] == [LIKELY, LIKELY, LIKELY, *MAIN_VIEWS] * 3
    assert [trial.has_bones_around for trial in trials] == [True, False, True, *[False] * 4] * 3
    assert [trial.round for trial in trials] == [0] * 7 + [1] * 7 + [2] * 7
    assert [trial.config.most_restarts for trial in trials] == [
        1,
        1,
        1,
        *[4] * 4,
        1,
        1,
        1,
        *[16] * 4,
        1,
        1,
        1,
        *[64] * 4,
    ]
    assert [trial.config.seed for trial in trials] == [7] * 7 + [8] * 7 + [9] * 7


def test_a_user_who_wants_fewer_restarts_gets_fewer_and_a_seed_stays_in_its_range():
    trials = list(_trials(RegistrationConfig(most_restarts=10, seed=2**32 - 1)))
    assert [trial.config.most_restarts for trial in trials] == [1, 1, 1, *[4] * 4, *[1, 1, 1, *[10] * 4] * 2]
    assert trials[-1].config.seed == 1


@pytest.mark.parametrize("change", [{"method": "cmaes"}, {"restarts": 3}])
def test_a_set_number_of_restarts_or_another_method_is_one_round_with_the_users_settings(change):
    config = RegistrationConfig(**change)
    trials = list(_trials(config))
    assert [trial.view for trial in trials] == list(MAIN_VIEWS)
    assert all(trial.config is config and trial.round == 0 for trial in trials)


@pytest.fixture
def seen_from(body):
    """Makes a case whose one view is a standard view."""

    def make(name: str) -> Case:
        carm = CArm.from_sdd(1000.0, (2.5, 2.5), (96, 96))
        camera_from_volume = standard_view(name, CENTRE, 610.0)
        bone = Volume(np.where(body.values > 500, 0.02, 0).astype(np.float32), body.volume_from_index)
        image = make_projector(bone).render(camera_from_volume[None], carm)[0]
        view = View(XRay(image, np.ones(image.shape, dtype=bool)), carm)
        return Case("body", body, body.values > 500, (view,), None, camera_from_volume, CENTRE[None])

    return make


@pytest.mark.parametrize("seen", ["AP", "PA", "left lateral"])
def test_the_first_accepted_view_ends_the_search_and_all_before_it_are_told(seen_from, seen):
    told = []
    result = register_everywhere(seen_from(seen), QUICK, told.append)
    assert result.status == "accepted"
    assert result.mtre_mm < 2
    tried = list(MAIN_VIEWS)[: list(MAIN_VIEWS).index(seen) + 1]
    assert list(dict.fromkeys(stage.name.split(":")[0] for stage in result.stages)) == tried
    assert result.reasons[-1] == (
        f"no start was given; views tried as starts: {', '.join(tried)}; the best pose was found from {seen}"
    )
    assert result.stopped is None
    assert result.config == QUICK.to_dict()
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert told[0].message.startswith("no start given, trying AP: ")
    assert told[-1].message.startswith(f"no start given, trying {seen}: ")


def test_a_doubt_that_no_search_mends_ends_the_search(seen_from, monkeypatch):
    def contradicted(verdict, *others):
        _, expected, fit = carm_checked(verdict, *others)
        return Verdict("uncertain", 0.5, ("the image fits another C-arm",)), expected, fit

    monkeypatch.setattr("prostreg.registration.pipeline.carm_checked", contradicted)
    result = register_everywhere(seen_from("PA"), QUICK)
    assert result.status == "uncertain"
    assert result.mtre_mm < 2
    assert "views tried as starts: AP, PA; the best pose was found from PA" in result.reasons[-1]


def test_without_an_accepted_view_all_are_tried_and_the_most_convincing_is_kept(seen_from):
    case = seen_from("AP")
    noise = np.random.default_rng(3).normal(0, 1, (96, 96)).astype(np.float32)
    of_noise = replace(case, views=(View(XRay(noise, case.views[0].xray.mask), case.views[0].carm),))
    result = register_everywhere(of_noise, replace(QUICK, population=8, generations=2))
    assert result.status != "accepted"
    assert f"views tried as starts: {', '.join(MAIN_VIEWS)}" in result.reasons[-1]
    assert result.confidence <= max(attempt.confidence for attempt in result.attempts) + 1e-9
    assert {stage.name.split(":")[0] for stage in result.stages} == set(MAIN_VIEWS)
    # Of every view there is an attempt that a person may look at.
    tried = {view for attempt in result.attempts for view in beside(attempt.world_from_volume)}
    assert tried == set(MAIN_VIEWS)
    # The view that is named is the one beside which the pose lies, and here it is not the last one tried.
    assert beside(result.world_from_volume) != [list(MAIN_VIEWS)[-1]]
    assert [result.reasons[-1].rpartition(" from ")[2]] == beside(result.world_from_volume)


def beside(pose: np.ndarray) -> list[str]:
    """The standard views beside which a pose lies."""
    turns = {name: standard_view(name, CENTRE, 610.0)[:3, :3] for name in MAIN_VIEWS}
    return [name for name, turn in turns.items() if np.trace(pose[:3, :3].T @ turn) > 2]


def test_a_cancelled_search_ends_with_the_view_it_was_at(seen_from):
    result = register_everywhere(seen_from("PA"), QUICK, None, lambda: True)
    assert result.stopped == "cancelled"
    assert result.status != "accepted"
    assert {stage.name.split(":")[0] for stage in result.stages} <= {"AP"}


def test_a_slow_computer_gives_a_screening_half_of_the_time(seen_from, count_looks_as_seconds):
    """A sixth, the share of one start, would end it before it has found anything."""
    case = seen_from("AP")
    shown = replace(
        case.views[0], xray=XRay(case.views[0].xray.line_integrals[16:-16, 16:-16], np.ones((64, 64), dtype=bool)),
        carm=case.views[0].carm.cropped(16, 16, (64, 64)),
    )  # fmt: skip
    search = _Everywhere(replace(case, views=(shown,)), RegistrationConfig(time_limit_s=120.0), None, None)
    starts = search._starts(0, search._trials[0])
    assert np.trace(starts[0][:3, :3].T @ case.truth_world_from_volume[:3, :3]) > 2.9
    assert 120 / 6 < search._elapsed < 120 / 2
