"""Shares and percentiles with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z_95 = 1.959963984540054
"""Normal quantile of a two-sided 95 % interval."""
TAIL = 0.025


@dataclass(frozen=True)
class Share:
    """``hits`` of ``count``, with the 95 % interval of Wilson."""

    hits: int
    count: int

    @property
    def value(self) -> float:
        """NaN of nothing."""
        return self.hits / self.count if self.count else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound; (0, 1) of nothing."""
        return wilson_interval(self.hits, self.count)


@dataclass(frozen=True)
class Percentile:
    """A percentile and its 95 % interval; a bound is infinite where the sample is too small to have one."""

    value: float
    low: float
    high: float


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share, good for few cases and for shares near 0 and 1.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA, 1927.
    """
    if count == 0:
        return 0.0, 1.0
    share, squared = hits / count, Z_95**2
    centre = (share + squared / (2 * count)) / (1 + squared / count)
    reach = Z_95 / (1 + squared / count) * math.sqrt(share * (1 - share) / count + squared / (4 * count**2))
    low = 0.0 if hits == 0 else max(0.0, centre - reach)
    high = 1.0 if hits == count else min(1.0, centre + reach)
    return low, high


def percentile(values: ArrayLike, percent: float) -> Percentile:
    """A percentile with the interval between two order statistics, which needs no distribution.

    The number of values below the true percentile is binomial; the interval's ends are the values whose ranks
    leave at most 2.5 % on either side (H. A. David, H. N. Nagaraja, "Order Statistics", 2003, section 7.1).
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    count, share = len(ordered), percent / 100
    if count == 0:
        return Percentile(math.nan, -math.inf, math.inf)
    below = np.cumsum(_binomial(count, share))  # below[k]: probability of at most k values below
    lower = int(np.searchsorted(below, TAIL, side="right"))  # ranks from 1; 0: no bound
    upper = int(np.searchsorted(below, 1 - TAIL, side="left")) + 1
    low = ordered[lower - 1] if lower >= 1 else -math.inf
    high = ordered[upper - 1] if upper <= count else math.inf
    return Percentile(float(np.percentile(ordered, percent)), float(low), float(high))


def shares_in_bins(
    positions: ArrayLike, hits: Sequence[bool], edges: Sequence[float] | NDArray[np.float64]
) -> list[tuple[float, Share]]:
    """For each bin between two edges the mean position and the share of hits; empty bins are left out.

    The last bin holds its upper edge.
    """
    where, what = np.asarray(positions, dtype=np.float64), np.asarray(hits, dtype=bool)
    bins: NDArray[np.int64] = np.clip(np.digitize(where, edges) - 1, 0, len(edges) - 2)
    inside = (where >= edges[0]) & (where <= edges[-1])
    result = []
    for number in range(len(edges) - 1):
        chosen = inside & (bins == number)
        if chosen.any():
            result.append((float(where[chosen].mean()), Share(int(what[chosen].sum()), int(chosen.sum()))))
    return result


def _binomial(count: int, share: float) -> NDArray[np.float64]:
    """Probabilities of 0..count hits."""
    hits = np.arange(count + 1)
    logs = np.array([math.lgamma(count + 1) - math.lgamma(h + 1) - math.lgamma(count - h + 1) for h in hits])
    return np.asarray(np.exp(logs + hits * math.log(share) + (count - hits) * math.log1p(-share)))
