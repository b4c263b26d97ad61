"""The results that someone should look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from prostreg.evaluation.report.summary import is_success
from prostreg.evaluation.rows import Row

MOST = 12
DANGEROUS = "accepted but wrong"
MISSED = "right but not accepted"
WRONG = "wrong, and known to be"
RIGHT = "right and accepted"


class Notable(NamedTuple):
    """A row and why it is notable."""

    row: Row
    reason: str


def notable_rows(rows: Sequence[Row], success_mm: float, most: int = MOST) -> list[Notable]:
    """The most dangerous and the worst: accepted but wrong, then right but not accepted, then the largest mTRE.

    Within each kind the worst come first. Among the largest mTRE, rows of `auto` come before all others, because
    single runs are expected to fail. A row appears once.
    """
    known = [row for row in rows if row.mtre_mm is not None]
    by_error = sorted(known, key=lambda row: -(row.mtre_mm or 0.0))
    dangerous = [row for row in by_error if row.status == "accepted" and not is_success(row, success_mm)]
    missed = [row for row in by_error if row.status != "accepted" and is_success(row, success_mm)]
    missed.sort(key=lambda row: row.confidence or 0.0)
    chosen = [Notable(row, DANGEROUS) for row in dangerous] + [Notable(row, MISSED) for row in missed]
    named = {entry.row.key for entry in chosen}
    rest = sorted((row for row in by_error if row.key not in named), key=lambda row: row.method != "auto")
    chosen += [Notable(row, RIGHT if is_success(row, success_mm) else WRONG) for row in rest]
    return chosen[:most]
