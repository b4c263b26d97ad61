"""Calibration: how often results are right, by the confidence that they state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from prostreg.evaluation.report.statistics import Share
from prostreg.evaluation.report.summary import is_success
from prostreg.evaluation.rows import Row

EDGES = (0.0, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 1.0)


@dataclass(frozen=True)
class ConfidenceBin:
    """Results whose confidence is at least ``low`` and below ``high`` (the last bin holds 1)."""

    low: float
    high: float
    right: Share

    @property
    def label(self) -> str:
        return f"{100 * self.low:g}-{100 * self.high:g} %"


def confidence_bins(rows: Sequence[Row], method: str, success_mm: float) -> list[ConfidenceBin]:
    """All bins of one method, empty ones too."""
    bins = []
    for low, high in pairwise(EDGES):
        inside = [
            row
            for row in rows
            if row.method == method
            and row.confidence is not None
            and low <= row.confidence
            and (row.confidence < high or high == 1.0)
        ]
        bins.append(ConfidenceBin(low, high, Share(sum(is_success(row, success_mm) for row in inside), len(inside))))
    return bins
