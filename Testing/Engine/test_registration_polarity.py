"""Polarity: both are tried where nobody decided it, the result tells which it was, and a failure names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PhantomImages import phantom_simulator, the_phantom

from Patience import PATIENCE_S
from prostreg.choices import Polarity
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import invert_rigid
from prostreg.geometry.standard_views import standard_view
from prostreg.images.pyramid import reduced_xray
from prostreg.images.xray import XRay
from prostreg.images.xray_preparation import prepare_xray
from prostreg.outputs.result_file import result_to_dict
from prostreg.registration import pipeline
from prostreg.registration.acceptance import Verdict, judge
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.evidence import Evidence
from prostreg.registration.readings import SIGNS_RIGHT, case_read_as, polarities_used, polarity_reasons, reading_of
from prostreg.registration.registering import register
from prostreg.search.objective import LESS_LIKELY
from prostreg.simulation.fluoroscopy import SimulatedXray

PIXELS = 96
QUICK = RegistrationConfig(
    search_pixels=40, judge_pixels=56, polish_pixels=56, population=32, generations=20, most_restarts=6,
    time_limit_s=PATIENCE_S,
)  # fmt: skip
OPPOSITE: dict[Polarity, Polarity] = {"bone-dark": "bone-bright", "bone-bright": "bone-dark"}

Read = Callable[[SimulatedXray], XRay]


@pytest.fixture(scope="module")
def case_of():
    """Makes the case of a spine seen by one or more C-arms, their images prepared by the functions given."""
    phantom = the_phantom()
    centre = phantom.vertebra_centres_mm.mean(axis=0)
    simulator, truth = phantom_simulator(), np.eye(4)
    first = standard_view("AP", centre, 620.0)

    def make(*prepared_by: Read) -> Case:
        views = []
        for name, prepare in zip(("AP", "left lateral"), prepared_by, strict=False):
            pose = standard_view(name, centre, 620.0)
            carm = CArm.from_sdd(1020.0, (298.0 / PIXELS,) * 2, (PIXELS, PIXELS), None, pose @ invert_rigid(truth))
            views.append(View(prepare(simulator.image(carm, truth, 0)), carm))
        chart = PoseChart(truth, first, centre)
        start = chart.world_from_volume_at([0.1, -0.1, 0.08, 12.0, -10.0, 15.0])[0]
        anatomy = phantom.labels.values > 0
        return Case("phantom", phantom.ct, anatomy, tuple(views), start, truth, phantom.vertebra_centres_mm)

    return make


def pixels_of(image: SimulatedXray) -> np.ndarray:
    return image.pixels.astype(np.float32)


def misjudged(image: SimulatedXray) -> XRay:
    """Prepared as if the signs of the image spoke for the wrong polarity."""
    return prepare_xray(pixels_of(image), likelier=OPPOSITE[image.polarity])


def given_wrong(image: SimulatedXray) -> XRay:
    return prepare_xray(pixels_of(image), OPPOSITE[image.polarity])


def well_judged(image: SimulatedXray) -> XRay:
    return prepare_xray(pixels_of(image), likelier=image.polarity)


def test_a_wrong_guess_is_survived_and_the_result_tells_which_it_was(case_of):
    case = case_of(misjudged)
    result = register(case, QUICK)
    assert result.status == "accepted"
    assert result.mtre_mm < 5
    looks_like = case.views[0].xray.polarity
    (told,) = result_to_dict(result)["polarity"]
    assert told["used"] == OPPOSITE[looks_like]
    assert told["given"] is False
    assert told["certainty"] >= result.confidence
    found = f"the polarity was found to be {told['used']}"
    assert f"{found}, against what the image looks like or its tags say" in result.reasons


def test_of_two_views_the_one_that_was_misjudged_is_found_out(case_of):
    case = case_of(well_judged, misjudged)
    result = register(case, QUICK)
    assert result.status == "accepted"
    assert [polarity.is_likelier for polarity in result.polarities] == [True, False]
    assert "the polarity of view 2 was found to be" in " ".join(result.reasons)
    assert "the polarity of view 1" not in " ".join(result.reasons)


def test_a_polarity_that_was_given_stays_and_a_failure_names_it(case_of):
    case = case_of(given_wrong)
    result = register(case, replace(QUICK, most_restarts=2))
    assert result.status != "accepted"
    (told,) = result.polarities
    assert told.used == case.views[0].xray.polarity
    assert told.is_given
    assert any(f"the polarity was given as {told.used}" in reason for reason in result.reasons)


def test_both_readings_of_an_image_survive_reduction():
    pixels = np.random.default_rng(0).uniform(100, 900, (64, 80)).astype(np.float32)
    xray = prepare_xray(pixels, likelier="bone-dark")
    carm = CArm.from_sdd(1000.0, (1.0, 1.0), (80, 64))
    reduced, _ = reduced_xray(xray, carm, 2)
    alone, _ = reduced_xray(prepare_xray(pixels, "bone-bright"), carm, 2)
    assert (reduced.polarity, reduced.other.polarity) == ("bone-dark", "bone-bright")
    np.testing.assert_array_equal(reduced.other.line_integrals, alone.line_integrals)


def test_the_looks_alone_say_which_is_tried_first_and_a_decision_leaves_no_other():
    pixels = np.random.default_rng(0).uniform(100, 900, (64, 80)).astype(np.float32)
    undecided = prepare_xray(pixels)
    assert {undecided.polarity, undecided.other.polarity} == {"bone-dark", "bone-bright"}
    assert prepare_xray(pixels, "bone-dark").other is None


def test_the_less_likely_reading_has_to_be_better_by_two_hundredths(case_of):
    assert LESS_LIKELY == 0.02


def test_certainty_is_that_of_the_pose_or_else_that_of_the_signs(case_of):
    case = case_of(misjudged)
    (likelier,), (other,) = polarities_used(case, (False,), 0.0), polarities_used(case, (True,), 0.0)
    assert likelier.certainty == pytest.approx(SIGNS_RIGHT)
    assert other.certainty == pytest.approx(1 - SIGNS_RIGHT)
    (sure,) = polarities_used(case, (True,), 0.99)
    assert sure.certainty == pytest.approx(0.99 + 0.01 * (1 - SIGNS_RIGHT))
    assert reading_of(case, (sure,)) == (True,)
    assert case_read_as(case, (True,)).views[0].xray is case.views[0].xray.other
    failed = polarity_reasons((other,), is_accepted=False)
    assert failed == (
        f"both polarities were tried, and the image does not tell for sure: the pose was found with {other.used};"
        " mask or crop what is drawn on the image or lies in the way, or tell the polarity",
    )
    assert polarity_reasons((likelier,), is_accepted=True) == ()


def test_a_pose_that_the_last_judgement_doubts_does_not_end_the_search(case_of, monkeypatch):
    """Only the last judgement knows the expected error; here it doubts the first pose that convinced."""
    case = case_of(well_judged)
    assert register(case, QUICK).evidence["restarts"] < QUICK.most_restarts

    def doubting(evidence: Evidence, *others: float, **named: bool) -> Verdict:
        verdict = judge(evidence, *others, **named)
        return verdict if evidence.expected_mtre_mm == 0 else replace(verdict, status="uncertain", confidence=0.5)

    monkeypatch.setattr(pipeline, "judge", doubting)
    result = register(case, QUICK)
    assert result.status == "uncertain"
    assert result.evidence["expected_mtre_mm"] > 0
    assert sum(stage.starts for stage in result.stages if stage.name in ("cmaes", "screening")) == QUICK.most_restarts
    assert result.stopped is None
