"""Whether a result can be trusted, from what a run can know."""

from __future__ import annotations

import math
from dataclasses import dataclass

from prostreg.registration.result import Status
from prostreg.search.objective import FootprintScore

ACCEPTED_FROM = 0.95
FAILED_BELOW = 0.2

CHANCE_SCORE = 0.15
CHANCE_PER_PATCH = 1.0
SCORE_PER_LOGIT = 0.03
"""A wrong pose, even the best of a search, scores about ``0.15 + 1 / sqrt(patches)`` at most: the fewer
patches the anatomy covers, the higher chance can get. From 50 simulated pelves and the wrist."""


@dataclass(frozen=True)
class Verdict:
    """A word, a probability, and the reasons for both.

    Attributes:
        confidence: estimated probability that the mTRE is below 10 mm.
    """

    status: Status
    confidence: float
    reasons: tuple[str, ...]


def judge(footprint: FootprintScore) -> Verdict:
    """The verdict on a final pose from its score over its own footprint."""
    if footprint.patches <= 0:
        return Verdict("failed", 0.0, ("the anatomy does not appear in the image",))
    evens = CHANCE_SCORE + CHANCE_PER_PATCH / math.sqrt(footprint.patches)
    confidence = 1 / (1 + math.exp(-(footprint.score - evens) / SCORE_PER_LOGIT))
    status: Status = "uncertain"
    if confidence >= ACCEPTED_FROM:
        status = "accepted"
    elif confidence < FAILED_BELOW:
        status = "failed"
    comparison = "above" if footprint.score >= evens else "below"
    reason = (
        f"the similarity over the anatomy is {footprint.score:.2f}, {comparison} {evens:.2f}, which wrong poses may"
        f" reach by chance on {footprint.patches:.0f} patches"
    )
    return Verdict(status, confidence, (reason,))
