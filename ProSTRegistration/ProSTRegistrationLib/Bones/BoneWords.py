"""Several bones in words: a line for each, and one for the whole, which is as trusted as its weakest bone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slicer.i18n import tr as _

from prostreg.outputs.verdict_words import verdict_word
from prostreg.registration.bones.motion import RelativeMotion
from prostreg.registration.result import WORST_FIRST
from prostreg.spoken_numbers import tenths
from ProSTRegistrationLib.Bones.BonesRuns import relativeMotion

SIGNS = {"accepted": "✓", "uncertain": "?", "failed": "✗"}
OUTDATED_SIGN = "·"


def boneHeadings() -> list[str]:
    """Headings of the list of bones."""
    return [_("Bone"), _("Verdict"), _("Error,\nmm"), _("Moved")]


def boneCells(bone: dict[str, Any], bones: Sequence[dict[str, Any]], isOutdated: bool) -> list[str]:
    """The line of one of the bones.

    Args:
        isOutdated: what was judged is no longer what is chosen.
    """
    if isOutdated:
        return [bone["bone"].name, f"{OUTDATED_SIGN} {_('Not judged')}", "", ""]
    decision = {"accepted": _("accepted"), "rejected": _("rejected")}.get(bone["decision"], "")
    verdict = f"{SIGNS.get(bone['status'], SIGNS['failed'])} {verdict_word(bone['status'], _)}"
    errors = [bone["acrossMm"], bone["alongMm"]]
    isPlace = bone["status"] != "failed" and None not in errors
    return [
        bone["bone"].name,
        "\n".join(filter(None, (verdict, decision))),
        _(" / ").join(map(tenths, errors)) if isPlace else "",
        _motionWords(bone, bones),
    ]


def boneDetails(bone: dict[str, Any], bones: Sequence[dict[str, Any]], isOutdated: bool) -> str:
    """All of a bone's line and the axes of its motion, a line each."""
    lines = zip(boneHeadings(), boneCells(bone, bones, isOutdated), strict=True)
    told = [" ".join(f"{heading}: {text}".split()) for heading, text in lines if text]
    sentence = "" if isOutdated else motionSentence(bone, bones)
    return "\n".join([*told, *([sentence] if sentence else [])])


def motionSentence(bone: dict[str, Any], bones: Sequence[dict[str, Any]]) -> str:
    """The motion of a bone against the first with its axes, and whether it is trusted; "" where none is told."""
    motion = relativeMotion(bone["bone"])
    if motion is None or bone["status"] == "failed":
        return ""
    return motion.sentence() + ("" if _isMotionTrusted(motion, bones) else _(", not trusted"))


def wholeWords(bones: Sequence[dict[str, Any]], missing: Sequence[str]) -> str:
    """All bones in a sentence or more; the first tells the weakest.

    Args:
        missing: names of those that were not registered.
    """
    text = _("Not registered, the run was stopped before: {names}.")
    said = [text.format(names=", ".join(missing))] if missing else []
    worst = min((bone["status"] for bone in bones), key=_rank, default="failed")
    weakest = ", ".join(bone["bone"].name for bone in bones if bone["status"] == worst)
    if worst != "accepted":
        text = _("Together only as good as the weakest: {names}: {verdict}.")
        said.insert(0, text.format(names=weakest, verdict=verdict_word(worst, _)))
    return "\n".join(said) or _("Each bone is trusted.")


def isWholeTrusted(bones: Sequence[dict[str, Any]], missing: Sequence[str]) -> bool:
    """True if every chosen bone was registered and trusted."""
    return bool(bones) and not missing and not any(map(isDoubted, bones))


def questionBeforeKeepingAll(bones: Sequence[dict[str, Any]]) -> str:
    """The question before the poses of bones are kept of which some are not trusted."""
    doubted = [f"{bone['bone'].name}: {verdict_word(bone['status'], _)}" for bone in bones if isDoubted(bone)]
    text = _("Not trusted: {bones}. Have you looked at each in the overlay, and keep all poses all the same?")
    return text.format(bones="; ".join(doubted))


def isDoubted(bone: dict[str, Any]) -> bool:
    """True for a bone that is not trusted."""
    return bool(bone["status"] != "accepted")


def _motionWords(bone: dict[str, Any], bones: Sequence[dict[str, Any]]) -> str:
    motion = relativeMotion(bone["bone"])
    if motion is None:
        isReference = any(other["bone"].against == bone["bone"].name for other in bones)
        return _("reference") if isReference else ""
    if bone["status"] == "failed":
        return ""
    text = _("{turn}°, {shift}\u00a0mm").format(turn=tenths(motion.rotation_deg), shift=tenths(motion.translation_mm))
    return text if _isMotionTrusted(motion, bones) else f"{text}\n{_('not trusted')}"


def _isMotionTrusted(motion: RelativeMotion, bones: Sequence[dict[str, Any]]) -> bool:
    """True if both bones of a motion are trusted."""
    return not any(isDoubted(bone) for bone in bones if bone["bone"].name in (motion.bone, motion.against))


def _rank(status: str) -> int:
    return WORST_FIRST.index(status) if status in WORST_FIRST else 0
