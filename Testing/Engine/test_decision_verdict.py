"""From evidence to a verdict: the limits that the decision records argue for, each at and around its value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq

from prostreg.registration.acceptance import CONFIRMED_TOGETHER, judge, needs_mirror_check, patient_doubt, side_doubt
from prostreg.registration.confidence import confidence_model, features, precise_enough
from prostreg.registration.evidence import Evidence, MirrorFit

GOOD = Evidence(confirmed=0.7, patches=100.0, seen=0.9, runner_up=0.0, agreement=0.0, restarts=2.0, surprise=1.0)


def with_confidence(probability: float) -> Evidence:
    """Evidence for which the model gives just this probability."""
    model = confidence_model()
    confirmed = brentq(lambda x: model.probability(replace(GOOD, confirmed=x)) - probability, 0.0, 1.0, xtol=1e-14)
    return replace(GOOD, confirmed=confirmed)


@pytest.mark.parametrize(
    ("confidence", "status"),
    [
        (0.999, "accepted"), (0.801, "accepted"), (0.799, "uncertain"), (0.5, "uncertain"), (0.41, "uncertain"),
        (0.201, "uncertain"), (0.199, "failed"), (0.02, "failed"),
    ],
)  # fmt: skip
def test_results_are_accepted_from_80_percent_and_failed_below_20(confidence, status):
    verdict = judge(with_confidence(confidence))
    assert verdict.status == status
    assert verdict.confidence == pytest.approx(confidence, abs=1e-6)
    assert "probab" not in " ".join(verdict.reasons)


def test_the_tutorial_promises_the_limits_of_the_shipped_model():
    model = confidence_model()
    assert (model.accepted_from, model.failed_below, model.error_inflation) == (0.8, 0.2, 2.847)


@pytest.mark.parametrize(("confidence", "status"), [(0.95, "uncertain"), (0.5, "uncertain"), (0.1, "failed")])
def test_a_run_that_was_stopped_is_never_accepted_nor_surer_than_what_is_not(confidence, status):
    evidence = with_confidence(confidence)
    verdict = judge(evidence, is_checked=False)
    assert verdict.status == status
    assert verdict.confidence == min(judge(evidence).confidence, 0.8)
    unchecked = "the run was stopped before its result was refined and checked"
    assert verdict.reasons == (unchecked, *judge(evidence).reasons)


@pytest.mark.parametrize("confidence", [0.99, 0.5, 0.1])
@pytest.mark.parametrize("is_checked", [True, False])
@pytest.mark.parametrize("margin", [4.0, 9.0])
def test_an_image_that_looks_mirrored_is_uncertain_with_20_percent_at_most(confidence, is_checked, margin):
    evidence = with_confidence(confidence)
    verdict = judge(evidence, MirrorFit(evidence.confirmed + 1e-6, margin), is_checked)
    assert verdict.status == "uncertain"
    assert verdict.confidence == pytest.approx(min(confidence, 0.2), abs=1e-6)
    assert verdict.reasons[0].startswith("the X-ray looks mirrored")
    assert "flip it and register again" in verdict.reasons[0]
    assert verdict.reasons[1:] == judge(evidence, is_checked=is_checked).reasons


@pytest.mark.parametrize(("confidence", "status"), [(0.99, "uncertain"), (0.4, "uncertain"), (0.1, "failed")])
def test_a_doubted_pose_is_never_accepted_and_the_doubt_comes_first(confidence, status):
    evidence = with_confidence(confidence)
    verdict = judge(evidence, doubts=("something is wrong",))
    assert verdict.status == status
    assert verdict.confidence == pytest.approx(min(confidence, 0.5), abs=1e-6)
    assert verdict.reasons == ("something is wrong", *judge(evidence).reasons)


@pytest.mark.parametrize("margin", [-9.0, 0.0, 3.99, 9.0])
def test_nothing_is_called_mirrored_that_is_not_explained_clearly_better_and_no_worse_confirmed(margin):
    evidence = replace(GOOD, confirmed=0.45)
    score = 0.45 if margin > 4 else 0.9
    assert judge(evidence, MirrorFit(score, margin)) == judge(evidence)
    assert judge(evidence, None) == judge(evidence)


def test_the_mirror_image_is_compared_with_what_the_anatomy_alone_confirms():
    """Its own pose is judged alone: what bones around add to the other must not outweigh it."""
    evidence = replace(GOOD, confirmed=0.6, by_bones_around=0.2)
    assert judge(evidence, MirrorFit(0.41, 9.0)).reasons[0].startswith("the X-ray looks mirrored")
    assert judge(evidence, MirrorFit(0.39, 9.0)) == judge(evidence)


@pytest.mark.parametrize("added", [0.0, 0.01])
def test_it_is_said_that_bones_around_count(added):
    assert (CONFIRMED_TOGETHER in judge(replace(GOOD, by_bones_around=added)).reasons) == (added > 0)


@pytest.mark.parametrize(
    ("margin", "is_doubted"), [(-9.0, False), (-2.0, False), (-1.99, True), (0.0, True), (3.0, True)]
)
def test_a_pose_is_doubted_unless_its_mirror_image_is_explained_clearly_worse(margin, is_doubted):
    doubt = side_doubt(MirrorFit(0.52, margin))
    assert (doubt is not None) is is_doubted
    assert doubt is None or doubt.startswith("left and right cannot be told apart here")


@pytest.mark.parametrize(("confirmed", "is_needed"), [(0.99, True), (0.56, True), (0.3, True), (0.1, False)])
def test_the_mirror_check_is_made_of_all_results_that_would_not_fail(confirmed, is_needed):
    assert needs_mirror_check(replace(GOOD, confirmed=confirmed)) is is_needed


def test_nothing_of_the_anatomy_in_the_image_is_a_failure_whatever_the_rest_says():
    for patches in (0.0, -1.0):
        verdict = judge(replace(GOOD, patches=patches))
        assert (verdict.status, verdict.confidence) == ("failed", 0.0)
        assert verdict.reasons == ("the anatomy does not appear in the image",)
        assert not needs_mirror_check(replace(GOOD, patches=patches, confirmed=0.4))
        assert confidence_model().probability(replace(GOOD, patches=patches)) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seen": 0.499}, "only 50% of the anatomy lies inside the image"),
        ({"expected_mtre_mm": 3.01}, "even at the right place the image leaves more than 3 mm open"),
        ({"agreement": 1.0}, "one more search from elsewhere ended at the same place"),
        ({"agreement": 2.0}, "2 more searches from elsewhere ended at the same place"),
    ],
)
def test_what_else_weighs_is_said_beyond_its_limit_and_not_before(change, words):
    name = next(iter(change))
    assert judge(GOOD).reasons[1:] == ()
    assert judge(replace(GOOD, **change)).reasons[1:] == (words,)
    nearly = {"seen": 0.5, "expected_mtre_mm": 2.99, "agreement": 0.0}[name]
    assert judge(replace(GOOD, **{name: nearly})).reasons[1:] == ()


def test_a_pose_with_a_rival_is_not_accepted_however_well_it_fits():
    alone = judge(replace(GOOD, runner_up=0.75 * 0.7 - 0.001))
    assert (alone.status, alone.reasons[1:]) == ("accepted", ())
    for runner_up in (0.75 * 0.7 + 0.001, 0.7, 0.9):
        rivalled = judge(replace(GOOD, runner_up=runner_up))
        assert (rivalled.status, rivalled.confidence) == ("uncertain", 0.5)
        assert rivalled.reasons[0] == "another place explains the image nearly as well"
    assert not any("another place" in reason for reason in judge(replace(GOOD, confirmed=-0.1)).reasons)


@pytest.mark.parametrize(("seen", "patches", "is_enough"), [(0.49, 29.9, False), (0.49, 30.1, True), (0.5, 9.0, True)])
def test_too_little_of_a_bone_is_not_accepted_however_well_it_fits(seen, patches, is_enough):
    verdict = judge(replace(GOOD, confirmed=0.9, seen=seen, patches=patches))
    words = "too little of the bone lies in the image to tell it from another's"
    assert (verdict.status == "accepted") == (words not in verdict.reasons) == is_enough
    assert is_enough or (verdict.confidence, verdict.reasons[0]) == (0.5, words)


@pytest.mark.parametrize(
    ("patches", "confirmed", "is_told_apart"),
    [(47.9, 0.619, False), (47.9, 0.621, True), (48.1, 0.619, True), (20.0, 0.3, False), (20.0, 0.9, True)],
)
def test_a_bone_of_little_structure_is_told_from_another_patients_by_how_much_is_confirmed(
    patches, confirmed, is_told_apart
):
    doubt = patient_doubt(replace(GOOD, patches=patches, confirmed=confirmed))
    assert (doubt is None) == is_told_apart
    assert is_told_apart or "another patient's" in doubt


@pytest.mark.parametrize(
    ("along_mm", "confirmed", "added", "is_told_apart"),
    [(2.0, 0.61, 0.0, True), (2.1, 0.61, 0.0, False), (2.1, 0.62, 0.0, True), (2.1, 0.61, 0.1, True)],
)
def test_so_is_one_whose_depth_is_open_unless_the_bones_around_tell(along_mm, confirmed, added, is_told_apart):
    """In front of the source a larger bone looks like a smaller one nearer to it."""
    doubt = patient_doubt(replace(GOOD, confirmed=confirmed, expected_along_mm=along_mm, by_bones_around=added))
    assert (doubt is None) == is_told_apart
    assert is_told_apart or doubt.startswith("the bone's depth hardly shows")


def test_bones_around_tell_a_bone_of_little_structure_from_another_patients():
    assert patient_doubt(replace(GOOD, patches=40.0, confirmed=0.5, by_bones_around=0.1)) is None


def test_the_first_reason_is_how_much_is_confirmed_in_words_that_are_no_second_probability():
    mirrored = MirrorFit(0.9, 9.0)
    verdict = judge(replace(GOOD, confirmed=0.7, runner_up=0.69), mirrored, doubts=(side_doubt(mirrored),))
    assert "most of the projected bone's structure is confirmed by the image" in verdict.reasons
    assert "%" not in " ".join(verdict.reasons)


def test_the_probability_is_the_logistic_of_the_weighed_features():
    model = confidence_model()
    evidence = Evidence(0.37, 30.0, 0.6, 0.2, 2.0, 5.0, 1.7, 0.0)
    weights = {"confirmed": 20.4368, "chance": -13.846, "rivalry": -0.8788, "surprise": -0.2865}
    values = {"confirmed": 0.37, "chance": 1 / np.sqrt(30.0), "rivalry": 0.2 / 0.37, "surprise": 1.7}
    logit = -4.542 + sum(weights[name] * values[name] for name in weights)
    assert model.probability(evidence) == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-12)
    assert all(features(evidence)[name] == pytest.approx(value) for name, value in values.items())


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        ({"runner_up": 9.0}, "rivalry", 2.0), ({"runner_up": -1.0}, "rivalry", 0.0), ({"patches": 0.3}, "chance", 1.0),
        ({"confirmed": -0.1, "runner_up": 0.1}, "rivalry", 2.0),
    ],
)  # fmt: skip
def test_features_stay_within_their_bounds(change, name, value):
    assert features(replace(GOOD, **change))[name] == pytest.approx(value)


@pytest.mark.parametrize(("expected_mm", "share"), [(0.0, 1.0), (5.0, 1 - np.exp(-4)), (10.0, 1 - np.exp(-1))])
def test_an_expected_error_of_10_mm_leaves_63_percent(expected_mm, share):
    assert precise_enough(expected_mm) == pytest.approx(share)
    evidence = replace(GOOD, expected_mtre_mm=expected_mm)
    model = confidence_model()
    assert model.probability(evidence) == pytest.approx(share * model.probability(GOOD))


def test_an_expected_error_can_cost_a_good_score_its_trust():
    assert judge(replace(GOOD, expected_mtre_mm=2.0)).status == "accepted"
    assert judge(replace(GOOD, expected_mtre_mm=9.0)).status == "uncertain"
