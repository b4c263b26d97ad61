"""Words for a track: how far it is, what came of it, and what it says of the frame that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from prostreg.outputs.verdict_words import INK, verdict_colour
from prostreg.spoken_numbers import percent, spans
from ProSTRegistrationLib.ProgressWords import secondsText
from ProSTRegistrationLib.VerdictWords import OUTDATED_COLORS, asSentence, changeWords, verdictBar

if TYPE_CHECKING:
    from prostreg.tracking.track import Track
    from ProSTRegistrationLib.Tracking.TrackedFrameState import TrackedFrameState

AS_RESULT = {"tracked": "accepted", "uncertain": "uncertain", "lost": "failed"}
"""The status of a registration that a frame's looks like."""


def statusWord(status: str) -> str:
    """A frame's status as a word for the panel."""
    return {"tracked": _("Tracked"), "uncertain": _("Uncertain"), "lost": _("Lost")}.get(status, status)


def progressWords(statuses: Mapping[int, str], progress: Mapping[str, Any]) -> str:
    """The words for how far a track is.

    Args:
        statuses: of the frames so far, by their number.
        progress: of the last one, as the worker tells it.
    """
    total, lost = round(len(statuses) / max(progress["fraction"], 1e-6)), list(statuses.values()).count("lost")
    said = _("Frame {number}: {done} of {total} done").format(
        number=progress["frame"], done=len(statuses), total=max(total, len(statuses))
    )
    return said + (_(", {lost} lost").format(lost=lost) if lost else "")


def summaryWords(track: Track) -> str:
    """The outcome of a track: how many frames have each status, and which are not tracked."""
    total = track.asked[1] - track.asked[0] + 1
    tracked = len(track.numbers("tracked"))
    lines = [
        _("From frame {first}: {tracked} of {total} frames tracked.").format(
            first=track.first_frame, tracked=tracked, total=total
        )
    ]
    for status in ("uncertain", "lost"):
        numbers = track.numbers(status)
        if numbers:
            text = _("{word}: frame {numbers}.") if len(numbers) == 1 else _("{word}: frames {numbers}.")
            lines.append(text.format(word=statusWord(status), numbers=spans(numbers)))
    missing = total - len(track.frames)
    if missing:
        lines.append(_("Stopped: {count} frames were not looked at.").format(count=missing))
    return " ".join(lines)


def endWords(answer: Mapping[str, Any]) -> str:
    """The line below the progress bar when a track has ended."""
    return _("The run was followed in {time}.").format(time=secondsText(answer["seconds"]))


def frameText(state: TrackedFrameState | None) -> str:
    """The word of a track on the frame that is shown, as rich text; "" without one."""
    if state is None:
        return ""
    where = _("Frame {number} of {total}.").format(number=state.number, total=state.kept.track.frames_in_run)
    if state.changes:
        text = _("{changes} after the run was tracked. Put it back, or track again.")
        return verdictBar(OUTDATED_COLORS, _("Not judged"), text.format(changes=changeWords(state.changes)))
    if state.frame is None:
        text = _("{where} The CT is put aside: step 3 says how to go on.").format(where=where)
        return verdictBar(OUTDATED_COLORS, _("Not looked at"), text)
    why = " ".join(map(asSentence, state.frame.reasons))
    if state.frame.world_from_volume is None:
        text = " ".join((where, why, _("The CT is put aside: step 3 says how to go on.") if state.isThere else ""))
        return verdictBar((verdict_colour("failed"), INK), statusWord("lost"), text)
    if not state.isThere:
        text = _("{where} The CT is not where the track puts it: show another frame and this one again.")
        return verdictBar(OUTDATED_COLORS, _("Not judged"), text.format(where=where))
    status, confidence = state.frame.status, state.frame.confidence
    likely = _("{percent} likely the right place.").format(percent=percent(confidence))
    mend = _("Look at the overlay: where it is off, press 'Register' in this frame, accept, and track again.")
    said = " ".join((where, likely, *((why, mend) if status == "uncertain" else ())))
    return verdictBar((verdict_colour(AS_RESULT[status]), INK), statusWord(status), said)


def asideWords(state: TrackedFrameState | None) -> str:
    """The words for a start pose where the track has put the CT aside, and what to do; "" where it has not."""
    if state is None or not state.isThere or (state.frame is not None and state.frame.world_from_volume is not None):
        return ""
    text = _(
        "To find the bone in frame {number}: 'Show the CT so', move the bone onto its shadow, register, accept, and"
        " track again."
    )
    return text.format(number=state.number)


def frameLegend(state: TrackedFrameState) -> str:
    """The place of the CT in words, for the legend in the views."""
    if state.frame is None:
        return _("Frame {number}: not looked at, the CT is put aside").format(number=state.number)
    if state.frame.world_from_volume is None:
        return _("Frame {number}: lost, the CT is put aside").format(number=state.number)
    word = statusWord(state.frame.status).lower()
    return _("CT as tracked in frame {number}: {word}").format(number=state.number, word=word)
