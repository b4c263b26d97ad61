"""A result in words, colours and a table row."""

from __future__ import annotations

import html
from typing import Any

from slicer.i18n import tr as _

from ProSTRegistrationLib.Panel.Messages import MOVED_COLORS, VERDICTS, verdictWord


def verdictText(attempt: dict[str, Any] | None, isMoved: bool) -> str:
    """The verdict as rich text: a word on its colour, and how sure it is; "" without an attempt.

    Args:
        isMoved: the CT was moved since; then nothing is said of where it is now.
    """
    if attempt is None:
        return ""
    if isMoved:
        text = _("The CT was moved after attempt {number}. Click the attempt to put it back.")
        return _bar(MOVED_COLORS, _("Not judged"), text.format(number=attempt["number"]))
    sure = _("{percent} % sure that it is right within 10 mm").format(percent=round(100 * (attempt["confidence"] or 0)))
    colors = VERDICTS.get(attempt["status"], VERDICTS["failed"])
    return _bar(colors, verdictWord(attempt["status"]), sure)


def detailsText(attempt: dict[str, Any] | None) -> str:
    """Reasons, expected error and landmarks as rich text."""
    if attempt is None:
        return ""
    lines = [html.escape(reason[:1].upper() + reason[1:]) + "." for reason in attempt["reasons"]]
    lines += _expectedError(attempt)
    if attempt["mtreMm"] is not None:
        lines.append(_("<b>mTRE</b> {error} mm against the known pose.").format(error=_number(attempt["mtreMm"])))
    if attempt["landmarkErrorMm"] is not None:
        error = _number(attempt["landmarkErrorMm"])
        lines.append(_("<b>Landmarks</b> lie {error} mm from their rays on average.").format(error=error))
    return "<br>".join(lines)


def attemptHeadings() -> list[str]:
    """Headings of the table of attempts."""
    return [_("#"), _("Verdict"), _("Sure"), _("± mm"), _("Start"), _("Method"), _("Time"), _("Decision")]


def attemptCells(row: dict[str, str]) -> list[str]:
    """A row of the table of attempts (texts by column name) as texts for the panel."""
    decisions = {"accepted": _("accepted"), "rejected": _("rejected")}
    return [
        row["Attempt"],
        verdictWord(row["Status"]),
        _("{percent} %").format(percent=_rounded(row["Confidence %"], 0)),
        _rounded(row["Expected error mm"], 1),
        row["Start"],
        f"{row['Method']}, {row['Quality']}",
        _("{count} s").format(count=_rounded(row["Seconds"], 0)),
        decisions.get(row["Decision"], ""),
    ]


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
