"""The verdict on a result: a word and its reasons, from what a run can know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prostreg.registration.confidence import SUCCESS_MM, confidence_model
from prostreg.registration.evidence import Evidence, MirrorFit, confirmed_alone
from prostreg.registration.result import Status
from prostreg.spoken_numbers import most

MOST_IF_MIRRORED = 0.2
MOST_IF_DOUBTED = 0.5

RIVALLED_FROM = 0.75
"""Share of a pose's score that another place reaches, from which on it is not accepted.

Of some 560 right poses that were accepted none had a rival above 0.69; a hip of another patient had one of 0.93.
"""

RIVALLED = "another place explains the image nearly as well"

CONFIRMED_TOGETHER = "the bones around count in this: they fit the image clearly, as they lie in the CT"

HALF_SEEN, LEAST_PATCHES_OF_PART = 0.5, 30.0
"""An anatomy that is seen by less than half has to show so many patches of structure.

Of 85 right poses of which so little was seen the least had 36; a hip of another patient had 23.
"""

LITTLE_STRUCTURE, LEAST_CONFIRMED_OF_LITTLE = 48.0, 0.62
"""A bone with fewer patches of structure than the first is told from another patient's where more than the second is
confirmed: their hips and femora reached 0.60 in one view, whose depth hides another size. Of 311 right poses that were
accepted two had less (one a wrist's, by one view). Set on the patients of the fit.
"""

OPEN_DEPTH_MM = 2.0
"""A depth that the image leaves more open by itself hides another patient's size as well: of 1072 right poses that were
accepted, vertebrae left aside, three had less confirmed then, and all of four hips of another patient.
"""

OPEN_MM = 0.3 * SUCCESS_MM
"""Expected error beyond which it is said that the image leaves the pose open."""

MIRRORED_FROM, NOT_MIRRORED_TO = 4.0, -2.0
"""Margins of the mirrored image: above the first the image looks mirrored, below the second it is not.

Who is told so turns the image over, so that the first is the more careful: a wrong pose has reached 2.6 by chance, the
right one in the mirrored image had 4.5 and more (seeds 1 and 2 of Testing/Measurements/mirrored_images.py).
"""


@dataclass(frozen=True)
class Verdict:
    """A word, a probability, and the reasons for both.

    Attributes:
        confidence: estimated probability that the mTRE is below 10 mm.
    """

    status: Status
    confidence: float
    reasons: tuple[str, ...]


def needs_mirror_check(evidence: Evidence) -> bool:
    """True if the result would be looked at: no score is so high that a nearly symmetric anatomy cannot reach it."""
    return judge(evidence).status != "failed"


def side_doubt(mirror: MirrorFit) -> str | None:
    """The objection, in words, to a pose whose image is explained about as well by its mirror image."""
    if mirror.margin <= NOT_MIRRORED_TO:
        return None
    return (
        "left and right cannot be told apart here, the mirror image is explained as well: right only if"
        " the X-ray is not mirrored; look, or add a view from another direction"
    )


def patient_doubt(evidence: Evidence) -> str | None:
    """The objection, in words, to a pose from one view which a similar bone of another patient could have as well."""
    if evidence.confirmed >= LEAST_CONFIRMED_OF_LITTLE or evidence.by_bones_around > 0:
        return None
    if evidence.patches < LITTLE_STRUCTURE:
        return "the bone shows little structure, and too little of it is confirmed to tell it from another patient's"
    if evidence.expected_along_mm > OPEN_DEPTH_MM:
        return "the bone's depth hardly shows, and too little of it is confirmed to tell it from another patient's"
    return None


def judge(
    evidence: Evidence, mirror: MirrorFit | None = None, is_checked: bool = True, doubts: Sequence[str] = ()
) -> Verdict:
    """The verdict on a pose.

    Args:
        evidence: what the run knows about it.
        mirror: how well the mirrored image is explained, where that was tried.
        is_checked: False where the run was stopped before its result was refined and checked.
        doubts: reasons, in words, for which a pose is not accepted however well it fits.
    """
    if evidence.patches <= 0:
        return Verdict("failed", 0.0, ("the anatomy does not appear in the image",))
    model = confidence_model()
    confidence = model.probability(evidence)
    unchecked = () if is_checked else ("the run was stopped before its result was refined and checked",)
    doubts = (*doubts, *_own_doubts(evidence))
    reasons = (*doubts, *unchecked, *_reasons(evidence))
    if doubts:
        confidence = min(confidence, MOST_IF_DOUBTED)
    alone = confirmed_alone(evidence.to_dict())
    if mirror is not None and mirror.margin >= MIRRORED_FROM and mirror.score > alone:
        flip = "the X-ray looks mirrored: turned over left to right it fits clearly better; flip it and register again"
        return Verdict("uncertain", min(confidence, MOST_IF_MIRRORED), (flip, *reasons))
    if confidence >= model.accepted_from:
        if is_checked:
            return Verdict("accepted", confidence, reasons)
        return Verdict("uncertain", min(confidence, model.accepted_from), reasons)
    return Verdict("failed" if confidence < model.failed_below else "uncertain", confidence, reasons)


def _own_doubts(evidence: Evidence) -> tuple[str, ...]:
    """The objections to a pose for what its run knows, however well it fits."""
    doubts = []
    if evidence.runner_up > 0 and evidence.runner_up >= RIVALLED_FROM * evidence.confirmed:
        doubts.append(RIVALLED)
    if evidence.seen < HALF_SEEN and evidence.patches < LEAST_PATCHES_OF_PART:
        doubts.append("too little of the bone lies in the image to tell it from another's")
    return tuple(doubts)


def _reasons(evidence: Evidence) -> tuple[str, ...]:
    """The main fact, and what else weighs, in the words of a user.

    Probability and expected error stand in the result, once; no other number here looks like one of them.
    """
    reasons = [f"{most(evidence.confirmed)} of the projected bone's structure is confirmed by the image"]
    if evidence.by_bones_around > 0:
        reasons.append(CONFIRMED_TOGETHER)
    if evidence.seen < HALF_SEEN:
        reasons.append(f"only {evidence.seen:.0%} of the anatomy lies inside the image")
    if evidence.expected_mtre_mm > OPEN_MM:
        reasons.append(f"even at the right place the image leaves more than {OPEN_MM:.0f} mm open")
    if evidence.agreement >= 1:
        searches = "one more search" if evidence.agreement < 2 else f"{evidence.agreement:.0f} more searches"
        reasons.append(f"{searches} from elsewhere ended at the same place")
    return tuple(reasons)
