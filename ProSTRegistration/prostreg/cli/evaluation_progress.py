"""The console of a running evaluation: one line per registration."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prostreg.cli.console import duration
from prostreg.evaluation.report.summary import is_success
from prostreg.evaluation.rows import Row


class ProgressOfRows:
    """Counts rows and successes, and estimates the time left from the rows of this run.

    Args:
        total: rows of the whole evaluation.
        done: rows that were there before.
        success_mm: limit of the mTRE.
        clock: seconds, growing.
    """

    def __init__(self, total: int, done: Iterable[Row], success_mm: float, clock: Callable[[], float]) -> None:
        self._total, self._success_mm, self._clock = total, success_mm, clock
        self._began = clock()
        self._done = self._made = 0
        self._counts: dict[str, tuple[int, int]] = {}
        for row in done:
            self._count(row)

    def line(self, row: Row) -> str:
        """Counts a new row, and tells of it and of what is left."""
        self._count(row)
        self._made += 1
        seconds_left = (self._clock() - self._began) / self._made * (self._total - self._done)
        hits, count = self._counts[row.method]
        facts = [f"{row.case} {row.method}: {_outcome(row)}"]
        if row.mtre_mm is not None:
            facts.append(f"{row.method} right in {hits} of {count}")
        if self._done < self._total:
            facts.append(f"about {duration(seconds_left)} left")
        return f"[{self._done:{len(str(self._total))}}/{self._total}] {'; '.join(facts)}"

    def _count(self, row: Row) -> None:
        hits, count = self._counts.get(row.method, (0, 0))
        self._counts[row.method] = hits + is_success(row, self._success_mm), count + 1
        self._done += 1


def _outcome(row: Row) -> str:
    if row.error is not None:
        return f"could not be run, {row.error}"
    error = "" if row.mtre_mm is None else f", mTRE {row.mtre_mm:.2f} mm"
    return f"{row.status}{error}, {row.seconds or 0.0:.1f} s"
