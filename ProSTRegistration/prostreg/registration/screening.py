"""Starts for a search without one: thousands of views, judged cheaply; the best are varied, climb and compete."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.geometry.rotations import rotation_from_vector
from prostreg.images.attenuation import moving_volume
from prostreg.images.pyramid import reduced_volume, reduced_xray
from prostreg.projector.selection import make_projector
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.levels import SURROUNDINGS_HU, Levels
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.search.cmaes import cmaes_search
from prostreg.search.objective import Objective
from prostreg.search.polish import polish
from prostreg.search.view_match import ViewMatch, ViewMatcher, Views

DIRECTIONS, TURNS = 500, 48
"""Directions of the beam through the patient, and turns in the picture of each: 8 degrees apart."""

STEEPEST_DEG = 65.0
"""Between the beam and the patient's axial planes; C-arms do not look along a patient."""

DEPTH_SPREAD_MM = 40.0
"""Standard deviation along the beam."""

SOME_AROUND, VIEWS_AROUND = 500, 2000
"""Turns that are drawn around a start: so many are tried first, and all where none of them is the one."""

PIXELS = 40
"""Over the anatomy's diameter, or over the image if that is less: with twenty, the true view is one among thousands."""

PIXELS_ANYWHERE = 36
"""The same for twenty thousand views: all bone needs no more, and this decides how long they take."""

MOST_PIXELS = 96
"""Of an image in which all turns are tried: a small bone in a large one would take a minute."""

LEAST_DEPTH = 0.5
"""Of the usual depth: nothing lies nearer to the source."""

VOXELS_PER_PIXEL = 1.5

APART_DEG = 15.0
APART_SHARE = 0.1
"""Views that are turned less against each other, and shifted by less of the anatomy's size, are one."""

CLIMBS_APART_DEG = 8.0
"""The same for climbs anywhere: of two beside the true view one may end on a lower top."""

APART_MM = 20.0
"""Finalists whose anatomies lie nearer to each other are one."""


@dataclass(frozen=True)
class Refinement:
    """The best views, so many, with some tries about each of them: standard deviations of turns and of depths."""

    views: int
    tries: int
    turn_deg: float
    depth_mm: float


REFINEMENTS = (Refinement(150, 8, 7.0, 20.0), Refinement(40, 10, 4.0, 12.0))
"""From views that lie 8 degrees apart to errors that a climb mends."""

CLIMB_SPREAD = np.array([np.deg2rad(8.0)] * 3 + [8.0, 8.0, 30.0])
"""Errors of a view that fits, rad and mm."""


@dataclass(frozen=True)
class Climb:
    """Short CMA-ES runs from the best views: how many, and the population and generations of each."""

    runs: int
    population: int
    generations: int


ANYWHERE_MM = np.inf
"""Uncertainty of a start in the image plane where finalists may lie in all of the image."""

CLIMBS_ANYWHERE = (Climb(30, 12, 8), Climb(6, 24, 12))
CLIMBS_AROUND = (Climb(48, 12, 8), Climb(6, 24, 25))

SOME_JUDGED, VIEWS_JUDGED = 4, 8
"""Of the views that match best, so many are polished where poses are judged, before any climb.

A match and the judging level know the true place where the coarse level does not: of two vertebrae that 64 runs missed,
it gave 0.23 to 0.27 to the true pose with the bones around, and up to 0.43 to wrong ones. From one of the first five
views of each of eight screenings, 5 to 46 mm off, a polish came to the truth.
"""

FINALISTS = 6

POLISH_STEPS = 30
CLEARLY_CONFIRMED = 0.5
"""Share of a finalist's structure that the image confirms; of wrong pelves it is 0.2."""


@dataclass(frozen=True, eq=False)
class Screened:
    """The poses world_from_volume that a screening came to, best first, and how many poses it compared."""

    poses: list[Matrix]
    evaluations: int


