"""Starts for a search without one: thousands of views, judged cheaply; the best of them climb a little and compete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.geometry.rotations import rotation_from_vector
from prostreg.geometry.standard_views import standard_view
from prostreg.images.attenuation import moving_volume
from prostreg.images.pyramid import reduced_volume, reduced_xray
from prostreg.projector.selection import make_projector
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.levels import SURROUNDINGS_HU, Levels
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.search.cmaes import cmaes_search
from prostreg.search.objective import Objective
from prostreg.search.view_match import ViewMatch, match_views

VIEW_SHARES = {"AP": 0.4, "PA": 0.2, "left lateral": 0.2, "right lateral": 0.2}
"""How often C-arms look about so."""

TURN_DEG = 35.0
DEPTH_SPREAD_MM = 40.0
"""Standard deviations about each axis, in the picture too, and along the beam."""

VIEWS = 3000
MATCH_PIXELS = 32
"""Over the anatomy's diameter."""

VIEWS_AROUND, PIXELS_AROUND = 2000, 40
"""Turns that are drawn around a start, and pixels over the anatomy's diameter, or over the image if that is less."""

LEAST_DEPTH = 0.5
"""Of the usual depth: nothing lies nearer to the source."""

VOXELS_PER_PIXEL = 1.5

CLIMBERS = 48
FINALISTS = 6
APART_DEG = 15.0
APART_SHARE = 0.1
"""Views that are turned less against each other, and shifted by less of the anatomy's size, are one."""

APART_MM = 20.0
"""Finalists whose anatomies lie nearer to each other are one."""

CLIMB_SPREAD = np.array([np.deg2rad(8.0)] * 3 + [8.0, 8.0, 30.0])
"""Errors of a view that fits, rad and mm."""
FIRST_CLIMB = (12, 8)
SECOND_CLIMB = (24, 25)
"""Population and generations."""


def screened_starts(
    case: Case,
    config: RegistrationConfig,
    place_mm: NDArray[np.float64],
    rng: np.random.Generator,
    on_step: Callable[[], None],
) -> list[Matrix]:
    """The most promising poses world_from_volume, best first.

    Args:
        place_mm: where in the world (3,) the anatomy is looked for; only the depth of the first view is taken from it.
        rng: source of every random number.
        on_step: called between steps; may raise to end the screening.
    """
    points_mm = anatomy_points_mm(case)
    centre_mm = anatomy_centre_mm(points_mm)
    size_mm = _size_mm(points_mm, centre_mm)
    camera_from_world = case.views[0].carm.camera_from_world
    depth_mm = float(transform_points(camera_from_world, place_mm)[2])
    rotations, depths_mm = _any_views(centre_mm, depth_mm, rng)
    size_px = size_mm / depth_mm * float(case.views[0].carm.intrinsics[0, 0])
    factor = round(size_px / MATCH_PIXELS)
    match = _matched(case, config, centre_mm, size_mm, depth_mm, factor, rotations, depths_mm, on_step)
    poses = invert_rigid(camera_from_world) @ match.camera_from_volume[_distinct(match, centre_mm, size_mm)]
    if len(case.views) > 1:
        poses[:, :3, 3] = place_mm - poses[:, :3, :3] @ centre_mm
    levels = Levels(case, poses[0], points_mm, centre_mm, size_mm, config)

    finalists = _climbed(levels.coarse, poses, camera_from_world, centre_mm, rng, on_step)
    return _at_different_places(finalists, points_mm)


