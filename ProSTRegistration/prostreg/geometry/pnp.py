"""The pose of a CT from paired landmarks: points in the CT, and where they were marked in X-rays.

No start is needed: descents begin at rotations all around, with the translation that scaled orthography gives, and
Levenberg-Marquardt takes all of them down side by side. numpy only, so that applications without torch can use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import permutations, product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm, mirrored_places
from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.geometry.landmark_faults import checked_landmarks
from prostreg.geometry.rotations import rotation_from_vector

MIRRORED_FROM_MM = 3.0
MIRRORED_SHARE = 1 / 3
"""Pairs that fit worse than that, and a mirror image of the X-rays fits with less than this share of their error."""

# Every descent takes STEPS; the best ones go on until nothing moves.
STEPS = 20
STEPS_OF_BEST = 80
BEST_KEPT = 6
DAMPING = 1e-3
LEAST_DEPTH_SHARE = 1.5
"""Starts lie at least so many radii of the landmarks away from the source."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LandmarkPose:
    """The pose that fits the landmarks best, and how well it does.

    Attributes:
        world_from_volume: rigid (4, 4), mm.
        residuals_px: for each view (n,) distances in pixels between landmarks and marks; NaN where not marked.
        residuals_mm: for each view (n,) distances in mm between landmarks, posed, and the rays through their marks.
        rms_mm: root mean square of the latter over all marks.
        mirrored_rms_mm: the same for a mirror image of the X-rays, worked out when it is called.
    """

    world_from_volume: Matrix
    residuals_px: tuple[Array, ...]
    residuals_mm: tuple[Array, ...]
    rms_mm: float
    mirrored_rms_mm: Callable[[], float]

    @cached_property
    def mirrored(self) -> bool:
        """True where the pairs fit much better as a mirror image."""
        return self.rms_mm > MIRRORED_FROM_MM and self.mirrored_rms_mm() < MIRRORED_SHARE * self.rms_mm

    @property
    def warning(self) -> str | None:
        """A warning before the pose is used; None where there is nothing to say."""
        if not self.mirrored:
            return None
        return (
            f"The pairs fit badly ({self.rms_mm:.0f} mm), but well as a mirror image: either the X-ray is flipped"
            " left-right, or left and right landmarks are swapped. Flip the X-ray back, or exchange the marks."
        )


def pose_from_landmarks(points_volume_mm: ArrayLike, views: Sequence[tuple[CArm, ArrayLike]]) -> LandmarkPose:
    """Finds the pose that brings landmarks onto their marks.

    Args:
        points_volume_mm: landmarks (n, 3) in the volume frame.
        views: for each its C-arm and the marks (n, 2) in pixels (u, v); NaN where a landmark is not marked in it.

    Raises:
        InputError: too few marks, or landmarks that determine no pose; lists all faults, landmarks counted from 1.
    """
    points, marks = checked_landmarks(points_volume_mm, views)
    carms = [carm for carm, _ in views]
    pose = _fitted(points, _rays(carms, marks))
    residuals_mm = _all_distances_mm(points, carms, marks, pose)
    rms_mm = _rms(residuals_mm)
    return LandmarkPose(
        world_from_volume=pose,
        residuals_px=tuple(
            np.linalg.norm(carm.project_world(transform_points(pose, points)) - pixels, axis=1)
            for carm, pixels in zip(carms, marks, strict=True)
        ),
        residuals_mm=residuals_mm,
        rms_mm=rms_mm,
        mirrored_rms_mm=partial(_mirrored_rms, points, carms, marks),
    )


def distances_to_rays_mm(points: Array, carm: CArm, pixels: Array, world_from_volume: Matrix) -> Array:
    """Distances (n,) of landmarks (n, 3), posed, from the rays through their marks (n, 2); NaN where not marked."""
    seen = transform_points(carm.camera_from_world @ world_from_volume, points)
    directions = _directions(carm, pixels)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(np.linalg.norm(np.cross(seen, directions), axis=1))


