"""Motion from frame to frame: where the anatomy is expected, from where it was found before and behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix

DAMPING = 0.9
"""Share of its velocity that the anatomy is thought to keep from one frame to the next."""


def expected_poses(
    found: Mapping[int, Matrix], number: int, camera_from_world: Matrix, centre_mm: NDArray[np.float64]
) -> list[Matrix]:
    """Poses world_from_volume (4, 4) in which the anatomy may be in a frame, the likeliest first.

    Between two frames in which it was found, the motion from one to the other is shared out evenly. Beyond them it
    goes on, ever slower. It may also have stayed where it was.

    Args:
        found: poses (4, 4) by frame, one or more.
        number: of the frame.
        camera_from_world: camera in whose axes turns and shifts go on, rigid (4, 4).
        centre_mm: of the anatomy in the volume frame (3,).
    """
    if number in found:
        return [found[number]]
    before, behind = sorted((n for n in found if n < number), reverse=True), sorted(n for n in found if n > number)
    nearest = nearest_frame(found, number)
    chart = PoseChart(found[nearest], camera_from_world, centre_mm)
    if before and behind:
        other = behind[0] if nearest == before[0] else before[0]
        share = (number - nearest) / (other - nearest)
        return [_moved(chart, share * chart.parameters_of(found[other])), found[nearest], found[other]]
    side = before or behind
    if len(side) == 1:
        return [found[nearest]]
    velocity = -chart.parameters_of(found[side[1]]) / abs(side[1] - nearest)
    return [_moved(chart, velocity * damped_steps(abs(number - nearest))), found[nearest]]


def nearest_frame(found: Iterable[int], number: int) -> int:
    """The frame nearest to a number, itself if it is among them; of two that are as near the earlier one."""
    return min(found, key=lambda n: (abs(n - number), n))


def damped_steps(frames: int) -> float:
    """The way over some frames, in that of one frame at the full velocity."""
    return DAMPING * (1 - DAMPING**frames) / (1 - DAMPING)


def _moved(chart: PoseChart, parameters: NDArray[np.float64]) -> Matrix:
    return np.asarray(chart.world_from_volume_at(parameters)[0])
