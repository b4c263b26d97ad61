"""The poses of bones that stay together in their joints: what the images say and what a joint allows, put together.

One view tells a bone's distance from the source badly. A joint lets its bones turn, and hardly shift, against each
other: that the point about which they turn is where both have it is a measurement whose error is the joint's play. It
is added to the images' by how well each is known, as is that bones do not lie in each other (R. E. Kalman, "A new
approach to linear filtering and prediction problems", 1960).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.frames import Matrix, transform_points
from prostreg.images.volume import Volume
from prostreg.registration.bones.contact import Press, press
from prostreg.registration.bones.joints import Joint
from prostreg.registration.bones.motion import volume_motion
from prostreg.registration.carm.known_pose import KnownPose

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Pair = tuple[int, int]

PRESSED_MM = 2.0
"""Labels and voxels alone let bones lie so deep in each other."""

PRESS_DEVIATION_MM = 1.0
"""Standard deviation of how deep bones lie in each other beyond that: none does."""

MOST_ROUNDS = 3
MOST_SPREAD_MM = 1e3
"""A depth that a joint tells no better is not told by it."""


@dataclass(frozen=True, eq=False)
class KnownBone:
    """A bone with what its image tells of its pose.

    Attributes:
        known: the pose, and how well its image tells it.
        is_accepted: only accepted bones tell others where they are.
    """

    anatomy: Mask
    known: KnownPose
    is_accepted: bool

    @property
    def pose(self) -> Matrix:
        return self.known.chart.world_from_volume

    def place_jacobian(self, place_mm: Array) -> Array:
        """(3, 6): motion in the world of a point (3,) of the volume frame with the chart's parameters."""
        return self.known.jacobian(lambda poses: poses[:, :3, :3] @ place_mm + poses[:, :3, 3])


@dataclass(frozen=True, eq=False)
class HeldBone:
    """A bone's pose by its image and its joints.

    Attributes:
        depth_deviation_mm: standard deviation with which the joints alone tell the depth of its centre.
        is_depth_told: True where that is better than its image does.
    """

    world_from_volume: Matrix
    depth_deviation_mm: float
    is_depth_told: bool


@dataclass(frozen=True, eq=False)
class _Measurement:
    """A linear measurement of the parameters of all bones: ``off + jacobian @ parameters`` is 0 but for its noise."""

    off: Array
    jacobian: Array
    noise: Array


def held_in_joints(ct: Volume, bones: Mapping[int, KnownBone], joints: Mapping[Pair, Joint]) -> dict[int, HeldBone]:
    """The bones that joints hold, at the poses that the images and the joints make likeliest.

    A bone that is not accepted moves none that is. Two that are not accepted say nothing of each other.

    Args:
        ct: the grid of the bones' anatomies.
        bones: by number.
        joints: that are in place, by the numbers of their bones.
    """
    telling = {pair: joint for pair, joint in joints.items() if any(bones[number].is_accepted for number in pair)}
    among_accepted = {p: joint for p, joint in telling.items() if all(bones[number].is_accepted for number in p)}
    of_accepted, of_others = (_Estimate(ct, bones, some) for some in (among_accepted, telling))
    held = {}
    for number, bone in bones.items():
        estimate, used = (of_accepted, among_accepted) if bone.is_accepted else (of_others, telling)
        if any(number in pair for pair in used):
            told_mm, of_image_mm = estimate.depth_deviation_mm(number), float(bone.known.compared[5, 5]) ** 0.5
            held[number] = HeldBone(estimate.pose(number), told_mm, told_mm < of_image_mm)
    return held