def _mirrored_rms(points: Array, carms: Sequence[CArm], marks: Sequence[Array]) -> float:
    flipped = [mirrored_places(places, carm.width) for carm, places in zip(carms, marks, strict=True)]
    try:
        pose = _fitted(points, _rays(carms, flipped))
    except InputError:
        return np.inf
    return _rms(_all_distances_mm(points, carms, flipped, pose))


@dataclass(frozen=True, eq=False)
class _Rays:
    """The marks of one view as the optimiser sees them.

    Attributes:
        camera_from_world: rigid (4, 4).
        chosen: indices (m,) of the landmarks that are marked.
        slopes: x / z and y / z (m, 2) of the rays through the marks, in the camera frame.
    """

    camera_from_world: Matrix
    chosen: NDArray[np.intp]
    slopes: Array


def _rays(carms: Sequence[CArm], marks: Sequence[Array]) -> list[_Rays]:
    rays = []
    for carm, pixels in zip(carms, marks, strict=True):
        chosen = np.flatnonzero(np.isfinite(pixels).all(axis=1))
        rays.append(_Rays(carm.camera_from_world, chosen, _directions(carm, pixels[chosen])[:, :2]))
    return rays


def _directions(carm: CArm, pixels: Array) -> Array:
    """Directions (n, 3) of rays in the camera frame, with z = 1."""
    homogeneous = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1)
    return np.asarray(homogeneous @ np.linalg.inv(carm.intrinsics).T)


def _all_distances_mm(
    points: Array, carms: Sequence[CArm], marks: Sequence[Array], world_from_volume: Matrix
) -> tuple[Array, ...]:
    views = zip(carms, marks, strict=True)
    return tuple(distances_to_rays_mm(points, carm, pixels, world_from_volume) for carm, pixels in views)


def _rms(residuals: Sequence[Array]) -> float:
    return float(np.sqrt(np.nanmean(np.concatenate(residuals) ** 2)))


def _fitted(points: Array, views: Sequence[_Rays]) -> Matrix:
    """world_from_volume with the least squared error in the slopes of the rays; InputError where there is none."""
    marked = np.unique(np.concatenate([view.chosen for view in views]))
    centre = points[marked].mean(axis=0)
    centred = points - centre
    starts = np.concatenate([_starts(centred, view) for view in views if len(view.chosen) >= 3])
    poses, costs = _descended(centred, views, starts, STEPS)
    order = np.argsort(costs)[:BEST_KEPT]
    poses, costs = _descended(centred, views, poses[order], STEPS_OF_BEST)
    if not np.isfinite(costs).any():
        raise InputError(
            "No pose puts the landmarks between source and detector of every view: check how the C-arms stand to each"
            " other, and that each mark belongs to its landmark."
        )
    pose = poses[np.argmin(costs)].copy()
    pose[:3, 3] -= pose[:3, :3] @ centre
    return np.asarray(pose)


def _starts(centred: Array, view: _Rays) -> Array:
    """world_from_(centred volume) (s, 4, 4) from one view: rotations all around, by scaled orthography."""
    rotations = _rotations()
    seen = np.einsum("sij,nj->sni", rotations, centred[view.chosen])
    middle = seen.mean(axis=1)
    wide = np.sqrt(((seen - middle[:, None]) ** 2)[:, :, :2].sum(axis=(1, 2)))
    wide_in_image = np.sqrt(((view.slopes - view.slopes.mean(axis=0)) ** 2).sum())
    radius = np.linalg.norm(centred, axis=1).max()
    depth = np.maximum(wide / max(wide_in_image, 1e-9), LEAST_DEPTH_SHARE * radius)
    camera_from_volume = np.tile(np.eye(4), (len(rotations), 1, 1))
    camera_from_volume[:, :3, :3] = rotations
    camera_from_volume[:, :3, 3] = depth[:, None] * np.append(view.slopes.mean(axis=0), 1.0) - middle
    # The landmarks of this view need not lie around the centre of all of them.
    camera_from_volume[:, 2, 3] = np.maximum(camera_from_volume[:, 2, 3], LEAST_DEPTH_SHARE * radius)
    return np.asarray(invert_rigid(view.camera_from_world) @ camera_from_volume)


