"""Start poses: drawn around the truth, and drawn again where an image does not show the anatomy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, mean_distance_mm
from prostreg.json_fields import JsonFields
from prostreg.registration.case import Case
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm, shows_start
from prostreg.simulation.pose_draws import PoseDraw, read_pose_draw

KINDS = ("drawn", "bins")
MOST_DRAWS = 1000
MOST_TURN_RAD = np.pi / 2
BISECTIONS = 50


@dataclass(frozen=True)
class Starts:
    """The distribution of starts around the truth.

    Attributes:
        offsets: drawn in the pose chart at the truth.
        edges_mm: empty, or the edges of bins: case ``n`` falls into bin ``n`` modulo their number, and its offset
            is scaled so that the start's mTRE is uniform in that bin.
    """

    offsets: PoseDraw
    edges_mm: tuple[float, ...] = ()


def read_starts(fields: JsonFields) -> Starts:
    """Reads ``{"kind": "drawn", "offsets": {...}}``, or kind "bins" with ``"edges_mm": [0, 20, ...]`` as well."""
    kind = fields.choice("kind", KINDS)
    offsets = read_pose_draw(fields.inner("offsets"))
    edges: tuple[float, ...] = ()
    if kind == "bins":
        edges = fields.numbers("edges_mm")
        if len(edges) < 2 or edges[0] < 0 or any(b <= a for a, b in pairwise(edges)):
            fields.faults.add('"edges_mm" of the starts must rise from 0 or more and name one bin at least.')
    fields.end()
    return Starts(offsets, edges)


def with_start(case: Case, starts: Starts, number: int, rng: np.random.Generator) -> Case:
    """The case with a start around its truth that every image shows.

    Args:
        case: with truth, and with landmarks where the starts are binned by mTRE.
        number: of the case; chooses its bin.

    Raises:
        InputError: no usable start was found, as the distribution lies almost wholly outside the images.
    """
    if case.truth_world_from_volume is None:
        raise InputError(f"The case {case.name} has no true pose that a start could be drawn around.")
    centre_mm = anatomy_centre_mm(anatomy_points_mm(case))
    chart = PoseChart(case.truth_world_from_volume, case.views[0].carm.camera_from_world, centre_mm)
    for _ in range(MOST_DRAWS):
        offset = starts.offsets.parameters(rng)
        pose = _binned(case, chart, offset, starts.edges_mm, number, rng) if starts.edges_mm else _at(chart, offset)
        if pose is not None and shows_start(case, pose):
            return replace(case, initial_world_from_volume=pose)
    raise InputError(
        f"The case {case.name}: of {MOST_DRAWS} starts drawn, none shows the anatomy in every image. Draw them nearer"
        " to the truth."
    )


def _binned(
    case: Case,
    chart: PoseChart,
    offset: NDArray[np.float64],
    edges_mm: tuple[float, ...],
    number: int,
    rng: np.random.Generator,
) -> Matrix | None:
    """The offset scaled to an mTRE that is uniform in the case's bin; None where only a large turn would get there."""
    truth, landmarks_mm = case.truth_world_from_volume, case.landmarks_mm
    if truth is None or landmarks_mm is None:
        raise InputError(f"The case {case.name} has no landmarks: starts cannot be binned by their mTRE.")

    def mtre_mm(share: float) -> float:
        return mean_distance_mm(_at(chart, share * offset), truth, landmarks_mm)

    low_mm, high_mm = edges_mm[number % (len(edges_mm) - 1) :][:2]
    wanted_mm = rng.uniform(low_mm, high_mm)
    low, high = 0.0, MOST_TURN_RAD / max(float(np.linalg.norm(offset[:3])), 1e-9)
    if mtre_mm(high) < wanted_mm:
        return None
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if mtre_mm(middle) < wanted_mm:
            low = middle
        else:
            high = middle
    return _at(chart, high * offset)


def _at(chart: PoseChart, parameters: NDArray[np.float64]) -> Matrix:
    return np.asarray(chart.world_from_volume_at(parameters)[0])
