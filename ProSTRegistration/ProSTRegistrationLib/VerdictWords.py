"""A result in words, colours and a table row."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from slicer.i18n import tr as _

from prostreg.outputs.verdict_words import (
    INK,
    accuracy_word,
    length_words,
    verdict_colour,
    verdict_sentences,
    verdict_word,
)
from prostreg.spoken_numbers import percent, tenths
from ProSTRegistrationLib.Nodes.Attempts import NOT_KNOWN
from ProSTRegistrationLib.Nodes.KeptTexts import cellNumber
from ProSTRegistrationLib.Validity import NOTHING_TO_JUDGE, Validity

OUTDATED_COLORS = ("#6b7078", INK)


def verdictWord(status: str) -> str:
    """A result's status as a word for the panel."""
    return verdict_word(status, _)


def verdictText(attempt: dict[str, Any] | None, validity: Validity) -> str:
    """The verdict as rich text: a word on its colour, how likely it is right and how exact then; "" without an attempt.

    Args:
        validity: of the verdict; where it is not valid, nothing is said of where the CT is now.
    """
    if attempt is None:
        return ""
    if isTakenBack(attempt, validity):
        text = _(
            "The CT is back where attempt {number} began, as the views show it. Set another start, or press 'Again'."
        )
        return verdictBar(OUTDATED_COLORS, _("Rejected"), text.format(number=attempt["number"]))
    if not validity.isValid:
        return verdictBar(OUTDATED_COLORS, _("Not judged"), _whyOutdated(attempt, validity))
    said = verdict_sentences(
        attempt["status"], attempt["confidence"] or 0.0, attempt["acrossMm"], attempt["alongMm"], attempt["carm"], _
    )
    word = verdictWord(attempt["status"])
    bone = attempt.get("bone")
    title = word if bone is None else f"{bone.name}: {word}"
    return verdictBar((verdict_colour(attempt["status"]), INK), title, " ".join(said))


def detailsText(attempt: dict[str, Any] | None, validity: Validity, motion: str = "") -> str:
    """Reasons and what is known from elsewhere, as rich text; "" where the verdict is not valid.

    Args:
        motion: of one of several bones against another, in words.
    """
    if attempt is None or not validity.isValid or isTakenBack(attempt, validity):
        return ""
    lines = [html.escape(asSentence(reason)) for reason in attempt["reasons"]]
    lines += [html.escape(motion) + "."] if motion else []
    if attempt["mtreMm"] is not None:
        lines.append(_("The sample's own pose is {error} away.").format(error=length_words(attempt["mtreMm"], _)))
    if attempt["landmarkErrorMm"] is not None:
        error = length_words(attempt["landmarkErrorMm"], _)
        lines.append(_("The marked landmarks are {error} off here, on average.").format(error=error))
    return "<br>".join(lines)


def placeWords(attempt: dict[str, Any] | None, validity: Validity, startedBy: str, bones: Sequence[str] = ()) -> str:
    """The place of the CT in words, for the legend in the views.

    Args:
        startedBy: how the start was found that it is at without a result.
        bones: names of those that the DRR shows each at its own pose; none for one body.
    """
    if attempt is not None and validity.isOnScreen and bones:
        text = _("Each at its own place: {bones}")
        return f"{text.format(bones=', '.join(bones))}\n{placeWords(attempt, validity, startedBy)}"
    if attempt is None or not validity.isOnScreen:
        return _("CT at its start ({start})").format(start=startedBy)
    number, words = _numberWords(attempt), verdictWord(attempt["status"])
    if validity.isValid:
        words = ", ".join(filter(None, (words, _decisionWord(attempt["decision"]))))
        return _("CT at result {number}: {verdict}").format(number=number, verdict=words)
    return _("CT at result {number}, not judged").format(number=number)


def searchWords(bone: str) -> str:
    """The place that the pictures show while a search runs, of several bones with the name of the one that is shown."""
    if bone:
        return _("best place so far of {bone}, shown alone").format(bone=bone)
    return _("best place so far of the search")


def foundViewWords(place: Mapping[str, Any], isDrawn: bool) -> str:
    """A further C-arm's distance from where it was said to stand, in words.

    Args:
        place: an entry of a result's ``relation``.
        isDrawn: it is drawn where it was found, as of results that did not fail.
    """
    text = _("view {view}: its C-arm stood {angle} degrees and {shift} mm from where it was said to")
    if isDrawn:
        text = _(
            "view {view}: its C-arm stood {angle} degrees and {shift} mm from where it was said to. In 3D it is drawn"
            " where it was found, in its overlay as it was told"
        )
    return text.format(view=place["view"], angle=f"{place['rotation_deg']:.1f}", shift=f"{place['translation_mm']:.1f}")


