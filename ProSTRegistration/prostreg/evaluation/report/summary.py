"""The rows of one method in numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np

from prostreg.evaluation.report.statistics import Percentile, Share, percentile
from prostreg.evaluation.rows import Row

ERRORS = {
    "in-plane rotation, °": "in_plane_rotation_error_deg",
    "out-of-plane rotation, °": "out_of_plane_rotation_error_deg",
    "in-plane translation, mm": "in_plane_translation_error_mm",
    "depth, mm": "depth_error_mm",
}


@dataclass(frozen=True)
class MethodSummary:
    """One method over all cases.

    Attributes:
        cases: rows, those with an error included.
        failures: rows with an error; they count as no success.
        has_truth: whether any case has one; without, all that measures an error is empty.
        success: mTRE below the protocol's limit.
        median_mm, p95_mm: of the mTRE of all cases, a case that could not be run being infinitely far off.
        median_of_successes_mm, p95_of_successes_mm: of the successes alone.
        precision: share of the accepted that are a success.
        recall: share of the successes that are accepted.
        worst_accepted_mm: NaN where nothing was accepted.
        weights: first digits of the SHA256 of what networks it used.
        errors: for each of ERRORS the median and the 95th percentile of the successes.
    """

    method: str
    cases: int
    failures: int
    has_truth: bool
    accepted: int
    success: Share
    median_mm: Percentile
    p95_mm: Percentile
    median_of_successes_mm: Percentile
    p95_of_successes_mm: Percentile
    precision: Share
    recall: Share
    worst_accepted_mm: float
    seconds: tuple[float, float]
    evaluations: tuple[float, float]
    restarts: tuple[float, float]
    errors: dict[str, tuple[float, float]]
    weights: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The main numbers for JSON; what is not finite is None."""
        values = {
            "method": self.method,
            "cases": self.cases,
            "failures": self.failures,
            "success": self.success.value if self.has_truth else None,
            "success_interval": list(self.success.interval) if self.has_truth else None,
            "median_mtre_mm": self.median_mm.value,
            "p95_mtre_mm": self.p95_mm.value,
            "accepted": self.accepted,
            "precision": self.precision.value,
            "recall": self.recall.value,
            "worst_accepted_mm": self.worst_accepted_mm,
            "median_seconds": self.seconds[0],
            "p95_seconds": self.seconds[1],
        }
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in values.items()
        }


def is_success(row: Row, success_mm: float) -> bool:
    """True if the pose found lies within the limit."""
    return row.mtre_mm is not None and row.mtre_mm < success_mm


def summarise(rows: Iterable[Row], method: str, success_mm: float) -> MethodSummary:
    """The summary of one method's rows."""
    chosen = [row for row in rows if row.method == method]
    run = [row for row in chosen if row.error is None]
    known = [row for row in chosen if row.mtre_mm is not None]
    right = [row for row in known if is_success(row, success_mm)]
    accepted = [row for row in run if row.status == "accepted"]
    judged = [row for row in accepted if row.mtre_mm is not None]
    has_truth = bool(known)
    distances = [math.inf if row.mtre_mm is None else row.mtre_mm for row in chosen] if has_truth else []
    near = [row.mtre_mm for row in right if row.mtre_mm is not None]
    return MethodSummary(
        method=method,
        cases=len(chosen),
        failures=len(chosen) - len(run),
        has_truth=has_truth,
        accepted=len(accepted),
        success=Share(len(right), len(chosen) if has_truth else 0),
        median_mm=_percentile(distances, 50),
        p95_mm=_percentile(distances, 95),
        median_of_successes_mm=_percentile(near, 50),
        p95_of_successes_mm=_percentile(near, 95),
        precision=Share(sum(is_success(row, success_mm) for row in judged), len(judged)),
        recall=Share(sum(row.status == "accepted" for row in right), len(right)),
        worst_accepted_mm=max((row.mtre_mm for row in judged if row.mtre_mm is not None), default=math.nan),
        seconds=_median_and_p95(run, lambda row: row.seconds),
        evaluations=_median_and_p95(run, lambda row: row.evaluations),
        restarts=_median_and_p95(run, lambda row: row.restarts),
        errors={name: _median_and_p95(right, attrgetter(key)) for name, key in ERRORS.items()},
        weights=tuple(sorted({row.weights for row in run if row.weights is not None})),
    )


def _percentile(values: Sequence[float], percent: float) -> Percentile:
    """As `percentile`, of values that may be infinite."""
    finite = np.minimum(np.array(values, dtype=np.float64), 1e300)
    found = percentile(finite, percent)
    return Percentile(*(math.inf if value > 1e200 else value for value in (found.value, found.low, found.high)))


def _median_and_p95(rows: Sequence[Row], value: Callable[[Row], float | None]) -> tuple[float, float]:
    values = [number for number in map(value, rows) if number is not None]
    if not values:
        return math.nan, math.nan
    return float(np.percentile(values, 50)), float(np.percentile(values, 95))
