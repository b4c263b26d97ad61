"""Whether a result can be trusted, from what a run can know."""

from __future__ import annotations

import math
from dataclasses import dataclass

from prostreg.registration.result import Status
from prostreg.search.objective import FootprintScore

ACCEPTED_FROM = 0.95
FAILED_BELOW = 0.2
MOST_IF_MIRRORED = 0.2

SCORE_AT_EVENS = 0.3
SCORE_PER_LOGIT = 0.025
"""In 50 simulated pelvis views right poses scored 0.55 and more, wrong ones 0.14 and less; the demo's spine, under
soft tissue, scores 0.41 at its true pose and 0.16 one vertebra beside it."""

CHANCE_SCORE = 0.15
CHANCE_PER_PATCH = 1.0
"""The fewer patches the anatomy covers, the higher chance can get: about ``0.15 + 1 / sqrt(patches)``."""

MIRROR_PROOF = 0.55
"""Poses in mirrored pelvis views reached 0.47: above this score an image cannot be mirrored."""


@dataclass(frozen=True)
class Verdict:
    """A word, a probability, and the reasons for both.

    Attributes:
        confidence: estimated probability that the mTRE is below 10 mm.
    """

    status: Status
    confidence: float
    reasons: tuple[str, ...]


def needs_mirror_check(footprint: FootprintScore) -> bool:
    """Whether a mirrored image could have given this score, and the result would be trusted."""
    return footprint.score < MIRROR_PROOF and judge(footprint).status != "failed"


def judge(footprint: FootprintScore, mirrored: float | None = None, is_checked: bool = True) -> Verdict:
    """The verdict on a final pose.

    Args:
        footprint: its score over its own footprint.
        mirrored: the score that the mirrored image reached, where that was tried.
        is_checked: False where the run was stopped before its result was refined and checked.
    """
    if footprint.patches <= 0:
        return Verdict("failed", 0.0, ("the anatomy does not appear in the image",))
    evens = max(SCORE_AT_EVENS, CHANCE_SCORE + CHANCE_PER_PATCH / math.sqrt(footprint.patches))
    confidence = 1 / (1 + math.exp(-(footprint.score - evens) / SCORE_PER_LOGIT))
    comparison = "above" if footprint.score >= evens else "below"
    reason = (
        f"{footprint.score:.0%} of the projected bone's structure is confirmed by the image, {comparison} the"
        f" {evens:.0%} at which a result is as often wrong as right"
    )
    if mirrored is not None and mirrored > footprint.score:
        flipped = (
            f"the mirrored image fits better ({mirrored:.0%}): the X-ray seems to be flipped left to right; flip it"
            " back and register again"
        )
        return Verdict("uncertain", min(confidence, MOST_IF_MIRRORED), (flipped, reason))
    if confidence >= ACCEPTED_FROM and not is_checked:
        return Verdict(
            "uncertain", confidence, (reason, "the run was stopped before its result was refined and checked")
        )
    if confidence >= ACCEPTED_FROM:
        return Verdict("accepted", confidence, (reason,))
    return Verdict("failed" if confidence < FAILED_BELOW else "uncertain", confidence, (reason,))
