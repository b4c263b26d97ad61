"""What the panel says of a result, for every verdict there is: the one sentence that must never be wrong."""

import html
import re
from types import SimpleNamespace

import numpy as np
import pytest

from ProSTRegistrationLib.Validity import Validity

VALID = Validity()
RESULT = {
    "number": 3, "status": "accepted", "confidence": 0.93, "reasons": [], "acrossMm": None, "alongMm": None,
    "mtreMm": None, "landmarkErrorMm": None, "carm": "calibrated", "decision": "none",
}  # fmt: skip
WORDS = {"accepted": "Trusted", "uncertain": "Uncertain", "failed": "Failed"}
COLORS = {"accepted": "#1b7f4d", "uncertain": "#8f5d00", "failed": "#b3261e"}
NOT_JUDGED_COLOR = "#6b7078"
ROW = {
    "Attempt": "7", "Status": "accepted", "Confidence %": "93.4", "Error across mm": "0.04", "Error along mm": "1.26",
    "C-arm": "preset", "Start": "landmarks", "Method": "auto", "Quality": "normal", "Seconds": "12.6",
    "Decision": "none", "Bone": "not known",
}  # fmt: skip


@pytest.fixture(scope="module")
def verdict(lastingFacade):
    from ProSTRegistrationLib import VerdictWords

    return VerdictWords


def plainText(richText):
    """What a person reads, in one line."""
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", richText)).split())


@pytest.mark.parametrize("status", WORDS)
def test_only_an_accepted_result_is_called_trusted_and_each_verdict_has_its_own_word_and_colour(verdict, status):
    for confidence, percent in ((0.0, "< 1"), (0.2, "20"), (0.504, "50"), (0.93, "93"), (0.996, "> 99")):
        shown = verdict.verdictText({**RESULT, "status": status, "confidence": confidence}, VALID)
        said = "No place was found that fits." if status == "failed" else f"{percent} % likely the right place."
        assert plainText(shown) == f"{WORDS[status]} {said}"
        assert f'bgcolor="{COLORS[status]}"' in shown
        assert ("Trusted" in shown) == (status == "accepted")
        assert all(color not in shown for other, color in COLORS.items() if other != status)
        assert shown.count("#ffffff") == 2


CHANGES = {
    "missing": "The choice of CT, X-rays, C-arms or anatomy became unusable",
    "xrays": "Another X-ray was chosen",
    "pixels": "The X-ray was changed (flip, outlines, bone dark or bright)",
    "carms": "The C-arm was changed",
    "ct": "The CT was changed",
    "anatomy": "The anatomy was changed",
    "settings": "The settings of the method, or how the views stand, were changed",
}


@pytest.mark.parametrize("status", WORDS)
@pytest.mark.parametrize("part", CHANGES)
def test_a_change_of_what_it_judged_takes_a_verdict_and_its_numbers_away(verdict, status, part):
    result = {**RESULT, "status": status, "reasons": ["62 % confirmed"], "mtreMm": 1.0}
    shown = verdict.verdictText(result, Validity(changes=(part,)))
    assert plainText(shown) == f"Not judged {CHANGES[part]} after attempt 3. Put it back, or register again."
    assert f'bgcolor="{NOT_JUDGED_COLOR}"' in shown
    assert verdict.detailsText(result, Validity(changes=(part,))) == ""


@pytest.mark.parametrize("status", WORDS)
def test_a_moved_ct_takes_its_verdict_with_it(verdict, status):
    shown = verdict.verdictText({**RESULT, "status": status}, Validity(isMoved=True, isOnScreen=False))
    assert plainText(shown) == "Not judged The CT was moved after attempt 3. Click the attempt to put it back."
    assert f'bgcolor="{NOT_JUDGED_COLOR}"' in shown
    assert "93" not in shown
    assert verdict.detailsText({**RESULT, "mtreMm": 1.0}, Validity(isMoved=True)) == ""


def test_several_changes_are_all_named(verdict):
    shown = verdict.verdictText(RESULT, Validity(changes=("xrays", "pixels", "carms"), isMoved=True))
    assert plainText(shown).startswith(
        "Not judged Another X-ray was chosen and the C-arm was changed and the CT was moved"
    )


def test_a_ct_that_rejecting_put_back_was_not_moved_by_a_person(verdict):
    rejected = {**RESULT, "decision": "rejected"}
    said = Validity(changes=("pixels",), isMoved=True, isOnScreen=False, isAtStart=True)
    assert "moved" not in verdict.verdictText(rejected, said)
    assert "moved" in verdict.verdictText(RESULT, said)


def test_an_attempt_of_an_earlier_version_judges_nothing(verdict):
    shown = verdict.verdictText(RESULT, Validity(isKnown=False))
    assert plainText(shown).startswith("Not judged What attempt 3 judged is not known")


def test_nothing_is_said_without_a_result(verdict):
    assert verdict.verdictText(None, VALID) == verdict.verdictText(None, Validity(isMoved=True)) == ""
    assert verdict.detailsText(None, VALID) == ""


def test_a_row_that_judged_something_else_says_so_and_keeps_its_history(verdict):
    cells = verdict.attemptCells(ROW, isOutdated=True)
    assert cells == ["7", "Not judged", "", "", "", "landmarks", "auto, normal", "guessed", "13 s"]


def test_a_pose_that_was_not_accepted_is_asked_about_by_its_word(verdict):
    assert "'Uncertain'" in verdict.questionBeforeKeeping("uncertain")
    assert "'Failed'" in verdict.questionBeforeKeeping("failed")


