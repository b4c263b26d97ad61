"""Rivals of a pose: poses that put a bone that looks alike where the anatomy was found.

One vertebra fits its neighbour nearly as well as itself. What tells them apart are the bones around: the row of
vertebrae ends, and carries ribs. So all bone of the CT near the anatomy is compared with the image as one body, at the
pose found and at its rivals, each refined first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.geometry.rotations import vector_from_rotation
from prostreg.images.directions import offset_in_words
from prostreg.images.look_alikes import APART_MM, LookAlike
from prostreg.registration.acceptance import RIVALLED
from prostreg.registration.carm.carm_check import LARGEST_ERROR_MM
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.levels import Levels
from prostreg.registration.neighbours.bones_around import with_bones_around
from prostreg.registration.result import ComparedPlace
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm, shows_start
from prostreg.search.candidate import Candidate
from prostreg.search.cmaes import cmaes_search
from prostreg.search.polish import polish

SPREAD = np.array([np.deg2rad(8.0)] * 3 + [10.0, 10.0, 25.0])
"""Errors of a rival's start, rad and mm: neighbours are tilted against each other, and their places are rough."""
POPULATION, GENERATIONS = 24, 15
POLISH_STEPS = 20

MOST_RIVALS = 6

MOST_TILTED_DEG = 25.0
"""Neighbours are tilted by less against each other: what is turned by more is the same bone otherwise."""

NEARLY = 0.8
"""Share of the better place's score from which two are not told apart. Wrong levels reached at most 0.61 of it."""


@dataclass(frozen=True, eq=False)
class Rival:
    """A place of the anatomy, refined with the bones around it.

    Attributes:
        world_from_volume: rigid (4, 4).
        offset_mm: (3,), RAS: of the anatomy's centre from the pose that was found.
        along_mm: what of it lies along the first view's beam, away from the source; there a place is known badly.
        across_mm: (3,), RAS: what of it lies across that.
        turned_deg: angle by which it is turned against the pose that was found.
        confirmed: share of the structure of the bones around that the image confirms.
    """

    world_from_volume: Matrix
    offset_mm: NDArray[np.float64]
    along_mm: float
    across_mm: NDArray[np.float64]
    turned_deg: float
    confirmed: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """The pose found, ``here``, and its rivals elsewhere, best first."""

    here: Rival
    elsewhere: tuple[Rival, ...]

    @property
    def better(self) -> Rival | None:
        """The best rival, where it fits better than what was found: clearly so, if it lies along the beam only."""
        return next(
            (
                rival
                for rival in self.elsewhere
                if rival.confirmed > self.here.confirmed / (1.0 if self._is_beside(rival) else NEARLY)
            ),
            None,
        )

    def doubt(self) -> str | None:
        """The objection to the pose found, in words; None if the bones around tell that it is the right place."""
        rival = next(filter(self._is_beside, self.elsewhere), None)
        if rival is None or rival.confirmed < NEARLY * self.here.confirmed:
            return None
        if rival.turned_deg > MOST_TILTED_DEG:
            return RIVALLED
        fits = "better" if rival.confirmed > self.here.confirmed / NEARLY else "as well"
        return (
            f"may be one level off: a place {offset_in_words(rival.across_mm)} of this one looks alike, and the bones"
            f" around fit the image {fits} there"
        )

    def depth_doubt(self, confirmed: float) -> str | None:
        """The objection to the pose's depth, in words; None if the bones around confirm it, or tell nothing.

        One bone alone tells its distance badly, and may be sure of a wrong one: a vertebra's has been 12 mm off where
        5 were expected, while with its neighbours it was 0.1 mm off.

        Args:
            confirmed: as for `is_as_in_ct`.
        """
        along_mm = self.here.along_mm
        if abs(along_mm) <= LARGEST_ERROR_MM or not self.is_as_in_ct(confirmed):
            return None
        side = "farther from" if along_mm > 0 else "nearer to"
        return f"its depth is not sure: with the bones around it fits best {abs(along_mm):.0f} mm {side} the source"

    def is_as_in_ct(self, confirmed: float) -> bool:
        """True if the bones around fit about as well as the anatomy does: else they have moved against it.

        Args:
            confirmed: share of the anatomy's structure that the image confirms.
        """
        return self.here.confirmed >= NEARLY * confirmed

    def _is_beside(self, rival: Rival) -> bool:
        """True if a rival is another bone in the image, and not the same at another depth."""
        return float(np.linalg.norm(rival.across_mm - self.here.across_mm)) > APART_MM / 2

    def places(self) -> tuple[ComparedPlace, ...]:
        """All of them as the result tells them, what was found first."""
        return tuple(
            ComparedPlace((float(x), float(y), float(z)), place.confirmed)
            for place in (self.here, *self.elsewhere)
            for x, y, z in (place.offset_mm,)
        )