def screened_starts(
    case: Case,
    config: RegistrationConfig,
    place_mm: NDArray[np.float64],
    rng: np.random.Generator,
    on_step: Callable[[], None],
) -> list[Matrix]:
    """The most promising poses world_from_volume, best first.

    Args:
        case: with what is matched as its anatomy.
        place_mm: where in the world (3,) the anatomy is looked for; only the depth of the first view is taken from it.
        rng: source of every random number.
        on_step: called between steps; may raise to end the screening.
    """
    points_mm = anatomy_points_mm(case)
    centre_mm = anatomy_centre_mm(points_mm)
    size_mm = _size_mm(points_mm, centre_mm)
    camera_from_world = case.views[0].carm.camera_from_world
    depth_mm = float(transform_points(camera_from_world, place_mm)[2])
    factor = _reduction(case, size_mm, depth_mm, PIXELS_ANYWHERE)
    factor_of_turns = max(factor, math.ceil(max(case.views[0].carm.size) / MOST_PIXELS))
    matcher = _matcher(case, config, centre_mm, size_mm, depth_mm, factor_of_turns)
    match = matcher.match(views_from_all_sides(depth_mm, rng), np.arange(TURNS) * 2 * np.pi / TURNS, on_step)
    if factor < factor_of_turns:
        matcher = _matcher(case, config, centre_mm, size_mm, depth_mm, factor)
    for step in REFINEMENTS:
        best = match.views.chosen(_distinct(match, centre_mm, size_mm, step.views))
        match = matcher.match(_varied(best, step, depth_mm, rng), np.zeros(1), on_step)
    likely = _distinct(match, centre_mm, size_mm, CLIMBS_ANYWHERE[0].runs, CLIMBS_APART_DEG)
    poses = invert_rigid(camera_from_world) @ match.camera_from_volume[likely]
    if len(case.views) > 1:
        poses[:, :3, 3] = place_mm - poses[:, :3, :3] @ centre_mm
    levels = Levels(case, poses[0], points_mm, centre_mm, ANYWHERE_MM, config)
    judged = _judged(levels, _charts(poses[:VIEWS_JUDGED], camera_from_world, centre_mm), on_step)
    if not judged.is_clear:
        finalists = _climbed(levels.coarse, poses, CLIMBS_ANYWHERE, camera_from_world, centre_mm, rng, on_step)
        places = _at_different_places([*judged.poses[:1], *finalists], points_mm)
        judged = _judged(levels, _charts(places, camera_from_world, centre_mm), on_step)
    return _at_different_places(judged.poses, points_mm)[:FINALISTS]


def screened_around(
    case: Case,
    config: RegistrationConfig,
    levels: Levels,
    chart: PoseChart,
    spread: NDArray[np.float64],
    rng: np.random.Generator,
    on_step: Callable[[], None],
) -> Screened:
    """The most promising poses about a start; they may be anywhere in the first image.

    Args:
        case: with what is matched as its anatomy.
        levels: resolutions of the same.
        chart: around the start.
        spread: (6,) uncertainty of the start, rad and mm.
        rng: source of every random number.
        on_step: called between steps; may raise to end the screening.
    """
    points_mm = anatomy_points_mm(case)
    centre_mm = anatomy_centre_mm(points_mm)
    size_mm = _size_mm(points_mm, centre_mm)
    camera_from_world = chart.camera_from_world
    start = camera_from_world @ chart.world_from_volume_at(np.zeros(6))[0]
    depth_mm = float(transform_points(start, centre_mm)[2])
    turns = rotation_from_vector(rng.standard_normal((VIEWS_AROUND, 3)) * spread[:3])
    depths_mm = _depths_mm(depth_mm, rng.normal(0, spread[5], VIEWS_AROUND))
    matcher = _matcher(case, config, centre_mm, size_mm, depth_mm, _reduction(case, size_mm, depth_mm, PIXELS))
    views = Views(turns @ start[:3, :3], depths_mm)
    match = matcher.match(views.chosen(range(SOME_AROUND)), np.zeros(1), on_step)
    poses = _likely_poses(match, camera_from_world, centre_mm, size_mm, SOME_JUDGED)
    some = _judged(levels, _charts(poses, camera_from_world, chart.centre_mm), on_step)
    if some.is_clear:
        return Screened(some.poses[:1], SOME_AROUND + some.evaluations)
    match = match.followed_by(matcher.match(views.chosen(range(SOME_AROUND, VIEWS_AROUND)), np.zeros(1), on_step))
    poses = _likely_poses(match, camera_from_world, centre_mm, size_mm, CLIMBS_AROUND[0].runs)
    judged = _judged(levels, _charts(poses[:VIEWS_JUDGED], camera_from_world, chart.centre_mm), on_step)
    evaluations = VIEWS_AROUND + some.evaluations + judged.evaluations
    if judged.is_clear:
        return Screened(judged.poses[:1], evaluations)
    before = levels.coarse.evaluations
    finalists = _climbed(levels.coarse, poses, CLIMBS_AROUND, camera_from_world, chart.centre_mm, rng, on_step)
    evaluations += levels.coarse.evaluations - before
    return Screened(_at_different_places([*judged.poses[:1], *finalists], points_mm), evaluations)


