"""The learning rate over a run."""

from __future__ import annotations

import math

LAST_SHARE = 0.02


def learning_rate_share(step: int, warmup_steps: int, fraction: float) -> float:
    """Share of the highest learning rate: a linear rise, then half a cosine down to 2 %.

    Args:
        step: counted from 0.
        fraction: of the run that is over, by steps or by time.
    """
    rise = min(1.0, (step + 1) / (warmup_steps + 1))
    fall = LAST_SHARE + (1 - LAST_SHARE) * 0.5 * (1 + math.cos(math.pi * min(1.0, fraction)))
    return rise * fall
