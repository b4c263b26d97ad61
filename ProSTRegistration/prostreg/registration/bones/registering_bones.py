"""Several bones of one case: registered in turn, each with those found before it in its DRRs, then refined together."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np

from prostreg.errors import FaultList, InputError, Stopped
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix
from prostreg.registration.bones.contact import nearness
from prostreg.registration.bones.found import BonesResult, FoundBone, FoundJoint, Together
from prostreg.registration.bones.keeping_joints import with_joints_kept
from prostreg.registration.bones.motion import RelativeMotion, relative_motion, volume_motion
from prostreg.registration.bones.one_polarity import (
    deciding_bone,
    doubted_by_polarity,
    found_reading,
    with_polarity_of,
)
from prostreg.registration.bones.together import refined_together
from prostreg.registration.case import Bone, Case, PlacedBone
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.everywhere import merit
from prostreg.registration.monitor import LEAST_SECONDS, Monitor
from prostreg.registration.neighbours.told_apart import judged_told_apart
from prostreg.registration.pose_search import LEAST_KEPT
from prostreg.registration.readings import case_read_as, without_metal
from prostreg.registration.registering import register
from prostreg.registration.result import WORST_FIRST, Progress, Result
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm, start_pose
from prostreg.search.candidate import Candidate

STAGE = "together"
ALL_BONES = "all bones"
LEAST_MOVED_MM = 0.01
"""A bone that the refinement moves by less needs no new verdict."""


def register_bones(
    case: Case,
    config: RegistrationConfig | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> BonesResult:
    """Finds the pose of each bone of a case in its X-rays.

    The largest bone comes first, each of the others starts where the bones found before put it if nothing had moved.
    Those lie in its DRRs, and an accepted one decides the polarity of the X-rays. A bone that was not found, or is
    uncertain where more searching may help, is searched once more when more of the others have a place. At last all are
    refined together; that is kept where it raises the score of all and no verdict falls. A bone that was found
    with another polarity than the most convincing one nevertheless is not accepted.

    Where the case keeps joints, bones that are neighbours in the CT are held together in their joints, by as much as
    the images leave open; a joint that the images show out of place is not closed, and one of its bones not accepted.

    Args:
        case: with bones.
        config: settings; the time limit counts for each bone, and for the refinement.
        on_progress, is_cancelled: as for `register`.

    Returns:
        What was found of each bone, also of those that were found before the run was stopped.

    Raises:
        InputError, WeightsError, DeviceError: as `register`; or the case has no bones.
    """
    if not case.bones:
        raise InputError("The case has no bones that move against each other: register it as one.")
    return _BonesRun(case, config or RegistrationConfig(), on_progress, is_cancelled).result()


def bone_case(
    case: Case, bone: Bone, initial_world_from_volume: Matrix | None = None, others: tuple[PlacedBone, ...] = ()
) -> Case:
    """One bone as a case of its own, with a start and the other bones that lie in its DRRs."""
    return replace(
        case,
        name=f"{case.name} - {bone.name}",
        anatomy=bone.anatomy,
        initial_world_from_volume=initial_world_from_volume,
        truth_world_from_volume=case.truth_world_from_volume
        if bone.truth_world_from_volume is None
        else bone.truth_world_from_volume,
        landmarks_mm=case.landmarks_mm if bone.landmarks_mm is None else bone.landmarks_mm,
        bones=(),
        others=others,
    )


def refuse_starts_behind_source(case: Case) -> None:
    """Refuses starts of single bones that put a part of them behind a source.

    Raises:
        InputError: names the bones.
    """
    faults = FaultList()
    for bone in case.bones:
        initial = bone.initial_world_from_volume
        if initial is not None:
            faults.collect(partial(start_pose, bone_case(case, bone, initial)), f'"{bone.name}": ')
    faults.raise_if_any()


class _BonesRun:
    """One registration of several bones under way."""

    def __init__(
        self,
        case: Case,
        config: RegistrationConfig,
        on_progress: Callable[[Progress], None] | None,
        is_cancelled: Callable[[], bool] | None,
    ) -> None:
        self._case, self._config = case, config
        self._on_progress, self._is_cancelled = on_progress, is_cancelled
        self._on_cpu = replace(config, device="cpu")
        self._began = time.perf_counter()
        self._found: list[FoundBone] = [FoundBone(bone, None) for bone in case.bones]
        self._others_then: dict[int, frozenset[int]] = {}
        self._deciders: dict[int, FoundBone] = {}
        self._steps_done, self._fraction = 0, 0.0
        self._centres_mm = [anatomy_centre_mm(anatomy_points_mm(bone_case(case, bone))) for bone in case.bones]

    def result(self) -> BonesResult:
        together, joints = None, tuple[FoundJoint, ...]()
        self._find_in_turn()
        if not self._was_cancelled and len(self._placed()) > 1:
            together = self._refine()
            joints = self._keep_joints() if self._case.keeps_joints else ()
        self._found, doubts = doubted_by_polarity(self._case, self._found)
        motions, warnings = self._told_of_pairs()
        warnings = (*doubts, *warnings)
        stops = [found.result.stopped for found in self._found if found.result is not None and found.result.stopped]
        stopped = "cancelled" if self._was_cancelled or "cancelled" in stops else next(iter(stops), None)
        return BonesResult(
            self._case.name, tuple(self._found), motions, together, warnings, self._elapsed, stopped, joints
        )

    def _find_in_turn(self) -> None:
        """Each bone once, the largest first; then again those that may be found now that more others are."""
        largest_first = sorted(range(len(self._found)), key=lambda n: -np.count_nonzero(self._found[n].bone.anatomy))
        for number in largest_first:
            if not self._was_cancelled:
                self._search(number)
        for number in largest_first:
            if not self._was_cancelled and self._is_worth_another_search(number):
                self._search(number)

    def _is_worth_another_search(self, number: int) -> bool:
        result = self._found[number].result
        is_open = result is not None and result.status != "accepted" and not result.is_settled
        has_more_others = self._placed() - {number} > self._others_then[number]
        return is_open and (has_more_others or self._is_read_otherwise(number))

    def _is_read_otherwise(self, number: int) -> bool:
        """True if a bone was found with another polarity than an accepted one."""
        decider, found = deciding_bone(self._case, self._found), self._found[number]
        return decider is not None and found_reading(self._case, found) != found_reading(self._case, decider)

    def _search(self, number: int) -> None:
        """Registers a bone with the others that have a place; keeps the better of two results."""
        bone, others = self._found[number].bone, self._placed() - {number}
        self._others_then[number] = frozenset(others)
        start = self._start(number, others)
        case = bone_case(self._case, bone, start, self._placed_bones(others))
        decider = deciding_bone(self._case, self._found)
        if decider is not None:
            case = case_read_as(case, found_reading(self._case, decider))
        result = register(case, self._config, partial(self._tell, bone.name), self._is_cancelled)
        self._steps_done += 1
        earlier = self._found[number].result
        is_better = earlier is None or merit(result) > merit(earlier)
        if is_better or (self._is_read_otherwise(number) and result.status != "failed"):
            self._found[number] = FoundBone(bone, result, start)
            if decider is not None:
                self._deciders[number] = decider
                self._found[number] = FoundBone(bone, with_polarity_of(result, decider), start)

    def _start(self, number: int, others: set[int]) -> Matrix | None:
        """The bone's own start, or the pose of the nearest bone that has one, or that of the case."""
        bone = self._found[number].bone
        if bone.initial_world_from_volume is not None:
            return bone.initial_world_from_volume
        if not others:
            return self._case.initial_world_from_volume
        nearest = min(
            others, key=lambda other: float(np.linalg.norm(self._centres_mm[other] - self._centres_mm[number]))
        )
        pose = self._result(nearest).world_from_volume
        try:
            return start_pose(bone_case(self._case, bone, pose))
        except InputError:
            return self._case.initial_world_from_volume

    def _refine(self) -> Together | None:
        """Refines all bones that have a place together, and keeps what is better; None if there was no time."""
        numbers = sorted(self._placed())
        found = [(without_metal(bone_case(self._case, self._found[n].bone)), self._result(n)) for n in numbers]
        try:
            refined = refined_together(found, self._on_cpu, self._check)
        except Stopped:
            return None
        if refined.together.score_after <= refined.together.score_before:
            return refined.together
        placed = [PlacedBone(case.anatomy, pose) for (case, _), pose in zip(found, refined.poses, strict=True)]
        for number, (case, _), place, moved in zip(numbers, found, placed, refined.moved_mm, strict=True):
            if moved <= LEAST_MOVED_MM:
                continue
            others = tuple(other for other in placed if other is not place)
            judged = self._judged_if_better(number, replace(case, others=others), place.world_from_volume, self._on_cpu)
            if judged is not None:
                before = self._result(number)
                self._found[number] = replace(self._found[number], result=judged, before=before, moved_mm=moved)
        return refined.together

    def _keep_joints(self) -> tuple[FoundJoint, ...]:
        """Holds the bones that have a place together in their joints."""
        cases = {n: without_metal(bone_case(self._case, self._found[n].bone)) for n in sorted(self._placed())}
        self._found, joints = with_joints_kept(cases, self._found, self._on_cpu, self._judged_if_better)
        return joints

    def _judged_if_better(self, number: int, case: Case, pose: Matrix, config: RegistrationConfig) -> Result | None:
        """The verdict on another pose of a bone; None if it is worse, or the image confirms clearly less of it.

        None too where the run, or what was found of the bone, was stopped.
        """
        if self._was_cancelled or self._result(number).stopped is not None:
            return None
        result = self._result(number)
        tell = partial(self._tell, self._found[number].bone.name)
        try:
            judged = judged_told_apart(case, result, pose, config, tell, self._is_cancelled)
        except Stopped:
            return None
        is_worse = WORST_FIRST.index(judged.status) < WORST_FIRST.index(result.status)
        if is_worse or judged.evidence["confirmed"] <= LEAST_KEPT * result.evidence["confirmed"]:
            return None
        judged = replace(judged, config=result.config)
        return with_polarity_of(judged, self._deciders[number]) if number in self._deciders else judged

    def _told_of_pairs(self) -> tuple[tuple[RelativeMotion, ...], tuple[str, ...]]:
        """The motion between each two bones that have a place, and warnings of joints that it takes apart."""
        motions, warnings = [], []
        for first, second in combinations(sorted(self._placed()), 2):
            against, bone = self._found[first].bone, self._found[second].bone
            motion = volume_motion(self._result(second).world_from_volume, self._result(first).world_from_volume)
            motions.append(relative_motion(bone.name, against.name, motion, self._centres_mm[second]))
            warning = nearness(self._case.ct, bone.anatomy, against.anatomy, motion).warning(bone.name, against.name)
            warnings += [] if warning is None else [warning]
        return tuple(motions), tuple(warnings)

    def _placed(self) -> set[int]:
        return {number for number, found in enumerate(self._found) if found.is_placed}

    def _placed_bones(self, numbers: set[int]) -> tuple[PlacedBone, ...]:
        return tuple(
            PlacedBone(self._found[number].bone.anatomy, self._result(number).world_from_volume)
            for number in sorted(numbers)
        )

    def _result(self, number: int) -> Result:
        result = self._found[number].result
        if result is None:
            raise AssertionError("a bone that has a place has a result")
        return result

    def _check(self, chart: PoseChart) -> Callable[[Candidate], None]:
        limit_s = max(self._config.time_limit_s, LEAST_SECONDS)
        monitor = Monitor(chart, None, limit_s, partial(self._tell, ""), self._is_cancelled)
        return lambda candidate: monitor.check(STAGE, 0.0, candidate)

    def _tell(self, name: str, progress: Progress) -> None:
        """Passes progress of a bone, "" for all, on as a share of the whole run, which never falls."""
        if self._on_progress is None:
            return
        steps = len(self._found) + 1
        share = (min(self._steps_done, len(self._found)) + progress.fraction) / steps
        self._fraction = min(max(self._fraction, share), 1.0)
        message = f"{name or ALL_BONES}: {progress.message}"
        self._on_progress(replace(progress, fraction=self._fraction, message=message, bone=name))

    @property
    def _was_cancelled(self) -> bool:
        return self._is_cancelled is not None and self._is_cancelled()

    @property
    def _elapsed(self) -> float:
        return time.perf_counter() - self._began