def screened_around(
    case: Case,
    config: RegistrationConfig,
    coarse: Objective,
    chart: PoseChart,
    spread: NDArray[np.float64],
    rng: np.random.Generator,
    on_step: Callable[[], None],
) -> list[Matrix]:
    """The most promising poses world_from_volume about a start, best first; they may be anywhere in the first image.

    Args:
        case: with what is matched as its anatomy.
        coarse: objective of the same.
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
    depths_mm = np.maximum(depth_mm + rng.normal(0, spread[5], VIEWS_AROUND), LEAST_DEPTH * depth_mm)
    carm = case.views[0].carm
    size_px = min(size_mm / depth_mm * float(carm.intrinsics[0, 0]), max(carm.size))
    factor = round(size_px / PIXELS_AROUND)
    match = _matched(case, config, centre_mm, size_mm, depth_mm, factor, turns @ start[:3, :3], depths_mm, on_step)
    poses = invert_rigid(camera_from_world) @ match.camera_from_volume[_distinct(match, centre_mm, size_mm)]
    return _at_different_places(_climbed(coarse, poses, camera_from_world, chart.centre_mm, rng, on_step), points_mm)


def _size_mm(points_mm: NDArray[np.float64], centre_mm: NDArray[np.float64]) -> float:
    return 2 * float(np.percentile(np.linalg.norm(points_mm - centre_mm, axis=1), 98))


def _climbed(
    coarse: Objective,
    poses: NDArray[np.float64],
    camera_from_world: Matrix,
    centre_mm: NDArray[np.float64],
    rng: np.random.Generator,
    on_step: Callable[[], None],
) -> list[Matrix]:
    """The finalists among the ends of short CMA-ES runs from poses (n, 4, 4), best first."""

    def highest(starts: Iterable[Matrix], population: int, generations: int) -> list[Matrix]:
        ends = []
        for start in starts:
            chart = PoseChart(start, camera_from_world, centre_mm)
            (end,) = cmaes_search(
                coarse, chart, np.zeros((1, 6)), CLIMB_SPREAD, population, generations, rng,
                lambda _, best: on_step(),
            )  # fmt: skip
            ends.append((end.score, chart.world_from_volume_at(end.parameters)[0]))
        return [pose for _, pose in sorted(ends, key=lambda scored: -scored[0])[:FINALISTS]]

    return highest(highest(poses, *FIRST_CLIMB), *SECOND_CLIMB)


def _at_different_places(poses: Sequence[Matrix], points_mm: NDArray[np.float64]) -> list[Matrix]:
    """The poses without those that nearly repeat a better one."""
    kept: list[Matrix] = []
    for pose in poses:
        places = transform_points(pose, points_mm)
        distances = [np.linalg.norm(places - transform_points(other, points_mm), axis=1).mean() for other in kept]
        if all(distance > APART_MM for distance in distances):
            kept.append(pose)
    return kept


def _any_views(
    centre_mm: NDArray[np.float64], depth_mm: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotations (n, 3, 3) drawn around the standard views, and depths (n,) of the centre."""
    names = rng.choice(list(VIEW_SHARES), VIEWS, p=list(VIEW_SHARES.values()))
    standard = np.array([standard_view(name, centre_mm, depth_mm)[:3, :3] for name in names])
    turns = rotation_from_vector(rng.normal(0, np.deg2rad(TURN_DEG), (VIEWS, 3)))
    depths_mm = np.maximum(depth_mm + rng.normal(0, DEPTH_SPREAD_MM, VIEWS), LEAST_DEPTH * depth_mm)
    return turns @ standard, depths_mm


def _matched(
    case: Case,
    config: RegistrationConfig,
    centre_mm: NDArray[np.float64],
    size_mm: float,
    depth_mm: float,
    factor: int,
    rotations: NDArray[np.float64],
    depths_mm: NDArray[np.float64],
    on_step: Callable[[], None],
) -> ViewMatch:
    """Views, each where it fits the first X-ray, reduced by a factor, best."""
    view = case.views[0]
    xray, carm = reduced_xray(view.xray, view.carm, max(1, factor))
    volume = moving_volume(case.ct, case.anatomy, surroundings_hu=SURROUNDINGS_HU)
    projector = make_projector(
        reduced_volume(volume, VOXELS_PER_PIXEL * depth_mm / float(carm.intrinsics[0, 0])), config.projector,
        config.device,
    )  # fmt: skip
    return match_views(projector, xray, carm, centre_mm, size_mm, rotations, depths_mm, on_step)


def _distinct(match: ViewMatch, centre_mm: NDArray[np.float64], size_mm: float) -> list[int]:
    """The best of the views that are not nearly the same, best first."""
    rotations = match.camera_from_volume[:, :3, :3]
    centres = rotations @ centre_mm + match.camera_from_volume[:, :3, 3]
    least_trace = 1 + 2 * np.cos(np.deg2rad(APART_DEG))
    kept: list[int] = []
    for index in np.argsort(-match.scores):
        traces = np.einsum("nij,ij->n", rotations[kept], rotations[index])
        shifts = np.linalg.norm((centres[kept] - centres[index])[:, :2], axis=1)
        if not ((traces > least_trace) & (shifts < APART_SHARE * size_mm)).any():
            kept.append(int(index))
        if len(kept) == CLIMBERS:
            break
    return kept