class RivalSearch:
    """Compares a pose with those that would mistake a look-alike for the anatomy, or the anatomy for it.

    Args:
        case: its X-rays read as they were for the pose.
        look_alikes: places in the CT that look like the anatomy.
        config: for the resolutions and the seed.
        make_check: gives what is told of each candidate, in a chart; it may raise to end the search.
    """

    def __init__(
        self,
        case: Case,
        look_alikes: Sequence[LookAlike],
        config: RegistrationConfig,
        make_check: Callable[[PoseChart], Callable[[Candidate], None]],
    ) -> None:
        self._case, self._config, self._make_check = case, config, make_check
        self._offsets_mm = _both_ways(look_alikes)
        self._centre_mm = anatomy_centre_mm(anatomy_points_mm(case))
        self._bones = with_bones_around(case)
        self._points_mm = anatomy_points_mm(self._bones)
        self.evaluations = 0

    def compared(self, world_from_volume: Matrix) -> Comparison:
        """The pose (4, 4), refined, and its rivals."""
        here = self._refined(world_from_volume, world_from_volume, is_searched=False)
        starts = [moved(world_from_volume, offset_mm) for offset_mm in self._offsets_mm]
        found = [
            self._refined(start, world_from_volume, is_searched=True)
            for start in starts
            if shows_start(self._case, start)
        ]
        elsewhere = [rival for rival in found if np.linalg.norm(rival.offset_mm - here.offset_mm) > APART_MM / 2]
        return Comparison(here, tuple(sorted(elsewhere, key=lambda rival: -rival.confirmed)))

    def _refined(self, start: Matrix, found: Matrix, is_searched: bool) -> Rival:
        """The best place of the bones around near a start."""
        chart = PoseChart(start, self._case.views[0].carm.camera_from_world, self._centre_mm)
        check = self._make_check(chart)
        levels = Levels(self._bones, start, self._points_mm, self._centre_mm, float(SPREAD[3]), self._config)
        parameters = np.zeros(6)
        if is_searched:
            (best,) = cmaes_search(
                levels.coarse, [chart], np.zeros((1, 6)), SPREAD, POPULATION, GENERATIONS,
                np.random.default_rng(self._config.seed), lambda _, candidate: check(candidate),
            )  # fmt: skip
            parameters = best.parameters
            self.evaluations += levels.coarse.evaluations
        refined = polish(levels.middle, chart, parameters, POLISH_STEPS, check)
        self.evaluations += levels.middle.evaluations
        pose = np.asarray(chart.world_from_volume_at(refined.parameters)[0])
        offset_mm = transform_points(invert_rigid(found) @ pose, self._centre_mm) - self._centre_mm
        beam = (chart.camera_from_world @ found)[2, :3]
        along_mm = float(offset_mm @ beam)
        turn = vector_from_rotation(pose[:3, :3] @ found[:3, :3].T)
        confirmed = levels.middle.footprint_score(pose).score
        turned_deg = float(np.rad2deg(np.linalg.norm(turn)))
        return Rival(pose, offset_mm, along_mm, offset_mm - along_mm * beam, turned_deg, confirmed)


def moved(world_from_volume: Matrix, offset_mm: NDArray[np.float64]) -> Matrix:
    """The pose that puts the anatomy where the given one puts what lies an offset (3,), RAS, from it."""
    shift = np.eye(4)
    shift[:3, 3] = offset_mm
    return np.asarray(world_from_volume @ shift)


def _both_ways(look_alikes: Sequence[LookAlike]) -> list[NDArray[np.float64]]:
    """Offsets to each look-alike and back: the anatomy may lie on its image, or it on the anatomy's."""
    found: list[NDArray[np.float64]] = []
    for place in look_alikes:
        for offset_mm in (place.offset_mm, -place.offset_mm):
            if all(np.linalg.norm(offset_mm - other) > APART_MM for other in found):
                found.append(offset_mm)
    return found[:MOST_RIVALS]
