"""Watches over a run: reports its progress, and ends it when it is cancelled or out of time."""

from __future__ import annotations

import time
from collections.abc import Callable

from prostreg.errors import Stopped
from prostreg.geometry.chart import PoseChart
from prostreg.registration.result import Progress
from prostreg.search.candidate import Candidate

LEAST_SECONDS = 0.1
"""A registration is not begun for less."""


class Monitor:
    """Counts rounds and seconds.

    Args:
        chart: the meaning of the candidates' parameters.
        rounds: planned rounds; None where the score decides.
        time_limit_s: after which `check` ends the run.
        on_progress: told of every check.
        is_cancelled: asked at every check.
    """

    def __init__(
        self,
        chart: PoseChart,
        rounds: int | None,
        time_limit_s: float,
        on_progress: Callable[[Progress], None] | None,
        is_cancelled: Callable[[], bool] | None,
    ) -> None:
        self._chart, self._rounds, self._time_limit_s = chart, rounds, time_limit_s
        self._on_progress, self._is_cancelled = on_progress, is_cancelled
        self._began = time.perf_counter()
        self.rounds_done = 0

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self._began

    def check(self, stage: str, share: float, best: Candidate) -> None:
        """Reports that a stage has done ``share`` (0..1) of the current round.

        Raises:
            Stopped: the run was cancelled or is out of time.
        """
        if self._on_progress is not None:
            rounds = self.rounds_done + share
            pose = self._chart.world_from_volume_at(best.parameters)[0]
            message = f"{stage}: similarity {best.score:.3f}"
            left = self._seconds_left(rounds)
            self._on_progress(Progress(stage, self._fraction(rounds), best.score, pose, message, left))
        if self._is_cancelled is not None and self._is_cancelled():
            raise Stopped("cancelled")
        if self.seconds > self._time_limit_s:
            raise Stopped("time limit")

    def _fraction(self, rounds: float) -> float:
        """Of all rounds; where their number is open, one more is always thought to lie ahead."""
        if self._rounds is None:
            return rounds / (rounds + 1)
        return min(1.0, rounds / self._rounds)

    def _seconds_left(self, rounds: float) -> float | None:
        if rounds < 0.1:
            return None
        ahead = 1.0 if self._rounds is None else max(0.0, self._rounds - rounds)
        return min(max(0.0, self._time_limit_s - self.seconds), self.seconds / rounds * ahead)