def test_a_status_nobody_knows_looks_like_a_failure_and_an_unknown_confidence_like_none(verdict):
    shown = verdict.verdictText({**RESULT, "status": "edited <b>", "confidence": None}, VALID)
    assert f'bgcolor="{COLORS["failed"]}"' in shown
    assert "edited &lt;b&gt;" in shown
    assert "No place was found" in shown
    unknown = verdict.verdictText({**RESULT, "status": "uncertain", "confidence": None}, VALID)
    assert "&lt; 1 % likely" in unknown


def test_the_word_of_a_verdict(verdict):
    assert {status: verdict.verdictWord(status) for status in WORDS} == WORDS


def test_each_fact_of_a_result_has_its_line(verdict):
    assert verdict.detailsText(RESULT, VALID) == ""
    several = {**RESULT, "reasons": ["62 % confirmed", "another <place>"]}
    assert verdict.detailsText(several, VALID).split("<br>") == ["62 % confirmed.", "Another &lt;place&gt;."]
    assert plainText(verdict.detailsText({**RESULT, "mtreMm": 1.26}, VALID)) == "The sample's own pose is 1.3 mm away."
    landmarks = plainText(verdict.detailsText({**RESULT, "landmarkErrorMm": 12.4}, VALID))
    assert landmarks == "The marked landmarks are 12 mm off here, on average."
    # Where an error is next to nothing it is known, and said.
    none = verdict.detailsText({**RESULT, "mtreMm": 0.0, "landmarkErrorMm": 0.0}, VALID)
    assert none.count("less than 0.1 mm") == 2
    assert "0.0" not in none


@pytest.mark.parametrize(
    ("across", "along", "words"),
    [
        (0.4, 2.5, "0.4 mm across the beam, 2.5 mm along it."),
        (0.02, 9.96, "less than 0.1 mm across the beam, 10 mm along it."),
        (12.6, 0.0, "13 mm across the beam, less than 0.1 mm along it."),
    ],
)
def test_the_verdict_tells_the_results_own_error_across_and_along_and_a_failure_none(verdict, across, along, words):
    result = {**RESULT, "acrossMm": across, "alongMm": along}
    for status in ("accepted", "uncertain"):
        shown = plainText(verdict.verdictText({**result, "status": status}, VALID))
        assert shown.endswith(f"93 % likely the right place. Expected error there: {words}")
        assert shown.count("%") == 1
    assert "mm" not in verdict.verdictText({**result, "status": "failed"}, VALID)
    assert verdict.detailsText(result, VALID) == ""
    for missing in ("acrossMm", "alongMm"):
        assert "Expected" not in verdict.verdictText({**result, missing: None}, VALID)


def test_a_carm_that_nobody_confirmed_is_named(verdict):
    said = {
        accuracy: plainText(verdict.verdictText({**RESULT, "carm": accuracy}, VALID)).partition("place.")[2].strip()
        for accuracy in ("calibrated", "dicom", "preset", "not known")
    }
    guessed = "The C-arm's values are guessed, not confirmed."
    assert said == {"calibrated": "", "dicom": "C-arm's values from DICOM.", "preset": guessed, "not known": ""}


def test_reasons_come_first_and_all_lines_are_there_together(verdict):
    result = {**RESULT, "reasons": ["why"], "mtreMm": 2.0, "landmarkErrorMm": 3.0}
    starts = [line[:10] for line in map(plainText, verdict.detailsText(result, VALID).split("<br>"))]
    assert starts == ["Why.", "The sample", "The marked"]


@pytest.mark.parametrize("status", WORDS)
def test_a_row_of_attempts_says_the_same_as_the_verdict(verdict, status):
    cells = dict(zip(verdict.attemptHeadings(), verdict.attemptCells({**ROW, "Status": status}), strict=True))
    likely, error = ("", "") if status == "failed" else ("93 %", "< 0.1 / 1.3")
    assert cells == {
        "#": "7", "Verdict": WORDS[status], "Decision": "", "Likely": likely, "Error, mm": error,
        "C-arm": "guessed", "Start": "landmarks", "Method": "auto, normal", "Time": "13 s",
    }  # fmt: skip


def test_a_row_shows_a_decision_only_where_one_was_made(verdict):
    shown = {
        decision: verdict.attemptCells({**ROW, "Decision": decision})[2]
        for decision in ("none", "accepted", "rejected", "scribbled")
    }
    assert shown == {"none": "", "accepted": "accepted", "rejected": "rejected", "scribbled": ""}


def test_a_number_that_was_edited_away_is_left_out(verdict):
    edited = {**ROW, "Error across mm": "not known", "Confidence %": "?", "C-arm": "?", "Seconds": "soon"}
    cells = verdict.attemptCells(edited)
    assert [cells[column] for column in (3, 4, 7, 8)] == ["", "", "", ""]


def test_durations_are_told_in_seconds_up_to_a_minute_and_a_half(lastingFacade):
    from ProSTRegistrationLib.ProgressWords import secondsText

    spoken = {seconds: secondsText(seconds) for seconds in (None, 0.4, 59.6, 89.4, 90, 149, 151)}
    assert list(spoken.values()) == ["", "0 s", "60 s", "89 s", "2 min", "2 min", "3 min"]


@pytest.mark.parametrize(("status", "isDoubted"), [("uncertain", True), ("tracked", False)])
def test_an_uncertain_frame_of_a_run_says_how_to_go_on(lastingFacade, status, isDoubted):
    from ProSTRegistrationLib.Tracking.TrackWords import frameText

    frame = SimpleNamespace(status=status, confidence=0.6, reasons=["it moved far"], world_from_volume=np.eye(4))
    kept = SimpleNamespace(track=SimpleNamespace(frames_in_run=9))
    said = frameText(SimpleNamespace(number=2, kept=kept, frame=frame, changes=(), isThere=True))
    assert ("press &#x27;Register&#x27; in this frame" in said) is isDoubted
