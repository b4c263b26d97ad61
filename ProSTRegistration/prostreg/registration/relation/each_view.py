"""A registration of views that are only roughly known against each other: each by itself, then all together.

One pose that fits all images would fit none where their C-arms stand otherwise than told. So each image is registered
alone, from where another one had the anatomy; what they tell is put together, and where each C-arm stood is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from prostreg.errors import InputError, Stopped
from prostreg.geometry.frames import Matrix, invert_rigid, mean_distance_mm, transform_points
from prostreg.geometry.rotations import vector_from_rotation
from prostreg.registration.carm.known_pose import known_pose
from prostreg.registration.case import Case, RoughRelation
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.everywhere import merit
from prostreg.registration.monitor import LEAST_SECONDS
from prostreg.registration.neighbours.told_apart import doubted
from prostreg.registration.pipeline import judged_at, mtre_mm
from prostreg.registration.relation.fused import fused_pose
from prostreg.registration.result import WORST_FIRST, FoundView, Progress, Result
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm, start_pose

OnProgress = Callable[[Progress], None] | None
Search = Callable[[Case, RegistrationConfig, OnProgress, Callable[[], bool] | None], Result]

LEAST_MOVED_MM = 0.05
"""A pose that the others move by less is not judged anew."""


def register_each_view(
    case: Case,
    config: RegistrationConfig,
    search: Search,
    on_progress: OnProgress = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Result:
    """Finds the pose of a case's CT by several views, and where the C-arms of all but the first stood.

    Args:
        case: with a relation and two views or more.
        config: settings of the registration.
        search: registers a case of one view.
        on_progress, is_cancelled: as for `registering.register`.

    Returns:
        The result of all; ``camera_from_volume`` is where each C-arm was found.
    """
    return _Run(case, config, search, on_progress, is_cancelled).result()


def seen_as_found(case: Case, result: Result) -> Case:
    """The case with the C-arms where its result has them; itself where they were known."""
    if case.relation is None:
        return case
    first, *others = case.views
    volume_from_world = invert_rigid(result.world_from_volume)
    found = [camera_from_volume @ volume_from_world for camera_from_volume in result.camera_from_volume[1:]]
    views = [
        replace(view, carm=replace(view.carm, camera_from_world=camera_from_world))
        for view, camera_from_world in zip(others, found, strict=True)
    ]
    return replace(case, views=(first, *views))


class _Run:
    """One registration under way."""

    def __init__(
        self,
        case: Case,
        config: RegistrationConfig,
        search: Search,
        on_progress: OnProgress,
        is_cancelled: Callable[[], bool] | None,
    ) -> None:
        self._case, self._config, self._search = case, config, search
        self._on_progress, self._is_cancelled = on_progress, is_cancelled
        self._began = time.perf_counter()
        self._centre_mm = anatomy_centre_mm(anatomy_points_mm(case))
        self._found: list[Result] = []

    def result(self) -> Result:
        for number in range(len(self._case.views)):
            self._found.append(self._searched(number, len(self._case.views) - number))
            if self._was_cancelled:
                break
        else:
            self._search_again_from_the_accepted()
        return self._together()

    @property
    def _was_cancelled(self) -> bool:
        return self._found[-1].stopped == "cancelled"

    def _alone(self, number: int) -> Case:
        views = (self._case.views[number],)
        return replace(self._case, views=views, relation=None, initial_world_from_volume=self._start(number))

    def _start(self, number: int) -> Matrix | None:
        """The pose by the most convincing of the others, if it is accepted; else the case's own start."""
        accepted = [found for n, found in enumerate(self._found) if n != number and found.status == "accepted"]
        if not accepted:
            return self._case.initial_world_from_volume
        pose = max(accepted, key=merit).world_from_volume
        try:
            return start_pose(replace(self._case, initial_world_from_volume=pose))
        except InputError:
            return self._case.initial_world_from_volume

    def _searched(self, number: int, shares: int) -> Result:
        """A view's result, in its share of the time that is left."""
        left_s = self._config.time_limit_s - (time.perf_counter() - self._began)
        limit_s = max(left_s / shares, LEAST_SECONDS)
        settings = replace(self._config, time_limit_s=limit_s)
        return self._search(self._alone(number), settings, self._told_by(number), self._is_cancelled)

    def _told_by(self, number: int) -> OnProgress:
        tell, count = self._on_progress, len(self._case.views)
        if tell is None:
            return None
        return lambda progress: tell(
            replace(
                progress,
                fraction=(number + progress.fraction) / count,
                message=f"view {number + 1} of {count}: {progress.message}",
            )
        )

    def _search_again_from_the_accepted(self) -> None:
        """Views that were searched before one was accepted, from where that one has the anatomy."""
        accepted = [number for number, found in enumerate(self._found) if found.status == "accepted"]
        earlier = range(accepted[0]) if accepted else range(0)
        for number in earlier:
            again = self._searched(number, len(earlier) - number)
            self._found[number] = max(self._found[number], again, key=merit)
            if again.stopped == "cancelled":
                return

    def _together(self) -> Result:
        first, contradicting = self._first_with_the_others()
        pose = first.world_from_volume
        reasons = [
            f"view {number + 1}: {found.reasons[0]}"
            for number, found in enumerate(self._found)
            if number and found.status != "accepted" and found.reasons
        ]
        result = replace(
            first,
            name=self._case.name,
            status=min((first, *self._found[1:]), key=lambda found: WORST_FIRST.index(found.status)).status,
            confidence=min(first.confidence, *(found.confidence for found in self._found)),
            camera_from_volume=self._cameras(pose),
            stages=tuple(stage for found in (first, *self._found[1:]) for stage in found.stages),
            seconds=time.perf_counter() - self._began,
            mtre_mm=mtre_mm(self._case, pose),
            config=self._config.to_dict(),
            warnings=self._case.notes,
            reasons=(*reasons, *first.reasons),
            polarities=tuple(used for found in self._found for used in found.polarities),
            stopped="cancelled" if self._was_cancelled else next((f.stopped for f in self._found if f.stopped), None),
            is_settled=all(found.is_settled for found in self._found),
            relation=tuple(self._place(number, pose) for number in range(1, len(self._found))),
        )
        for number in contradicting:
            result = doubted(result, self._contradiction(result.relation[number - 1]))
        return result

    def _first_with_the_others(self) -> tuple[Result, tuple[int, ...]]:
        """The first view's result where the others' agree with it, and the numbers of those that do not."""
        first, relation = self._found[0], self._case.relation or RoughRelation()
        told = {n: found for n, found in enumerate(self._found) if n and found.status == "accepted"}
        if first.status == "failed" or not told:
            return first, ()
        known = {n: known_pose(self._alone(n), found, self._config) for n, found in told.items()}
        fused = fused_pose(known_pose(self._alone(0), first, self._config), known, relation)
        if mean_distance_mm(fused.world_from_volume, first.world_from_volume, self._centre_mm[None]) < LEAST_MOVED_MM:
            return first, fused.contradicting
        depth_mm = min(self._config.spread_depth_mm, fused.depth_deviation_mm)
        settings = replace(self._config, spread_depth_mm=depth_mm)
        try:
            judged = judged_at(
                self._alone(0), first, fused.world_from_volume, settings, self._told_by(0), self._is_cancelled
            )
        except Stopped:
            return first, fused.contradicting
        is_worse = WORST_FIRST.index(judged.status) < WORST_FIRST.index(first.status)
        return (first if is_worse else judged), fused.contradicting

    def _cameras(self, world_from_volume: Matrix) -> tuple[Matrix, ...]:
        """The CT in each camera: by its own image, but for the first; where nothing was searched, as it was told."""
        poses = [world_from_volume, *(found.world_from_volume for found in self._found[1:])]
        poses += [world_from_volume] * (len(self._case.views) - len(poses))
        return tuple(view.carm.camera_from_world @ pose for view, pose in zip(self._case.views, poses, strict=True))

    def _place(self, number: int, world_from_volume: Matrix) -> FoundView:
        """The place of a C-arm against where it was told, in its own frame."""
        camera, found = self._case.views[number].carm.camera_from_world, self._found[number]
        told, seen = camera @ world_from_volume, camera @ found.world_from_volume
        turn = vector_from_rotation(seen[:3, :3] @ told[:3, :3].T)
        shift_mm = transform_points(seen, self._centre_mm) - transform_points(told, self._centre_mm)
        return FoundView(
            number + 1, found.status, float(np.rad2deg(np.linalg.norm(turn))), float(np.linalg.norm(shift_mm))
        )

    def _contradiction(self, place: FoundView) -> str:
        return (
            f"view {place.view}'s C-arm would have to stand {place.rotation_deg:.0f} degrees and"
            f" {place.translation_mm:.0f} mm from where it was said to: at least one of the poses by its own image is"
            " not right, or the relation is not"
        )