def _likely_poses(
    match: ViewMatch, camera_from_world: Matrix, centre_mm: NDArray[np.float64], size_mm: float, most: int
) -> NDArray[np.float64]:
    """Poses world_from_volume (n, 4, 4) of the best views that are not nearly the same, best first."""
    return np.asarray(
        invert_rigid(camera_from_world) @ match.camera_from_volume[_distinct(match, centre_mm, size_mm, most)]
    )


def views_from_all_sides(depth_mm: float, rng: np.random.Generator) -> Views:
    """Views along directions that are spread evenly, the patient's head up, at depths about one.

    The directions are those of a Fibonacci lattice (Gonzalez, "Measurement of areas on a sphere using Fibonacci and
    latitude-longitude lattices", Mathematical Geosciences, 2010).
    """
    numbers = np.arange(DIRECTIONS)
    towards_head = ((2 * numbers + 1) / DIRECTIONS - 1) * np.sin(np.deg2rad(STEEPEST_DEG))
    around, across = numbers * np.pi * (3 - np.sqrt(5)), np.sqrt(1 - towards_head**2)
    beams = np.column_stack([across * np.cos(around), across * np.sin(around), towards_head])
    down = np.array([0.0, 0.0, -1.0]) + towards_head[:, None] * beams
    down /= np.linalg.norm(down, axis=1, keepdims=True)
    rotations = np.stack([np.cross(down, beams), down, beams], axis=1)
    return Views(rotations, _depths_mm(depth_mm, rng.normal(0, DEPTH_SPREAD_MM, DIRECTIONS)))


def _varied(views: Views, step: Refinement, depth_mm: float, rng: np.random.Generator) -> Views:
    """Views as they are, and each with some others near it."""
    shape = (len(views), step.tries)
    turns = rotation_from_vector(rng.normal(0, np.deg2rad(step.turn_deg), (*shape, 3)))
    depths_mm = _depths_mm(depth_mm, (views.depths_mm - depth_mm)[:, None] + rng.normal(0, step.depth_mm, shape))
    near = (turns @ views.rotations[:, None]).reshape(-1, 3, 3)
    return Views(np.concatenate([views.rotations, near]), np.concatenate([views.depths_mm, depths_mm.ravel()]))


