"""The fit of an image to other C-arms than the given one: the best score for each, the pose free to follow.

An anatomy that is nearer to the source looks like one under a longer source-detector distance, but for its perspective:
what lies before its middle grows against what lies behind. The score along such changes, the pose refined at each, is
a flat parabola. Its top tells the C-arm that the image fits best; its curvature and the disagreement of the image's
blocks tell how well (see `expected_error`). Several views are taken to come from one device, whose change is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from prostreg.geometry.carm_change import changed_carm, hiding_pose
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix
from prostreg.registration.expected_error import (
    LEAST_STIFFNESS,
    REDUCTIONS,
    Parabola,
    inverse_stiffness,
    score_curvature,
)
from prostreg.search.objective import Objective
from prostreg.search.polish import polish
from prostreg.similarity.likelihood import PatchLikelihood

Array = NDArray[np.float64]

STEPS = np.array([0.03, 0.02, 0.02])
"""Largest changes that are tried: 3 % of the distance, 20 mm of principal point for one of a metre."""

POLISH_STEPS = 30

MOST_HIDDEN_FALL = 0.15
"""Steps are reduced until the score falls by less than this share before the pose follows: a second view sees them."""

NARROWER = 1 / 3
"""Share of the pose's steps within which the likelihood is about a parabola: its peak is sharper than the score's."""

FLATTEST = 1e-4

LONGEST_MOVE = 4.0
"""Longest move of one refinement, in steps of the pose's parabola: beyond it that is a guess."""


@dataclass(frozen=True, eq=False)
class CArmProfile:
    """The best score over changes of the C-arm (see `geometry.carm_change`), around one of them.

    Attributes:
        centre: (3,) the change around which the score was taken; zero is the given C-arm.
        parabola: of that score, in the change's three numbers.
        gradient: (3,) of that score, per step.
        response: (6, 3) how the best pose follows, in the parameters of the pose's chart per change.
    """

    centre: Array
    parabola: Parabola
    gradient: Array
    response: Array

    def reach_and_top(self, units: Array) -> tuple[Array, Array]:
        """Moves of the top of the parabola by each block alone (blocks, 3), and the change at the top (3,).

        Args:
            units: (3,) of the change, in which both are told, and in which a direction that is flatter than the
                steepest by `FLATTEST` counts as no flatter than that.
        """
        per_unit = units / self.parabola.steps
        values, vectors = np.linalg.eigh(-self.parabola.curvature * np.outer(per_unit, per_unit))
        inverse = (vectors / np.maximum(values, FLATTEST * max(values[-1], LEAST_STIFFNESS))) @ vectors.T
        return self.parabola.pulls * per_unit @ inverse, self.centre / units + inverse @ (self.gradient * per_unit)


@dataclass(frozen=True, eq=False)
class _Place:
    """The best pose under a changed C-arm.

    Attributes:
        score: there.
        moved: (6,) parameters in the chart at the pose that hides the change.
        parameters: (6,) of the same pose in the chart at the pose that was found.
        world_from_volume: that pose (4, 4).
        objective: under the changed C-arm.
    """

    score: float
    moved: Array
    parameters: Array
    world_from_volume: Matrix
    objective: Objective