def _rotations() -> Array:
    """(48, 3, 3): the 24 turns of a cube into itself, and each turned by 45 degrees in the image as well."""
    turns = np.array([turn for turn in _signed_permutations() if np.linalg.det(turn) > 0])
    half = np.sqrt(0.5)
    in_plane = np.array([[half, -half, 0.0], [half, half, 0.0], [0.0, 0.0, 1.0]])
    return np.concatenate([turns, in_plane @ turns])


def _signed_permutations() -> Iterator[Array]:
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        yield np.diag(signs)[list(order)]


def _descended(centred: Array, views: Sequence[_Rays], poses: Array, steps: int) -> tuple[Array, Array]:
    """Levenberg-Marquardt from many poses (s, 4, 4) at once; poses and costs (s,), infinite behind a source."""
    scale_mm = float(np.linalg.norm(centred, axis=1).max())
    costs, gradient, curvature = _linearised(centred, views, poses, scale_mm)
    damping = np.full(len(poses), DAMPING)
    for _ in range(steps):
        diagonal = np.einsum("sii->si", curvature)
        damped = curvature + (damping[:, None] * diagonal + 1e-15)[:, :, None] * np.eye(6)
        step = -np.linalg.solve(damped, gradient[..., None])[..., 0]
        tried = _moved(poses, step, scale_mm)
        new_costs, new_gradient, new_curvature = _linearised(centred, views, tried, scale_mm)
        better = new_costs < costs
        poses, costs = np.where(better[:, None, None], tried, poses), np.where(better, new_costs, costs)
        gradient = np.where(better[:, None], new_gradient, gradient)
        curvature = np.where(better[:, None, None], new_curvature, curvature)
        damping = np.clip(np.where(better, damping / 5, damping * 4), 1e-12, 1e12)
    return poses, costs


def _linearised(centred: Array, views: Sequence[_Rays], poses: Array, scale_mm: float) -> tuple[Array, Array, Array]:
    """Costs (s,), and gradient (s, 6) and Gauss-Newton matrix (s, 6, 6) of half of them.

    The six are a turn in rad about the landmarks' centre and a shift in units of ``scale_mm``, both in world axes.
    """
    costs, gradient, curvature = np.zeros(len(poses)), np.zeros((len(poses), 6)), np.zeros((len(poses), 6, 6))
    for view in views:
        if not len(view.chosen):
            continue
        turned = np.einsum("sij,nj->sni", poses[:, :3, :3], centred[view.chosen])
        seen = transform_points(view.camera_from_world, turned + poses[:, None, :3, 3])
        is_behind = (seen[..., 2] <= 0).any(axis=1)
        inverse_depth = 1 / np.where(seen[..., 2] > 0, seen[..., 2], 1.0)
        slopes = seen[..., :2] * inverse_depth[..., None]
        error = slopes - view.slopes
        by_seen = np.zeros((*error.shape, 3))
        by_seen[..., 0, 0] = by_seen[..., 1, 1] = inverse_depth
        by_seen[..., 2] = -slopes * inverse_depth[..., None]
        by_shift = by_seen @ view.camera_from_world[:3, :3]
        # A turn w moves x by w cross x, and a . (w cross x) = w . (x cross a).
        by_turn = np.cross(turned[:, :, None], by_shift)
        jacobian = np.concatenate([by_turn, scale_mm * by_shift], axis=-1).reshape(len(poses), -1, 6)
        flat = error.reshape(len(poses), -1)
        costs += np.where(is_behind, np.inf, (flat**2).sum(axis=1))
        gradient += np.einsum("sm,smk->sk", flat, jacobian)
        curvature += np.swapaxes(jacobian, 1, 2) @ jacobian
    return costs, gradient, curvature


def _moved(poses: Array, step: Array, scale_mm: float) -> Array:
    moved = poses.copy()
    moved[:, :3, :3] = rotation_from_vector(step[:, :3]) @ poses[:, :3, :3]
    moved[:, :3, 3] += scale_mm * step[:, 3:]
    return moved
