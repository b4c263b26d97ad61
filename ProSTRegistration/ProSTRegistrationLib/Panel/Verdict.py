"""A result in words, colours and a table row."""

from __future__ import annotations

import html
from typing import Any

from slicer.i18n import tr as _

from ProSTRegistrationLib.Panel.Messages import OUTDATED_COLORS, VERDICTS, verdictWord
from ProSTRegistrationLib.Panel.Validity import NOTHING_TO_JUDGE, Validity


def verdictText(attempt: dict[str, Any] | None, validity: Validity) -> str:
    """The verdict as rich text: a word on its colour, and how sure it is; "" without an attempt.

    Args:
        validity: of the verdict; where it is not valid, nothing is said of where the CT is now.
    """
    if attempt is None:
        return ""
    if not validity.isValid:
        return _bar(OUTDATED_COLORS, _("Not judged"), _whyOutdated(attempt["number"], validity))
    sure = _("{percent} % sure that it is right within 10 mm").format(percent=round(100 * (attempt["confidence"] or 0)))
    colors = VERDICTS.get(attempt["status"], VERDICTS["failed"])
    return _bar(colors, verdictWord(attempt["status"]), sure)


def detailsText(attempt: dict[str, Any] | None, validity: Validity) -> str:
    """Reasons, expected error and landmarks as rich text; "" where the verdict is not valid."""
    if attempt is None or not validity.isValid:
        return ""
    lines = [html.escape(reason[:1].upper() + reason[1:]) + "." for reason in attempt["reasons"]]
    lines += _expectedError(attempt)
    if attempt["mtreMm"] is not None:
        lines.append(_("<b>mTRE</b> {error} mm against the known pose.").format(error=_number(attempt["mtreMm"])))
    if attempt["landmarkErrorMm"] is not None:
        error = _number(attempt["landmarkErrorMm"])
        lines.append(_("<b>Landmarks</b> lie {error} mm from their rays on average.").format(error=error))
    return "<br>".join(lines)


def questionBeforeKeeping(status: str) -> str:
    """The question before a pose is kept that was not accepted."""
    text = _("This result is called '{verdict}'. Have you looked at the overlay, and keep the pose all the same?")
    return text.format(verdict=verdictWord(status))


def attemptHeadings() -> list[str]:
    """Headings of the table of attempts."""
    return [_("#"), _("Verdict"), _("Sure"), _("± mm"), _("Start"), _("Method"), _("Time"), _("Decision")]


def attemptCells(row: dict[str, str], isOutdated: bool = False) -> list[str]:
    """A row of the table of attempts (texts by column name) as texts for the panel.

    Args:
        isOutdated: what it judged is no longer what is chosen.
    """
    decisions = {"accepted": _("accepted"), "rejected": _("rejected")}
    percent = _("{percent} %").format(percent=_rounded(row["Confidence %"], 0))
    return [
        row["Attempt"],
        _("Not judged") if isOutdated else verdictWord(row["Status"]),
        "" if isOutdated else percent,
        "" if isOutdated else _rounded(row["Expected error mm"], 1),
        row["Start"],
        f"{row['Method']}, {row['Quality']}",
        _("{count} s").format(count=_rounded(row["Seconds"], 0)),
        decisions.get(row["Decision"], ""),
    ]


def _whyOutdated(number: int, validity: Validity) -> str:
    if not validity.isKnown:
        text = _("What attempt {number} judged is not known: the scene is of an earlier version. Register again.")
        return text.format(number=number)
    changes = {
        NOTHING_TO_JUDGE: _("the choice of CT, X-rays, C-arms or anatomy became unusable"),
        "xrays": _("another X-ray was chosen"),
        "pixels": _("the X-ray was changed or flipped"),
        "carms": _("the C-arm was changed"),
        "ct": _("the CT was changed"),
        "anatomy": _("the anatomy was changed"),
        "settings": _("the settings of the method were changed"),
    }
    said = [changes[part] for part in validity.changes if not (part == "pixels" and "xrays" in validity.changes)]
    if validity.isMoved:
        said.append(_("the CT was moved"))
    sentence = _(", ").join(said)
    advice = _("Click the attempt to put it back.") if not validity.changes else _("Put it back, or register again.")
    return _("{changes} after attempt {number}. {advice}").format(
        changes=sentence[:1].upper() + sentence[1:], number=number, advice=advice
    )


def _bar(colors: tuple[str, str], word: str, text: str) -> str:
    background, ink = colors
    big = f'<span style="color: {ink}; font-size: large; font-weight: bold;">{html.escape(word)}</span>'
    small = f'<span style="color: {ink};"> &nbsp; {html.escape(text)}</span>'
    return f'<table width="100%" cellpadding="6"><tr><td bgcolor="{background}">{big}{small}</td></tr></table>'


def _expectedError(attempt: dict[str, Any]) -> list[str]:
    shifts, turns = attempt["shiftErrorMm"], attempt["turnErrorDeg"]
    if attempt["expectedErrorMm"] is None or shifts is None or turns is None:
        return []
    text = _(
        "<b>Expected error</b> {total} mm: {across} mm across, {depth} mm in depth; {tilt}° tilt, {turn}° in the"
        " picture."
    )
    return [
        text.format(
            total=_number(attempt["expectedErrorMm"]),
            across=_number(max(shifts[:2])),
            depth=_number(shifts[2]),
            tilt=_number(max(turns[:2])),
            turn=_number(turns[2]),
        )
    ]


def _rounded(text: str, digits: int) -> str:
    """A cell's number for people; "" where it is not known or was edited into something else."""
    try:
        return f"{float(text):.{digits}f}"
    except ValueError:
        return ""


def _number(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"
