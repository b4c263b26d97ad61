"""Whether what was found from each view alone is one and the same bone in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.registration.case import Case
from prostreg.registration.start import anatomy_points_mm

CONSISTENT_MM = 0.5
"""Views that found the same bone agree within this. On a real wrist, right pairs leave 0.1 mm; a pose that one view
found 48 mm too far off, with the bone turned to fit its image, left 1.0 mm."""


@dataclass(frozen=True, eq=False)
class ViewConsistency:
    """How well poses that were found from one view each agree. All lengths are at the anatomy, not on the detector.

    Attributes:
        apart_mm: (views, views); entry (i, j): mean distance in view j between the anatomy projected at the pose from
            view i and at the pose from view j itself. Off the diagonal it contains the depth that view i cannot see.
        gap_mm: mean distance at which the rays of one anatomy point pass each other, the point being where each view
            sees it. Depth has no part in it, nor has any error in the plane of the sources and the point.
        joint_world_from_volume: the pose (4, 4) that places the anatomy where the views' rays meet.
        remaining_mm: (views,); mean distance in each view between the anatomy projected at its own pose and at the
            joint pose: what remains once every view's depth is left free.
    """

    apart_mm: NDArray[np.float64]
    gap_mm: float
    joint_world_from_volume: Matrix
    remaining_mm: NDArray[np.float64]

    @property
    def is_consistent(self) -> bool:
        """Whether the views show one rigid anatomy, as far as they can tell."""
        return bool(self.gap_mm < CONSISTENT_MM and self.remaining_mm.max() < CONSISTENT_MM)


def view_consistency(case: Case, poses: Sequence[Matrix]) -> ViewConsistency:
    """Compares poses that were found from each of the case's views alone.

    Args:
        case: with two views or more, in one world; its anatomy gives the points.
        poses: world_from_volume (4, 4), one per view.
    """
    if len(poses) != len(case.views) or len(poses) < 2:
        raise ValueError("give two views or more, and one pose for each")
    carms = [view.carm for view in case.views]
    points = anatomy_points_mm(case)
    placed = [transform_points(pose, points) for pose in poses]
    apart = np.array([[_projected_mm(carm, p, own) for carm, own in zip(carms, placed, strict=True)] for p in placed])
    sources = np.array([invert_rigid(carm.camera_from_world)[:3, 3] for carm in carms])
    rays = np.stack([_unit(p - source) for p, source in zip(placed, sources, strict=True)])
    joint = _rigid_fit(points, _nearest_points(sources, rays))
    jointly_placed = transform_points(joint, points)
    remaining = [_projected_mm(carm, jointly_placed, own) for carm, own in zip(carms, placed, strict=True)]
    return ViewConsistency(apart, _mean_gap_mm(sources, rays), joint, np.array(remaining))


def projected_distances_mm(case: Case, found: Matrix, reference: Matrix) -> NDArray[np.float64]:
    """Mean distance (views,) between the anatomy projected at two poses, in mm at the anatomy."""
    points = anatomy_points_mm(case)
    here, there = transform_points(found, points), transform_points(reference, points)
    return np.array([_projected_mm(view.carm, here, there) for view in case.views])


def _projected_mm(carm: CArm, points_world_mm: Matrix, reference_world_mm: Matrix) -> float:
    """Mean distance of two projections, scaled back to the depth of the reference."""
    pixels = np.linalg.norm(carm.project_world(points_world_mm) - carm.project_world(reference_world_mm), axis=1)
    depth = transform_points(carm.camera_from_world, reference_world_mm)[:, 2]
    return float((pixels * depth).mean() / np.sqrt(carm.intrinsics[0, 0] * carm.intrinsics[1, 1]))


def _nearest_points(sources: Matrix, rays: NDArray[np.float64]) -> Matrix:
    """Points (n, 3) with the least squared distance from one ray of each view; rays (views, n, 3)."""
    across = np.eye(3) - rays[..., :, None] * rays[..., None, :]
    right = np.einsum("vnij,vj->ni", across, sources)
    return np.asarray(np.linalg.solve(across.sum(axis=0), right[..., None])[..., 0])


def _mean_gap_mm(sources: Matrix, rays: NDArray[np.float64]) -> float:
    """Mean over points and pairs of views of the distance between two rays."""
    gaps = []
    for first in range(len(sources)):
        for second in range(first + 1, len(sources)):
            normal = _unit(np.cross(rays[first], rays[second]))
            gaps.append(np.abs(normal @ (sources[second] - sources[first])).mean())
    return float(np.mean(gaps))


def _rigid_fit(points_mm: Matrix, targets_mm: Matrix) -> Matrix:
    """The rigid (4, 4) that brings points nearest to their targets (K. S. Arun et al., IEEE TPAMI 9(5), 1987)."""
    centre, target_centre = points_mm.mean(axis=0), targets_mm.mean(axis=0)
    left, _, right = np.linalg.svd((targets_mm - target_centre).T @ (points_mm - centre))
    pose = np.eye(4)
    pose[:3, :3] = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
    pose[:3, 3] = target_centre - pose[:3, :3] @ centre
    return pose


def _unit(vectors: Matrix) -> Matrix:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