def _depths_mm(depth_mm: float, errors_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(depth_mm + errors_mm, LEAST_DEPTH * depth_mm)


def _size_mm(points_mm: NDArray[np.float64], centre_mm: NDArray[np.float64]) -> float:
    return 2 * float(np.percentile(np.linalg.norm(points_mm - centre_mm, axis=1), 98))


def _climbed(
    coarse: Objective,
    poses: NDArray[np.float64],
    climbs: Sequence[Climb],
    camera_from_world: Matrix,
    centre_mm: NDArray[np.float64],
    rng: np.random.Generator,
    on_step: Callable[[], None],
) -> list[Matrix]:
    """The finalists among the ends of short CMA-ES runs from poses (n, 4, 4), best first."""

    best = list(poses)
    for climb in climbs:
        charts = _charts(best[: climb.runs], camera_from_world, centre_mm)
        ends = cmaes_search(
            coarse, charts, np.zeros((len(charts), 6)), CLIMB_SPREAD, climb.population, climb.generations, rng,
            lambda *_: on_step(),
        )  # fmt: skip
        ended = sorted(zip(ends, charts, strict=True), key=lambda run: -run[0].score)
        best = [chart.world_from_volume_at(end.parameters)[0] for end, chart in ended]
    return best[:FINALISTS]


@dataclass(frozen=True, eq=False)
class _Judged:
    """Poses polished where poses are judged, the best confirmed first.

    Attributes:
        is_clear: True if the first is clearly confirmed; then the others keep their places behind it.
        evaluations: what that took.
    """

    poses: list[Matrix]
    is_clear: bool
    evaluations: int


def _judged(levels: Levels, starts: Sequence[PoseChart], on_step: Callable[[], None]) -> _Judged:
    """Starts at the charts' origins, polished and judged until one is clearly confirmed."""
    poses = [chart.world_from_volume_at(np.zeros(6))[0] for chart in starts]
    confirmed, evaluations = np.zeros(len(poses)), 0
    for number, chart in enumerate(starts):
        middle = levels.judging(poses[number])
        before = middle.evaluations
        polished = polish(middle, chart, np.zeros(6), POLISH_STEPS, lambda _: on_step())
        poses[number] = chart.world_from_volume_at(polished.parameters)[0]
        confirmed[number] = middle.footprint_score(poses[number]).score
        evaluations += middle.evaluations - before
        if confirmed[number] > CLEARLY_CONFIRMED:
            break
    order = np.argsort(-confirmed, kind="stable")
    is_clear = bool(confirmed.max() > CLEARLY_CONFIRMED)
    return _Judged([poses[number] for number in order], is_clear, evaluations)


def _charts(poses: Iterable[Matrix], camera_from_world: Matrix, centre_mm: NDArray[np.float64]) -> list[PoseChart]:
    return [PoseChart(pose, camera_from_world, centre_mm) for pose in poses]


def _at_different_places(poses: Sequence[Matrix], points_mm: NDArray[np.float64]) -> list[Matrix]:
    """The poses without those that nearly repeat a better one."""
    kept: list[Matrix] = []
    for pose in poses:
        places = transform_points(pose, points_mm)
        distances = [np.linalg.norm(places - transform_points(other, points_mm), axis=1).mean() for other in kept]
        if all(distance > APART_MM for distance in distances):
            kept.append(pose)
    return kept


def _reduction(case: Case, size_mm: float, depth_mm: float, pixels: int) -> int:
    """The factor by which the first X-ray is reduced, as far as views can be told apart."""
    carm = case.views[0].carm
    size_px = min(size_mm / depth_mm * float(carm.intrinsics[0, 0]), max(carm.size))
    return max(1, round(size_px / pixels))


def _matcher(
    case: Case,
    config: RegistrationConfig,
    centre_mm: NDArray[np.float64],
    size_mm: float,
    depth_mm: float,
    factor: int,
) -> ViewMatcher:
    """Of the first X-ray, reduced by a factor."""
    view = case.views[0]
    xray, carm = reduced_xray(view.xray, view.carm, factor)
    volume = moving_volume(case.ct, case.anatomy, surroundings_hu=SURROUNDINGS_HU)
    projector = make_projector(
        reduced_volume(volume, VOXELS_PER_PIXEL * depth_mm / float(carm.intrinsics[0, 0])), config.projector,
        config.device,
    )  # fmt: skip
    return ViewMatcher(projector, xray, carm, centre_mm, size_mm, depth_mm)


def _distinct(
    match: ViewMatch, centre_mm: NDArray[np.float64], size_mm: float, most: int, apart_deg: float = APART_DEG
) -> list[int]:
    """The best of the views that are not nearly the same, best first, and not more than so many."""
    rotations = match.camera_from_volume[:, :3, :3]
    centres = rotations @ centre_mm + match.camera_from_volume[:, :3, 3]
    least_trace = 1 + 2 * np.cos(np.deg2rad(apart_deg))
    kept: list[int] = []
    for index in np.argsort(-match.scores):
        traces = np.einsum("nij,ij->n", rotations[kept], rotations[index])
        shifts = np.linalg.norm((centres[kept] - centres[index])[:, :2], axis=1)
        if not ((traces > least_trace) & (shifts < APART_SHARE * size_mm)).any():
            kept.append(int(index))
        if len(kept) == most:
            break
    return kept
