"""Whether a result can be trusted, from what a run can know."""

from __future__ import annotations

import math
from dataclasses import dataclass

from prostreg.registration.result import Status

ACCEPTED_FROM = 0.95
FAILED_BELOW = 0.2

SCORE_AT_EVENS = 0.2
SCORE_PER_LOGIT = 0.025


@dataclass(frozen=True)
class Verdict:
    """A word, a probability, and the reasons for both.

    Attributes:
        confidence: estimated probability that the mTRE is below 10 mm.
    """

    status: Status
    confidence: float
    reasons: tuple[str, ...]


def judge(score: float) -> Verdict:
    """The verdict on a final score (mean Patch-GradNCC of the views at the judge level)."""
    confidence = 1 / (1 + math.exp(-(score - SCORE_AT_EVENS) / SCORE_PER_LOGIT))
    status: Status = "uncertain"
    if confidence >= ACCEPTED_FROM:
        status = "accepted"
    elif confidence < FAILED_BELOW:
        status = "failed"
    comparison = "above" if score >= SCORE_AT_EVENS else "below"
    reason = (
        f"the final similarity {score:.3f} lies {comparison} {SCORE_AT_EVENS:.2f}, where half of all results are right"
    )
    return Verdict(status, confidence, (reason,))