class _Estimate:
    """The parameters of all bones at once."""

    def __init__(self, ct: Volume, bones: Mapping[int, KnownBone], joints: Mapping[Pair, Joint]) -> None:
        self._bones = bones
        self._first = {number: 6 * place for place, number in enumerate(bones)}
        self._of_joints = [self._of_joint(pair, joint) for pair, joint in joints.items()]
        self._parameters = np.zeros(6 * len(bones))
        self._measurements = self._of_joints
        for _ in range(MOST_ROUNDS if joints else 0):
            self._parameters = self._solved()
            pressed = [(pair, found) for pair in joints if (found := self._press(ct, pair)) is not None]
            if not pressed:
                break
            self._measurements = [*self._measurements, *(self._of_press(pair, found) for pair, found in pressed)]
        else:
            self._parameters = self._solved()

    def pose(self, number: int) -> Matrix:
        values = self._parameters[self._slice(number)]
        return np.asarray(self._bones[number].known.chart.world_from_volume_at(values)[0])

    def depth_deviation_mm(self, number: int) -> float:
        """The deviation of a measurement of its depth that would make it as well known as its joints do.

        They tell it no better than the others' places are known, for which what is not known of the C-arm counts.
        """
        covariance = self._covariance(without_carm=number)
        depth = self._first[number] + 5
        jacobian, noise = self._stacked(self._of_joints)
        gain = covariance @ jacobian.T @ np.linalg.inv(jacobian @ covariance @ jacobian.T + noise)
        before, after = covariance[depth, depth], (covariance - gain @ jacobian @ covariance)[depth, depth]
        told = 1 / max(after, 1e-12) - 1 / before
        return float(max(told, MOST_SPREAD_MM**-2) ** -0.5)

    def _solved(self) -> Array:
        if not self._measurements:
            return np.zeros_like(self._parameters)
        covariance = self._covariance()
        jacobian, noise = self._stacked(self._measurements)
        off = np.concatenate([measured.off for measured in self._measurements])
        told = np.linalg.solve(jacobian @ covariance @ jacobian.T + noise, off)
        return np.asarray(-covariance @ jacobian.T @ told)

    def _stacked(self, measurements: Sequence[_Measurement]) -> tuple[Array, Array]:
        jacobian = np.concatenate([measured.jacobian for measured in measurements])
        noise = np.zeros((len(jacobian), len(jacobian)))
        row = 0
        for measured in measurements:
            end = row + len(measured.off)
            noise[row:end, row:end] = measured.noise
            row = end
        return jacobian, noise

    def _covariance(self, without_carm: int | None = None) -> Array:
        """Of all parameters; with what the C-arm adds to the depth of all bones but one, if that is given."""
        covariance = np.zeros((len(self._parameters),) * 2)
        for number, bone in self._bones.items():
            is_without = without_carm is None or number == without_carm
            own = bone.known.compared if is_without else bone.known.compared_with_carm
            covariance[self._slice(number), self._slice(number)] = own
        return covariance

    def _of_joint(self, pair: Pair, joint: Joint) -> _Measurement:
        poses = [self._bones[number].pose for number in pair]
        jacobian = self._difference(pair, [joint.centre_mm, joint.centre_mm])
        return _Measurement(joint.gap_mm(*poses), jacobian, joint.slack_mm2(*poses))

    def _press(self, ct: Volume, pair: Pair) -> Press | None:
        """The place where the second of two bones lies too deep in the first."""
        first, second = pair
        motion = volume_motion(self.pose(second), self.pose(first))
        found = press(ct, self._bones[second].anatomy, self._bones[first].anatomy, motion)
        return found if found is not None and found.depth_mm > PRESSED_MM else None

    def _of_press(self, pair: Pair, found: Press) -> _Measurement:
        """That the second bone comes out by what it lies too deep in the first, from where both are now."""
        first, second = pair
        motion = volume_motion(self.pose(second), self.pose(first))
        place_mm = transform_points(np.linalg.inv(motion), found.place_mm)
        outward = self.pose(first)[:3, :3] @ found.outward
        jacobian = -outward[None] @ self._difference(pair, [found.place_mm, place_mm])
        off = np.array([PRESSED_MM - found.depth_mm]) - jacobian @ self._parameters
        return _Measurement(off, jacobian, np.array([[PRESS_DEVIATION_MM**2]]))

    def _difference(self, pair: Pair, places_mm: Sequence[Array]) -> Array:
        """(3, 6 n): motion of a point of the first bone against one of the second, in the world."""
        jacobian = np.zeros((3, len(self._first) * 6))
        for number, place_mm, sign in zip(pair, places_mm, (1, -1), strict=True):
            jacobian[:, self._slice(number)] = sign * self._bones[number].place_jacobian(place_mm)
        return jacobian

    def _slice(self, number: int) -> slice:
        return slice(self._first[number], self._first[number] + 6)