def questionBeforeKeeping(status: str) -> str:
    """The question before a pose is kept that was not accepted."""
    text = _("This result is called '{verdict}'. Have you looked at the overlay, and keep the pose all the same?")
    return text.format(verdict=verdictWord(status))


def accuracyWord(accuracy: str) -> str:
    """A word for where a C-arm's values come from; "" for one that is not known."""
    return accuracy_word(accuracy, _)


def attemptHeadings() -> list[str]:
    """Headings of the table of attempts."""
    return [
        _("#"), _("Verdict"), _("Decision"), _("Likely"), _("Error, mm"), _("Start"), _("Method"), _("C-arm"),
        _("Time"),
    ]  # fmt: skip


def attemptCells(row: dict[str, str], isOutdated: bool = False) -> list[str]:
    """A row of the table of attempts (texts by column name) as texts for the panel.

    Args:
        isOutdated: what it judged is no longer what is chosen.
    """
    # A place that does not fit has no error to expect.
    isPlace = not isOutdated and row["Status"] != "failed"
    probability = cellNumber(row["Confidence %"])
    errors = [_tenths(row[column]) for column in ("Error across mm", "Error along mm")]
    seconds = cellNumber(row["Seconds"])
    return [
        row["Attempt"],
        _("Not judged") if isOutdated else verdictWord(row["Status"]),
        _decisionWord(row["Decision"]),
        percent(probability / 100) if isPlace and probability is not None else "",
        _(" / ").join(errors) if isPlace and all(errors) else "",
        row["Start"] if row["Bone"] == NOT_KNOWN else f"{row['Bone']}, {row['Start']}",
        f"{row['Method'].replace('+', ' + ')}, {row['Quality']}",
        accuracyWord(row["C-arm"]),
        "" if seconds is None else _("{count} s").format(count=round(seconds)),
    ]


def changeWords(changed: Sequence[str], isMoved: bool = False) -> str:
    """The things that are no longer as they were judged, as the beginning of a sentence.

    Args:
        changed: parts of JudgedInputs, or NOTHING_TO_JUDGE.
        isMoved: the CT was moved as well.
    """
    changes = {
        NOTHING_TO_JUDGE: _("the choice of CT, X-rays, C-arms or anatomy became unusable"),
        "xrays": _("another X-ray was chosen"),
        "pixels": _("the X-ray was changed (flip, outlines, bone dark or bright)"),
        "carms": _("the C-arm was changed"),
        "ct": _("the CT was changed"),
        "anatomy": _("the anatomy was changed"),
        "settings": _("the settings of the method, or how the views stand, were changed"),
    }
    said = [changes[part] for part in changed if not (part == "pixels" and "xrays" in changed)]
    if isMoved:
        said.append(_("the CT was moved"))
    sentence = _(" and ").join(said)
    return sentence[:1].upper() + sentence[1:]


def asSentence(words: str) -> str:
    """Words that begin small, as a sentence."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def isTakenBack(attempt: dict[str, Any], validity: Validity) -> bool:
    """True while the CT lies where an attempt began that a person rejected."""
    isAtStart = validity.isOfTheseInputs and validity.isAtStart and not validity.isOnScreen
    return isAtStart and attempt["decision"] == "rejected"


def verdictBar(colors: tuple[str, str], word: str, text: str) -> str:
    """A word on its colour, and a text behind it, as rich text.

    Args:
        colors: of the background and of what is written.
    """
    background, ink = colors
    big = f'<span style="color: {ink}; font-size: large; font-weight: bold;">{html.escape(word)}</span>'
    small = f'<span style="color: {ink};"> &nbsp; {html.escape(text)}</span>'
    return f'<table width="100%" cellpadding="6"><tr><td bgcolor="{background}">{big}{small}</td></tr></table>'


def _decisionWord(decision: str) -> str:
    return {"accepted": _("accepted"), "rejected": _("rejected")}.get(decision, "")


def _numberWords(attempt: dict[str, Any]) -> str:
    bone = attempt.get("bone")
    return str(attempt["number"]) if bone is None else f"{attempt['number']} ({bone.name})"


def _whyOutdated(attempt: dict[str, Any], validity: Validity) -> str:
    number = attempt["number"]
    if not validity.isKnown:
        text = _("What attempt {number} judged is not known: the scene is of an earlier version. Register again.")
        return text.format(number=number)
    # Rejecting has put it back to where the attempt began.
    isMoved = validity.isMoved and not (validity.isAtStart and attempt["decision"] == "rejected")
    sentence = changeWords(validity.changes, isMoved)
    advice = _("Click the attempt to put it back.") if not validity.changes else _("Put it back, or register again.")
    return _("{changes} after attempt {number}. {advice}").format(changes=sentence, number=number, advice=advice)


def _tenths(text: str) -> str:
    """A cell's length for people; "" where it is not known or was edited into something else."""
    value = cellNumber(text)
    return "" if value is None else tenths(value)
