"""A registration from its start whose result is compared with what looks alike before it is accepted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

from prostreg.errors import Stopped
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, mean_distance_mm
from prostreg.images.look_alikes import look_alikes
from prostreg.registration.acceptance import MOST_IF_DOUBTED
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.evidence import confirmed_alone
from prostreg.registration.monitor import LEAST_SECONDS, Monitor
from prostreg.registration.neighbours.bones_around import tell_of_anatomy, with_bones_around
from prostreg.registration.neighbours.depth import (
    BETWEEN,
    MOST_BRIDGED_MM,
    TOLD_BY_NEIGHBOURS,
    is_told_by_neighbours,
    with_depth_of_neighbours,
)
from prostreg.registration.neighbours.rivals import Comparison, RivalSearch
from prostreg.registration.pipeline import judged_at, register_from_start
from prostreg.registration.readings import case_read_as, reading_of
from prostreg.registration.result import Progress, Result, StageReport
from prostreg.registration.start import anatomy_points_mm
from prostreg.search.candidate import Candidate

MOST_MOVES = 3
"""How often a better place is gone on from: three levels."""

STILL_COMPARED_MM = 2.0
"""A comparison of a pose holds for those that are nearer to it: it is refined by more than that itself."""

STAGE = "look-alikes"
UNCHECKED = "the run was stopped before its place was compared with those that look alike"


def register_told_apart(
    case: Case,
    config: RegistrationConfig,
    on_progress: Callable[[Progress], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Result:
    """Finds the pose of a case's CT in its X-rays from the start that it has; see `registering.register`.

    Where the CT has bones that look like the anatomy, the pose found is compared with those that would mistake one for
    the other. The search goes on from a better one, where it goes on until its pose convinces; a pose that the bones
    around it cannot tell from another is not accepted. A search that failed may have begun on a wrong one, and goes on
    likewise.
    """
    return _ToldApart(case, config, on_progress, is_cancelled).result()


def judged_told_apart(
    case: Case,
    found: Result,
    world_from_volume: Matrix,
    config: RegistrationConfig,
    on_progress: Callable[[Progress], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Result:
    """The verdict on a pose near the one that a registration found, compared with what looks alike; see `judged_at`.

    The comparison itself is refined from poses that far from each other, so that one of an accepted pose still holds.

    Raises:
        Stopped: the run was cancelled or is out of time.
    """
    judged = judged_at(case, found, world_from_volume, config, on_progress, is_cancelled)
    moved_mm = mean_distance_mm(world_from_volume, found.world_from_volume, anatomy_points_mm(case))
    if judged.status == "failed" or (found.status == "accepted" and moved_mm < STILL_COMPARED_MM):
        return replace(judged, look_alikes=found.look_alikes)
    began = time.perf_counter()
    compared = _ToldApart(case, config, on_progress, is_cancelled).compared(judged, most_moves=0)
    if compared.stopped is not None:
        raise Stopped(compared.stopped)
    return replace(compared, seconds=judged.seconds + time.perf_counter() - began)


class _ToldApart:
    """One registration with its comparisons under way."""

    def __init__(
        self,
        case: Case,
        config: RegistrationConfig,
        on_progress: Callable[[Progress], None] | None,
        is_cancelled: Callable[[], bool] | None,
    ) -> None:
        self._case, self._config = case, config
        self._on_progress, self._is_cancelled = on_progress, is_cancelled
        self._began, self._fraction = time.perf_counter(), 0.0

    def result(self) -> Result:
        result = self._registered(self._case)
        if result.stopped is not None or (result.status == "failed" and not self._config.until_accepted):
            return result
        return self.compared(result, MOST_MOVES)

    def compared(self, result: Result, most_moves: int) -> Result:
        """The result after its place was compared with those that look alike, gone on from better ones so often."""
        places = look_alikes(self._case.ct, self._case.anatomy)
        if not places:
            return result
        for moves in range(most_moves + 1):
            case = case_read_as(self._case, reading_of(self._case, result.polarities))
            search = RivalSearch(case, places, self._config, self._check)
            began = self._elapsed
            try:
                comparison = search.compared(result.world_from_volume)
            except Stopped as reason:
                return replace(doubted(result, UNCHECKED), seconds=self._elapsed, stopped=str(reason))
            result = self._with_comparison(result, comparison, search, began)
            better = comparison.better
            if better is None or not self._config.until_accepted or moves == most_moves:
                break
            again = self._registered(replace(self._case, initial_world_from_volume=better.world_from_volume))
            if again.status == "failed" or again.stopped is not None:
                break
            result = replace(
                again, stages=(*result.stages, *again.stages), attempts=(*result.attempts, *again.attempts)
            )  # fmt: skip
        return self._with_depth(result, comparison)

    def _with_depth(self, result: Result, comparison: Comparison) -> Result:
        """The result with its depth as the bones around tell it, where that is more than its image does.

        Where the two depths are too far apart for one pose, the objection to the one that was found stands.
        """
        along_mm, config = comparison.here.along_mm, replace(self._config, time_limit_s=self._seconds_left)
        if not is_told_by_neighbours(result, along_mm) or not self._tells_depth(result, comparison):
            return result
        try:
            judged = with_depth_of_neighbours(self._case, result, along_mm, config, self._tell, self._is_cancelled)
        except Stopped as reason:
            return replace(result, seconds=self._elapsed, stopped=str(reason))
        doubt = comparison.depth_doubt(confirmed_alone(result.evidence)) if abs(along_mm) > MOST_BRIDGED_MM else None
        judged = replace(
            judged, seconds=self._elapsed, reasons=(*judged.reasons, BETWEEN if doubt else TOLD_BY_NEIGHBOURS)
        )
        return judged if doubt is None else doubted(judged, doubt)

    def _registered(self, case: Case) -> Result:
        config = replace(self._config, time_limit_s=self._seconds_left)
        result = register_from_start(case, config, self._tell, self._is_cancelled)
        return replace(result, config=self._config.to_dict())

    def _with_comparison(self, result: Result, comparison: Comparison, search: RivalSearch, began: float) -> Result:
        """The result with what the comparison says of it."""
        doubt = None if result.status == "failed" else self._doubt(result, comparison)
        stage = StageReport(
            STAGE, search.evaluations, self._elapsed - began, comparison.here.confirmed, 1 + len(comparison.elsewhere)
        )
        return replace(
            result if doubt is None else doubted(result, doubt),
            stages=(*result.stages, stage),
            seconds=self._elapsed,
            look_alikes=comparison.places(),
        )

    def _doubt(self, result: Result, comparison: Comparison) -> str | None:
        """The objection to a pose by its level, else by its depth."""
        doubt = comparison.doubt()
        if doubt is None and self._neighbours_tell_depth:
            doubt = comparison.depth_doubt(confirmed_alone(result.evidence))
        return doubt

    @cached_property
    def _neighbours_tell_depth(self) -> bool:
        """True for one view, which hardly tells it, if there are bones around to ask."""
        return len(self._case.views) == 1 and tell_of_anatomy(with_bones_around(self._case), self._case)

    def _tells_depth(self, result: Result, comparison: Comparison) -> bool:
        """True if the bones around lie as in the CT as far as the image shows, and on this level."""
        return (
            self._neighbours_tell_depth
            and comparison.is_as_in_ct(confirmed_alone(result.evidence))
            and comparison.doubt() is None
        )

    def _check(self, chart: PoseChart) -> Callable[[Candidate], None]:
        monitor = Monitor(chart, None, self._seconds_left, self._tell, self._is_cancelled)
        return lambda candidate: monitor.check(STAGE, 0.0, candidate)

    def _tell(self, progress: Progress) -> None:
        """Passes progress on; its fraction never falls."""
        self._fraction = max(self._fraction, progress.fraction)
        if self._on_progress is not None:
            self._on_progress(replace(progress, fraction=self._fraction))

    @property
    def _elapsed(self) -> float:
        return time.perf_counter() - self._began

    @property
    def _seconds_left(self) -> float:
        return max(self._config.time_limit_s - self._elapsed, LEAST_SECONDS)


def doubted(result: Result, doubt: str) -> Result:
    """The result with an objection to it: it is not accepted however well it fits."""
    return replace(
        result,
        status="uncertain" if result.status == "accepted" else result.status,
        confidence=min(result.confidence, MOST_IF_DOUBTED),
        reasons=(doubt, *result.reasons),
        is_settled=False,
    )
