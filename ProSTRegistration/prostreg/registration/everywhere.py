"""A registration without any start: likely and standard views are tried, ever longer, until a pose convinces."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import Stopped
from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.geometry.standard_views import MAIN_VIEWS, standard_view
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.monitor import LEAST_SECONDS
from prostreg.registration.neighbours.bones_around import with_bones_around
from prostreg.registration.neighbours.told_apart import register_told_apart
from prostreg.registration.pipeline import check_method
from prostreg.registration.result import Progress, Result
from prostreg.registration.screening import screened_starts
from prostreg.registration.start import ISOCENTRE_SHARE, NO_START, anatomy_centre_mm, anatomy_points_mm

RESTARTS_OF_ROUNDS = (4, 16, 64)
"""CMA-ES runs that each view gets, round by round; a round begins when all views of the one before are done."""

LIKELY = "likely views"
LIKELY_TRIED = 2
"""A round begins with three screenings of views turned by any angle; the best places of each are registered.

Two match all bone around the anatomy as one body, for in the image it lies over and beside it; one the anatomy alone,
for bones move against each other.
"""

LIKELY_SHARE = 0.5
"""Of the time that is left, which a screening may take: on a slow computer it is worth more than what comes after."""

PARALLEL = 0.99
"""Central rays of two views whose directions have a larger cosine do not tell where they meet."""


def register_everywhere(
    case: Case,
    config: RegistrationConfig | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Result:
    """Finds the pose of a case's CT in its X-rays where nothing is known of it but that it shows in them.

    Starts are AP, PA and both lateral views of the first X-ray, frontal ones first. Each is registered from there,
    with an equal share of the time that is left. The first accepted result ends the search, and so does one in which
    only something is doubted that no search mends (its C-arm, its labels). With ``method`` and ``restarts`` both "auto"
    there are several rounds, each with more restarts than the one before, and each begins with views turned by any
    angle: thousands are matched with the image, and the best are registered.

    Args:
        case: images in memory; its start is not looked at.
        config: settings; defaults if it is not given. The time limit is that of the whole search.
        on_progress: called between evaluations; ``fraction`` never falls, ``message`` says which view is tried.
        is_cancelled: asked between evaluations.

    Returns:
        The accepted result, or else the most convincing one; its reasons say what was tried. Stages, attempts and
        seconds are those of all starts together.

    Raises:
        InputError: the case cannot be registered.
        WeightsError: the method needs network weights that are not there.
        DeviceError: the device cannot be used here.
    """
    return _Everywhere(case, config or RegistrationConfig(), on_progress, is_cancelled).result()


@dataclass(frozen=True)
class _Trial:
    """One start: round and view, how many CMA-ES runs it is given, and what a screening matches."""

    round: int
    view: str
    config: RegistrationConfig
    has_bones_around: bool = False


class _Everywhere:
    """One search under way."""

    def __init__(
        self,
        case: Case,
        config: RegistrationConfig,
        on_progress: Callable[[Progress], None] | None,
        is_cancelled: Callable[[], bool] | None,
    ) -> None:
        check_method(config)
        self._case, self._config = case, config
        self._on_progress, self._is_cancelled = on_progress, is_cancelled
        self._began = time.perf_counter()
        self._centre_mm = anatomy_centre_mm(anatomy_points_mm(case))
        self._place_mm = meeting_point_mm(case.views)
        self._trials = list(_trials(config))
        self._done: list[tuple[_Trial, Result]] = []
        self._fraction = 0.0

    def result(self) -> Result:
        for number, trial in enumerate(self._trials):
            ahead = sum(other.round == trial.round for other in self._trials[number:])
            if self._done and self._share(ahead) < LEAST_SECONDS:
                return self._report("time limit")
            for start in self._starts(number, trial):
                result = self._tried(number, trial, start, max(self._share(ahead), LEAST_SECONDS))
                self._done.append((trial, result))
                if result.status == "accepted" or result.is_settled or result.stopped == "cancelled":
                    return self._report(result.stopped)
        return self._report("time limit" if self._elapsed > self._config.time_limit_s else None)

    @cached_property
    def _bones_around(self) -> Case:
        return with_bones_around(self._case)

    def _starts(self, number: int, trial: _Trial) -> list[Matrix]:
        """A standard view, or the views that a screening finds likely; none where it was ended."""
        if trial.view != LIKELY:
            return [self._start(trial.view)]
        until = self._elapsed + max(LEAST_SECONDS, LIKELY_SHARE * (self._config.time_limit_s - self._elapsed))

        def on_step() -> None:
            if self._elapsed > until:
                raise Stopped("time limit")
            if self._is_cancelled is not None and self._is_cancelled():
                raise Stopped("cancelled")

        rng = np.random.default_rng([self._config.seed, number])
        try:
            body = self._bones_around if trial.has_bones_around else self._case
            return screened_starts(body, self._config, self._place_mm, rng, on_step)[:LIKELY_TRIED]
        except Stopped:
            return []

    def _tried(self, number: int, trial: _Trial, start: Matrix, seconds: float) -> Result:
        case = replace(self._case, initial_world_from_volume=start)
        config = replace(trial.config, time_limit_s=seconds)
        return register_told_apart(
            case, config, lambda progress: self._tell(number, trial, progress), self._is_cancelled
        )

    def _start(self, view: str) -> Matrix:
        """The pose that shows the anatomy in a standard view of the first C-arm, where all C-arms look."""
        camera_from_world = self._case.views[0].carm.camera_from_world
        camera_from_volume = standard_view(view, self._centre_mm, 0.0)
        camera_from_volume[:3, 3] += transform_points(camera_from_world, self._place_mm)
        return np.asarray(invert_rigid(camera_from_world) @ camera_from_volume)

    def _tell(self, number: int, trial: _Trial, progress: Progress) -> None:
        if self._on_progress is None:
            return
        self._fraction = max(self._fraction, (number + progress.fraction) / len(self._trials))
        message = f"no start given, trying {trial.view}: {progress.message}"
        left = max(0.0, self._config.time_limit_s - self._elapsed)
        self._on_progress(replace(progress, fraction=self._fraction, message=message, seconds_left=left))

    def _report(self, stopped: str | None) -> Result:
        """The best result, with what all of them did."""
        trial, best = max(self._done, key=lambda done: merit(done[1]))
        tried = list(dict.fromkeys(other.view for other, _ in self._done))
        found = f"{NO_START}{', '.join(tried)}; the best pose was found from {trial.view}"
        return replace(
            best,
            config=self._config.to_dict(),
            stages=tuple(
                replace(stage, name=f"{other.view}: {stage.name}") for other, r in self._done for stage in r.stages
            ),
            seconds=self._elapsed,
            stopped=stopped,
            reasons=(*best.reasons, found),
            attempts=tuple(attempt for _, result in self._done for attempt in result.attempts),
        )

    def _share(self, ahead: int) -> float:
        """Seconds for one of so many starts of a round. What finding likely ones took is not taken from them."""
        return (self._config.time_limit_s - self._elapsed) / ahead

    @property
    def _elapsed(self) -> float:
        return time.perf_counter() - self._began


def _trials(config: RegistrationConfig) -> Iterator[_Trial]:
    """All starts in their order, each with settings of its own: other random numbers, and ever more restarts."""
    if not config.until_accepted:
        for view in MAIN_VIEWS:
            yield _Trial(0, view, config)
        return
    for number, restarts in enumerate(RESTARTS_OF_ROUNDS):
        seed = (config.seed + number) % 2**32
        once = replace(config, most_restarts=1, seed=seed)
        for has_bones_around in (True, False, True):
            yield _Trial(number, LIKELY, once, has_bones_around)
        for view in MAIN_VIEWS:
            yield _Trial(number, view, replace(once, most_restarts=min(restarts, config.most_restarts)))


def merit(result: Result) -> tuple[bool, bool, float, float]:
    """Grows with how convincing a result is."""
    confirmed = float(result.evidence.get("confirmed", 0.0))
    return result.status == "accepted", result.is_settled, result.confidence, confirmed


def meeting_point_mm(views: tuple[View, ...]) -> NDArray[np.float64]:
    """The point (3,) in the world where the rays through the middles of all images meet or come nearest.

    With one view, or views that look the same way: where a patient usually lies on the first ray.
    """
    origins, directions = zip(*(_middle_ray(view) for view in views), strict=True)
    usual = origins[0] + directions[0] * ISOCENTRE_SHARE * views[0].carm.sdd_mm
    if all(abs(float(directions[0] @ direction)) > PARALLEL for direction in directions):
        return np.asarray(usual)
    across = [np.eye(3) - np.outer(direction, direction) for direction in directions]
    pulls = [matrix @ origin for matrix, origin in zip(across, origins, strict=True)]
    return np.asarray(np.linalg.solve(np.sum(across, axis=0), np.sum(pulls, axis=0)))


def _middle_ray(view: View) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Origin and direction (3,) in the world of the ray through an image's middle."""
    carm = view.carm
    world_from_camera = invert_rigid(carm.camera_from_world)
    middle = np.array([(carm.width - 1) / 2, (carm.height - 1) / 2, 1.0])
    direction = world_from_camera[:3, :3] @ np.linalg.inv(carm.intrinsics) @ middle
    return world_from_camera[:3, 3], direction / np.linalg.norm(direction)
