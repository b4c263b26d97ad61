"""The search for the anatomy in one frame: a climb from where it is expected, and wider ones where that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, transform_points
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.levels import Levels
from prostreg.registration.pose_search import CANDIDATES_REFINED, CANDIDATES_SCREENED, LEAST_KEPT, POLISH_STEPS
from prostreg.registration.result import Result
from prostreg.registration.screening import screened_around
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm, start_spread
from prostreg.search.candidate import Candidate
from prostreg.search.cmaes import cmaes_search
from prostreg.search.polish import polish
from prostreg.tracking.frame_judge import Found, FrameJudge

NEAR_MM = 10.0
"""How far in the image plane a climb is thought to end from where it begins."""

AROUND_SPREAD = np.array([np.deg2rad(6.0)] * 3 + [10.0, 10.0, 20.0])
AROUND_RUNS, AROUND_POPULATION, AROUND_GENERATIONS = 2, 24, 15
"""The search around: what a patient does who coughs, rad and mm, by short runs of CMA-ES."""

SHARPENING_STEPS = 4
"""Of 30 frames of a pelvis, four leave a mean error of 0.29 mm, thirty 0.28; none leave 0.36, in 0.6 of the time."""

Array = NDArray[np.float64]


class FrameSearch:
    """Searches frames of one case; what they share is made once.

    Args:
        case: the frame that was registered first, its polarity decided.
        first: its result.
        config: resolutions, spreads of the widest search, seed.
        check: called between evaluations; may raise to end a search.
    """

    def __init__(self, case: Case, first: Result, config: RegistrationConfig, check: Callable[[], None]) -> None:
        self._config, self._check = config, check
        self._points_mm = anatomy_points_mm(case)
        self.centre_mm = anatomy_centre_mm(self._points_mm)
        self.camera_from_world = case.views[0].carm.camera_from_world
        self._spread = start_spread(config)
        self.judge = FrameJudge(case, first, self._points_mm, self.centre_mm, self._spread)
        pose = first.world_from_volume
        self._levels = Levels(case, pose, self._points_mm, self.centre_mm, NEAR_MM, config)

    def give_up_gpu(self) -> bool:
        """From here on computes on the CPU; False where it did already."""
        if not self._levels.middle.projector.is_on_gpu:
            return False
        self._levels = self._levels.on_cpu()
        return True

    def near(self, case: Case, starts: Sequence[Matrix]) -> Found | None:
        """Climbs from the best of some poses; None where the frame shows the anatomy at none of them."""
        seen = [pose for pose in starts if self._shows(case, pose)]
        if not seen:
            return None
        centres = np.array([transform_points(pose, self.centre_mm) for pose in seen])
        reach_mm = NEAR_MM + float(np.linalg.norm(centres - centres[0], axis=1).max())
        levels = self._levels.with_views(case.views, seen[0], reach_mm)
        best = seen[int(np.argmax(levels.middle.scores(np.array(seen))))] if len(seen) > 1 else seen[0]
        return self._climbed(case, levels, best, best, is_far=False)

    def around(self, case: Case, start: Matrix, number: int) -> Found | None:
        """Short runs of CMA-ES about a pose, the best of them refined; None where the frame does not show it there."""
        if not self._shows(case, start):
            return None
        levels, chart = self._levels.with_views(case.views, start, AROUND_SPREAD[3]), self._chart(start)
        ends = cmaes_search(
            levels.coarse, [chart] * AROUND_RUNS, np.zeros((AROUND_RUNS, 6)), AROUND_SPREAD, AROUND_POPULATION,
            AROUND_GENERATIONS, self._rng(number), lambda generation, best: self._check(),
        )  # fmt: skip
        ends = sorted(ends, key=lambda end: -end.score)[:CANDIDATES_REFINED]
        return self._best(case, levels, [chart.world_from_volume_at(end.parameters)[0] for end in ends], start)

    def everywhere_about(self, case: Case, start: Matrix, number: int) -> Found | None:
        """Thousands of turns about a pose, anywhere in the image; None where the frame does not show it there."""
        if not self._shows(case, start):
            return None
        levels = self._levels.with_views(case.views, start, self._config.spread_shift_mm)
        screened = screened_around(
            case, self._config, levels, self._chart(start), self._spread, self._rng(number), self._check
        )
        return self._best(case, levels, screened.poses[:CANDIDATES_SCREENED], start)

    def sharpened(self, found: Found) -> Found:
        """The last tenths of a millimetre: steps at the finest level, unless they leave the optimum; not judged."""
        levels, chart = found.levels, self._chart(found.world_from_volume)
        top = polish(levels.fine, chart, np.zeros(6), SHARPENING_STEPS, self._on_evaluation)
        pose = np.asarray(chart.world_from_volume_at(top.parameters)[0])
        before, after = levels.middle.scores(np.array([found.world_from_volume, pose]))
        return replace(found, world_from_volume=pose) if after > LEAST_KEPT * before else found

    def _best(self, case: Case, levels: Levels, poses: Sequence[Matrix], start: Matrix) -> Found | None:
        found: Found | None = None
        for pose in poses:
            climbed = self._climbed(case, levels, pose, start, is_far=True)
            found = climbed if found is None else found.better(climbed)
        return found

    def _climbed(self, case: Case, levels: Levels, pose: Matrix, start: Matrix, is_far: bool) -> Found:
        """The top above a pose at the level where poses are judged, with its verdict."""
        chart = self._chart(pose)
        top = polish(levels.middle, chart, np.zeros(6), POLISH_STEPS, self._on_evaluation)
        pose = np.asarray(chart.world_from_volume_at(top.parameters)[0])
        return self.judge.judged(case, levels, pose, start, is_far)

    def _on_evaluation(self, best: Candidate) -> None:
        self._check()

    def _shows(self, case: Case, pose: Matrix) -> bool:
        """True if every view shows the anatomy's centre, and nothing of it lies behind a source."""
        points, centre = transform_points(pose, self._points_mm), transform_points(pose, self.centre_mm)
        return all(
            transform_points(view.carm.camera_from_world, points)[:, 2].min() > 0
            and bool(view.carm.shows(view.carm.project_world(centre)))
            for view in case.views
        )

    def _chart(self, pose: Matrix) -> PoseChart:
        return PoseChart(pose, self.camera_from_world, self.centre_mm)

    def _rng(self, number: int) -> np.random.Generator:
        return np.random.default_rng([self._config.seed, number])
