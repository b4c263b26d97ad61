"""The joints between the bones of a CT: the point about which two turn, and how far it may lie apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.geometry.frames import Matrix, transform_points
from prostreg.geometry.spheres import HEAD_RADIUS_MM, sphere_among
from prostreg.images.anatomy import anatomy_bounds
from prostreg.images.volume import Volume
from prostreg.registration.bones.contact import NEIGHBOURS_MM, DistanceField, nearness

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

BALL_PLAY_MM, PLAY_MM = 1.0, 2.0
"""Standard deviation, along each axis, of what a ball in its socket, and another joint, let their bones shift.

Both are assumptions.
"""

OUT_MM = 5.0
"""A joint that has opened by more is out of place, or a pose is not right: it is told, and not closed.

It is more than the play, and than what one view leaves open of the depth of a hip: 1 to 3 mm.
"""

BALL_MM = 1.0
"""Standard deviation, along each axis, of the centre of a ball that was fitted to voxels."""

BALL_REACH_MM = 8.0
"""A head's surface that lies so near to the other bone is in its socket."""

LEAST_ON_BALL, MOST_SPREAD, MOST_OFF_MM = 0.4, 0.75, 1.5
"""Of a ball: share of the surface that lies on it, how far that reaches around (see `Sphere`), and how rough it is."""

FEWEST_POINTS = 20


@dataclass(frozen=True, eq=False)
class Joint:
    """The joint of two bones that are neighbours in the CT.

    Attributes:
        centre_mm: (3,) in the volume frame.
        covariance_mm2: (3, 3) of the centre.
        is_ball: True where it is the centre of a head; else it is the middle of the surfaces that face each other.
    """

    centre_mm: Array
    covariance_mm2: Array
    is_ball: bool

    def gap_mm(self, world_from_first: Matrix, world_from_second: Matrix) -> Array:
        """From the second bone's centre of the joint to the first's (3,), in the world."""
        return transform_points(world_from_first, self.centre_mm) - transform_points(world_from_second, self.centre_mm)

    def slack_mm2(self, world_from_first: Matrix, world_from_second: Matrix) -> Array:
        """Covariance (3, 3) of the gap, in the world: the play, and what a turn makes of a centre not well known."""
        play_mm = BALL_PLAY_MM if self.is_ball else PLAY_MM
        return np.asarray(play_mm**2 * np.eye(3) + self._by_turn_mm2(world_from_first, world_from_second))

    def most_gap_mm(self, world_from_first: Matrix, world_from_second: Matrix) -> float:
        """The largest gap of a joint that counts as being in place."""
        by_turn = np.linalg.eigvalsh(self._by_turn_mm2(world_from_first, world_from_second))
        return float(np.hypot(OUT_MM, 2 * np.sqrt(max(by_turn[-1], 0.0))))

    def _by_turn_mm2(self, world_from_first: Matrix, world_from_second: Matrix) -> Array:
        turn = world_from_first[:3, :3] - world_from_second[:3, :3]
        return np.asarray(turn @ self.covariance_mm2 @ turn.T)


def joint_between(ct: Volume, first: Mask, second: Mask) -> Joint | None:
    """The joint of two bones; None where they are no neighbours in the CT.

    A ball where the surface of one that faces the other lies on a sphere whose centre is inside of it: a hip, a
    shoulder. Elsewhere, as between vertebrae, the centre may be anywhere on the surfaces that face each other.

    Args:
        ct: the grid of both masks.
    """
    if not nearness(ct, first, second, np.eye(4)).is_joint:
        return None
    facing = [_facing(ct, first, second), _facing(ct, second, first)]
    balls = [
        ball
        for mask, (points_mm, apart_mm) in zip((first, second), facing, strict=True)
        if (ball := _ball(ct, mask, points_mm[apart_mm <= BALL_REACH_MM])) is not None
    ]
    if balls:
        centre_mm, _ = min(balls, key=lambda ball: ball[1])
        return Joint(centre_mm, BALL_MM**2 * np.eye(3), is_ball=True)
    points_mm = np.concatenate([points_mm[apart_mm <= NEIGHBOURS_MM] for points_mm, apart_mm in facing])
    return Joint(points_mm.mean(axis=0), np.cov(points_mm.T), is_ball=False)


def _facing(ct: Volume, bone: Mask, other: Mask) -> tuple[Array, Array]:
    """Points (n, 3) of a bone's surface in the volume frame, with their distances (n,) from the other bone."""
    first, size = anatomy_bounds(bone, 1)
    cut = bone[tuple(slice(low, low + count) for low, count in zip(first[::-1], size[::-1], strict=True))]
    inner = sitk.GetArrayFromImage(sitk.BinaryErode(sitk.GetImageFromArray(cut.astype(np.uint8)), [1, 1, 1]))
    places = (np.argwhere(cut & (inner == 0))[:, ::-1] + np.array(first)).astype(np.float64)
    apart_mm = DistanceField(ct, other, places).at_mm(places)
    return transform_points(ct.volume_from_index, places), apart_mm


def _ball(ct: Volume, bone: Mask, points_mm: Array) -> tuple[Array, float] | None:
    """Centre (3,) of the ball that points (n, 3) of a bone's surface are of, and how rough it is; None without one."""
    if len(points_mm) < FEWEST_POINTS:
        return None
    voxel_mm = float(ct.spacing_mm.max())
    sphere = sphere_among(points_mm, voxel_mm / 2)
    low, high = HEAD_RADIUS_MM
    is_smooth = sphere.off_mm <= max(MOST_OFF_MM, voxel_mm / 2) and sphere.kept_share >= LEAST_ON_BALL
    if not (low <= sphere.radius_mm <= high and is_smooth and sphere.spread <= MOST_SPREAD):
        return None
    i, j, k = np.rint(transform_points(np.linalg.inv(ct.volume_from_index), sphere.centre_mm)).astype(int)
    is_there = all(0 <= place < count for place, count in zip((i, j, k), ct.size, strict=True))
    return (sphere.centre_mm, sphere.off_mm) if is_there and bone[k, j, i] else None
