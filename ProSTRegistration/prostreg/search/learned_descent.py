"""Descent on the learned similarity L_N, from many poses at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import moved_poses, parameters_between
from prostreg.geometry.frames import Matrix, invert_rigid

LEARNING_RATE = 0.3
MOMENTUM = 0.5
LONGEST_STEP = 0.5
"""In spreads of the start, for each parameter: L_N says little of what lies further away."""

LONGEST_WAY = 5.0
"""In spreads, for each parameter: a pose that has come so far from its start has lost its way and stays there."""

STEPS = 40
STILL = 0.02
"""A pose rests when no parameter moves by more than this share of its spread."""


class LearnedObjective(Protocol):
    """L_N of poses, with its gradient."""

    @property
    def camera_from_world(self) -> Matrix:
        """The camera whose axes the parameters have."""

    @property
    def centre_mm(self) -> NDArray[np.float64]:
        """The anatomy's centre in the volume frame (3,)."""

    @property
    def spread(self) -> NDArray[np.float64]:
        """The spread (6,) that whitens the parameters, rad and mm."""

    def values_and_gradients(
        self, world_from_volume: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """L_N (n,) of poses (n, 4, 4), and its gradients (n, 6) in whitened parameters of the charts at the poses."""


@dataclass(frozen=True, eq=False)
class Descent:
    """The end of a descent.

    Attributes:
        world_from_volume: (n, 4, 4).
        values: L_N (n,) there, one step before the end.
        steps: that were taken.
    """

    world_from_volume: NDArray[np.float64]
    values: NDArray[np.float64]
    steps: int


def learned_descent(
    objective: LearnedObjective,
    world_from_volume: NDArray[np.float64],
    on_step: Callable[[int, NDArray[np.float64], NDArray[np.float64]], None] = lambda step, poses, values: None,
    most_steps: int = STEPS,
) -> Descent:
    """Follows the gradient of L_N with momentum until every pose rests.

    Args:
        world_from_volume: poses (n, 4, 4) to start from.
        on_step: called with the number of the step, the poses and their L_N; may raise to end the descent.
        most_steps: after which it ends anyway.
    """
    poses = np.array(world_from_volume, dtype=np.float64)
    camera_from_world = objective.camera_from_world
    first_in_camera = camera_from_world @ poses
    velocity = np.zeros((len(poses), 6))
    values = np.full(len(poses), np.inf)
    for step in range(most_steps):
        values, gradients = objective.values_and_gradients(poses)
        velocity = MOMENTUM * velocity - LEARNING_RATE * gradients
        moves = np.clip(velocity, -LONGEST_STEP, LONGEST_STEP)
        on_step(step, poses, values)
        in_camera = moved_poses(camera_from_world @ poses, objective.centre_mm, moves * objective.spread)
        way = parameters_between(first_in_camera, in_camera, objective.centre_mm) / objective.spread
        is_near = np.abs(way).max(axis=1) <= LONGEST_WAY
        poses[is_near] = (invert_rigid(camera_from_world) @ in_camera)[is_near]
        if np.abs(moves).max() < STILL:
            return Descent(poses, values, step + 1)
    return Descent(poses, values, most_steps)