def carm_profile(objective: Objective, chart: PoseChart, pose_steps: Array, centre: Array) -> CArmProfile:
    """The profile around a change of the C-arm with which a pose was found.

    Args:
        objective: whose views are compared; by `PatchLikelihood`, whatever found the pose.
        chart: at that pose.
        pose_steps: (6,) steps of the chart's parameters within which the objective's own score is about a parabola.
        centre: (3,) the change.
    """
    objective = objective.with_similarity(PatchLikelihood).with_carms(lambda carm: changed_carm(carm, centre))
    chart = replace(chart, world_from_volume=hiding_pose(chart, centre))
    best = polish(objective, chart, np.zeros(6), POLISH_STEPS, lambda _: None)
    chart = replace(chart, world_from_volume=chart.world_from_volume_at(best.parameters)[0])
    climb = _Climb(objective, chart, NARROWER * pose_steps)
    steps = np.diag(_steps(objective, chart))
    origin = climb.place(np.zeros(3), np.zeros(6), moves=0)
    ahead = [climb.place(step, origin.moved) for step in steps]
    behind = [climb.place(-step, 2 * origin.moved - place.moved) for step, place in zip(steps, ahead, strict=True)]
    plus, minus = (np.array([place.score for place in places]) - origin.score for places in (ahead, behind))
    curvature = np.diag(plus + minus)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        start = ahead[one].moved + ahead[other].moved - origin.moved
        both = climb.place(steps[one] + steps[other], start, moves=0)
        curvature[one, other] = curvature[other, one] = both.score - origin.score - plus[one] - plus[other]
    differences = [one.parameters - other.parameters for one, other in zip(ahead, behind, strict=True)]
    return CArmProfile(
        centre,
        Parabola(np.diag(steps), curvature, _pulls(objective, origin, ahead, behind)),
        (plus - minus) / 2,
        np.array(differences).T / (2 * np.diag(steps)),
    )


def _steps(objective: Objective, chart: PoseChart) -> Array:
    """For each number of a change the largest step (3,) that the hiding pose hides: a second view may see it."""
    start = objective.scores(chart.world_from_volume[None])[0]
    steps = []
    for largest in np.diag(STEPS):
        for reduction in REDUCTIONS:
            pair = [_hidden_score(objective, chart, sign * reduction * largest) for sign in (1, -1)]
            if start - np.mean(pair) < MOST_HIDDEN_FALL * abs(start):
                break
        steps.append(reduction * largest.max())
    return np.array(steps)


def _hidden_score(objective: Objective, chart: PoseChart, change: Array) -> float:
    other = objective.with_carms(lambda carm: changed_carm(carm, change))
    return float(other.scores(hiding_pose(chart, change)[None])[0])


class _Climb:
    """Newton's method for the pose, with the curvature at the pose that was found."""

    def __init__(self, objective: Objective, chart: PoseChart, steps: Array) -> None:
        self._objective, self._chart, self._steps = objective, chart, steps
        self._curvature = score_curvature(objective, chart, steps)
        self._inverse = inverse_stiffness(self._curvature)

    def place(self, change: Array, start: Array, moves: int = 1) -> _Place:
        """The best pose under a changed C-arm, from parameters (6,) in the chart at the pose that hides the change.

        The score's last rise is taken from the parabola: it need not be rendered.
        """
        chart = self._chart
        objective = self._objective.with_carms(lambda carm: changed_carm(carm, change))
        hidden = PoseChart(hiding_pose(chart, change), chart.camera_from_world, chart.centre_mm)
        moved = start
        for _ in range(moves):
            moved = moved + self._step(objective.score_and_gradient(hidden, moved)[1]) * self._steps
        score, gradient = objective.score_and_gradient(hidden, moved)
        step = self._step(gradient)
        score += float(gradient * self._steps @ step + step @ self._curvature @ step / 2)
        moved = moved + step * self._steps
        world_from_volume = hidden.world_from_volume_at(moved)[0]
        return _Place(score, moved, chart.parameters_of(world_from_volume), world_from_volume, objective)

    def _step(self, gradient: Array) -> Array:
        """Newton's step (6,), in steps, and shorter where that would be a guess."""
        step = np.asarray(self._inverse @ (gradient * self._steps))
        return step * min(1.0, LONGEST_MOVE / max(float(np.abs(step).max()), LONGEST_MOVE))


def _pulls(objective: Objective, origin: _Place, ahead: list[_Place], behind: list[_Place]) -> Array:
    """Derivative (blocks, 3) of each block's part of the best score, per step."""
    places = [origin, *ahead, *behind]
    images = zip(*(place.objective.images(place.world_from_volume[None]) for place in places), strict=True)
    per_view = [torch.cat(drrs) for drrs in images]
    shares = objective.block_shares([drrs[1:] for drrs in per_view], [drrs[:1] for drrs in per_view])
    return np.asarray((shares[:3] - shares[3:]).T / 2)
