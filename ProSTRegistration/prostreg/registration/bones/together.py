"""Bones that were found one by one, refined with all of them in every DRR."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, mean_distance_mm
from prostreg.registration.bones.found import Together
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.levels import Levels
from prostreg.registration.readings import reading_of
from prostreg.registration.result import Result
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.search.candidate import Candidate
from prostreg.search.objective import Objective
from prostreg.search.polish import polish

MOST_ROUNDS = 6
POLISH_STEPS = 15
STILL_MM = 0.05
"""A round that moves no bone by more, as a mean over its points, is the last."""


@dataclass(frozen=True, eq=False)
class Refined:
    """Poses world_from_volume of all bones after their refinement, by how much each moved (mm), and the scores."""

    poses: tuple[Matrix, ...]
    moved_mm: tuple[float, ...]
    together: Together


def refined_together(
    found: Sequence[tuple[Case, Result]],
    config: RegistrationConfig,
    make_check: Callable[[PoseChart], Callable[[Candidate], None]],
) -> Refined:
    """Climbs with one bone after the other while the others lie in its DRRs, in rounds, until all stand still.

    Each bone keeps the part of the image and the resolution in which it was polished alone. What is raised for one may
    be lowered for another, so that the scores before and after are told.

    Args:
        found: two or more bones as cases of their own, with what was found of each.
        config: for the resolutions.
        make_check: gives what is told of each candidate, in a chart; it may raise to end the climb.
    """
    bones = [_Climber(case, result, config) for case, result in found]
    starts = [bone.pose for bone in bones]
    before = _score(bones)
    rounds, is_moving = 0, True
    while is_moving and rounds < MOST_ROUNDS:
        moved = []
        for bone in bones:
            earlier = bone.pose
            bone.climb([other for other in bones if other is not bone], make_check)
            moved.append(mean_distance_mm(earlier, bone.pose, bone.points_mm))
        rounds, is_moving = rounds + 1, max(moved) >= STILL_MM
    moved_mm = [mean_distance_mm(start, bone.pose, bone.points_mm) for start, bone in zip(starts, bones, strict=True)]
    together = Together(rounds, before, _score(bones))
    return Refined(tuple(bone.pose for bone in bones), tuple(moved_mm), together)


def _score(bones: Sequence[_Climber]) -> float:
    """The mean score of the bones, each with all others in its DRR."""
    return float(np.mean([bone.score([other for other in bones if other is not bone]) for bone in bones]))


class _Climber:
    """One bone with its pose and its finest level."""

    def __init__(self, case: Case, result: Result, config: RegistrationConfig) -> None:
        self.pose: Matrix = result.world_from_volume
        self.points_mm = anatomy_points_mm(case)
        self._centre_mm = anatomy_centre_mm(self.points_mm)
        self._camera_from_world = case.views[0].carm.camera_from_world
        levels = Levels(case, self.pose, self.points_mm, self._centre_mm, config.spread_shift_mm, config)
        self._alone = levels.read_as(reading_of(case, result.polarities)).fine

    def score(self, others: Sequence[_Climber]) -> float:
        return float(self._with(others).scores(self.pose[None])[0])

    def climb(self, others: Sequence[_Climber], make_check: Callable[[PoseChart], Callable[[Candidate], None]]) -> None:
        """To the nearest top with the others where they are."""
        chart = PoseChart(self.pose, self._camera_from_world, self._centre_mm)
        top = polish(self._with(others), chart, np.zeros(6), POLISH_STEPS, make_check(chart))
        self.pose = np.asarray(chart.world_from_volume_at(top.parameters)[0])

    def _with(self, others: Sequence[_Climber]) -> Objective:
        return self._alone.with_others([(other._alone.projector, other.pose) for other in others])
