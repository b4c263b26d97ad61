"""Bones that stay together in their joints: which joints are in place by the images, and where they hold the bones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from prostreg.geometry.frames import Matrix
from prostreg.registration.bones.found import FoundBone, FoundJoint
from prostreg.registration.bones.held import HeldBone, KnownBone, Pair, held_in_joints
from prostreg.registration.bones.joints import Joint, joint_between
from prostreg.registration.carm.known_pose import known_pose
from prostreg.registration.case import Case, PlacedBone
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.everywhere import merit
from prostreg.registration.neighbours.told_apart import doubted
from prostreg.registration.result import Result

Judge = Callable[[int, Case, Matrix, RegistrationConfig], Result | None]
"""The verdict on another pose of a bone by its number, in a case; None where the pose it has is to stay."""


@dataclass(frozen=True, eq=False)
class _JointAsFound:
    """A joint, how far apart the images alone have it, and whether that counts as being in place."""

    joint: Joint
    gap_mm: float
    is_in_place: bool


def with_joints_kept(
    cases: Mapping[int, Case], bones: Sequence[FoundBone], config: RegistrationConfig, judge: Judge
) -> tuple[list[FoundBone], tuple[FoundJoint, ...]]:
    """The bones held together in their joints, and the joints.

    A joint that the images show out of place is not closed, and the less convincing of its bones is not accepted. A
    pose that is worse in the image than the one that was found is not taken.

    Args:
        cases: of the bones that have a place as cases of their own, by number.
        bones: all of them.
        config: for the resolutions.
    """
    joints, kept = _joints(cases, bones), list(bones)
    in_place = {pair: found.joint for pair, found in joints.items() if found.is_in_place}
    for number, held in _held(cases, bones, in_place, config).items():
        others = [other for pair in in_place for other in pair if number in pair and other != number]
        kept[number] = _judged(cases, kept, number, held, others, config, judge)
    for number, doubt in _doubts(bones, joints).items():
        kept[number] = replace(kept[number], result=doubted(_result(kept[number]), doubt))
    return kept, tuple(_told(kept, pair, found) for pair, found in joints.items())


def _joints(cases: Mapping[int, Case], bones: Sequence[FoundBone]) -> dict[Pair, _JointAsFound]:
    found = {}
    for pair in combinations(cases, 2):
        joint = joint_between(cases[pair[0]].ct, *(bones[number].bone.anatomy for number in pair))
        if joint is not None:
            gap_mm, most_mm = _gap_mm(bones, pair, joint), joint.most_gap_mm(*_poses(bones, pair))
            found[pair] = _JointAsFound(joint, gap_mm, gap_mm <= most_mm)
    return found


def _held(
    cases: Mapping[int, Case], bones: Sequence[FoundBone], in_place: Mapping[Pair, Joint], config: RegistrationConfig
) -> dict[int, HeldBone]:
    """The places in which joints hold the bones."""
    joined = sorted({number for pair in in_place for number in pair})
    known = {n: _known(_among(cases, bones, n), _result(bones[n]), config) for n in joined}
    return held_in_joints(cases[joined[0]].ct, known, in_place) if joined else {}


def _judged(
    cases: Mapping[int, Case],
    bones: Sequence[FoundBone],
    number: int,
    held: HeldBone,
    others: Sequence[int],
    config: RegistrationConfig,
    judge: Judge,
) -> FoundBone:
    """The bone where its joints hold it, or where it was found if its image does not bear that."""
    bone = bones[number]
    names = " and ".join(bones[other].bone.name for other in others)
    if held.is_depth_told:
        config = replace(config, spread_depth_mm=min(config.spread_depth_mm, held.depth_deviation_mm))
    judged = judge(number, _among(cases, bones, number), held.world_from_volume, config)
    if judged is None:
        reason = f"it stays where the image has it, which its joint with {names} would have changed for the worse"
        result = _result(bone)
        return replace(bone, result=replace(result, reasons=(*result.reasons, reason)))
    reason = f"its joint with {names} tells its place as well: it counts as kept together but for a little play"
    judged = replace(judged, reasons=(*judged.reasons, reason))
    if held.is_depth_told:
        judged = _known_as_well_as(judged, [_result(bones[other]) for other in others])
    return replace(bone, result=judged, free=bone.result)


def _known_as_well_as(result: Result, others: Sequence[Result]) -> Result:
    """The result of a bone whose depth joints tell: it is known no better than that of the best of the others."""
    known_mm = [other.expected_error.along_mm for other in others if other.expected_error is not None]
    if result.expected_error is None or not known_mm:
        return result
    along_mm = max(result.expected_error.along_mm, min(known_mm))
    return replace(result, expected_error=replace(result.expected_error, along_mm=along_mm))


def _doubts(bones: Sequence[FoundBone], joints: Mapping[Pair, _JointAsFound]) -> dict[int, str]:
    """The objections to bones whose joints are out of place: of each two to the less convincing, the largest gap's."""
    doubts = {}
    for pair, found in sorted(joints.items(), key=lambda item: item[1].gap_mm):
        if not found.is_in_place:
            number, other = sorted(pair, key=lambda number: merit(_result(bones[number])))
            doubts[number] = (
                f"its joint with {bones[other].bone.name} lies {found.gap_mm:.0f} mm apart by the images and was not"
                " closed: unless it is out of place, at least one of the two poses is not right"
            )
    return doubts


def _told(bones: Sequence[FoundBone], pair: Pair, found: _JointAsFound) -> FoundJoint:
    against, bone = (bones[number].bone.name for number in pair)
    left_mm = _gap_mm(bones, pair, found.joint)
    return FoundJoint(bone, against, found.joint.is_ball, found.gap_mm, left_mm, found.is_in_place)


def _gap_mm(bones: Sequence[FoundBone], pair: Pair, joint: Joint) -> float:
    return float(np.linalg.norm(joint.gap_mm(*_poses(bones, pair))))


def _poses(bones: Sequence[FoundBone], pair: Pair) -> list[Matrix]:
    return [_result(bones[number]).world_from_volume for number in pair]


def _among(cases: Mapping[int, Case], bones: Sequence[FoundBone], number: int) -> Case:
    """The case of a bone with all others in its DRRs, where they are."""
    others = tuple(
        PlacedBone(bones[other].bone.anatomy, _result(bones[other]).world_from_volume)
        for other in cases
        if other != number
    )
    return replace(cases[number], others=others)


def _known(case: Case, result: Result, config: RegistrationConfig) -> KnownBone:
    return KnownBone(case.anatomy, known_pose(case, result, config), result.status == "accepted")


def _result(bone: FoundBone) -> Result:
    if bone.result is None:
        raise AssertionError("a bone that has a place has a result")
    return bone.result
