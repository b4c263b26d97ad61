"""Two bones beside each other: whether one lies in the other, or their joint has opened, by distances of masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.geometry.frames import Matrix, transform_points
from prostreg.images.anatomy import anatomy_bounds, voxel_mm3
from prostreg.images.volume import Volume

Mask = NDArray[np.bool_]

NEIGHBOURS_MM = 10.0
"""Bones that come nearer to each other in the CT share a joint."""
FAR_MM = 25.0
"""Distances are told up to here."""
LEAST_MM3 = 60.0
"""A bone is as near as this much of it is: single voxels at the edge of a label tell nothing."""
MOST_VOXELS = 4_000_000

OVERLAP_MM = 5.0
OPENED_MM = 8.0
"""Changes against the CT that are told: labels, voxels and what one view knows of depth make some millimetres."""


@dataclass(frozen=True)
class Nearness:
    """The distance of two bones in mm, negative where they lie in each other; at most FAR_MM.

    Attributes:
        in_ct_mm: in the CT.
        now_mm: at the poses found.
    """

    in_ct_mm: float
    now_mm: float

    @property
    def is_joint(self) -> bool:
        """True if they are neighbours in the CT."""
        return self.in_ct_mm < NEIGHBOURS_MM

    def warning(self, bone: str, against: str) -> str | None:
        """A sentence on a change that no joint makes; None without one."""
        closer_mm = min(self.in_ct_mm, 0.0) - self.now_mm
        if closer_mm > OVERLAP_MM:
            return (
                f"{bone} lies {closer_mm:.0f} mm deep in {against}: at least one of the two poses is not right, often"
                " in its depth; look at the overlay, or add a view from another direction"
            )
        if self.is_joint and self.now_mm - self.in_ct_mm > OPENED_MM:
            more = "more than " if self.now_mm >= FAR_MM else ""
            return (
                f"{bone} lies {more}{self.now_mm - self.in_ct_mm:.0f} mm farther from {against} than in the CT: unless"
                " the joint is out of place, at least one of the two poses is not right, often in its depth"
            )
        return None


def nearness(ct: Volume, bone: Mask, against: Mask, motion: Matrix) -> Nearness:
    """The distance between two bones, in the CT and after a motion (4, 4) of the first in the CT's frame.

    Args:
        ct: the grid of both masks.
    """
    pair = _Pair(ct, bone, against, motion)
    return Nearness(_nearest_mm(pair.in_ct_mm, pair.count), _nearest_mm(pair.now_mm, pair.count))


@dataclass(frozen=True, eq=False)
class Press:
    """The place where a bone lies deepest in another, beyond what it does in the CT.

    Attributes:
        depth_mm: that depth.
        place_mm: (3,) in the volume frame of the bone that it lies in.
        outward: (3,) unit vector there, the shortest way out.
    """

    depth_mm: float
    place_mm: NDArray[np.float64]
    outward: NDArray[np.float64]


def press(ct: Volume, bone: Mask, against: Mask, motion: Matrix) -> Press | None:
    """The place where a bone lies in another after a motion, as for `nearness`; None where it lies in none."""
    pair = _Pair(ct, bone, against, motion)
    depth_mm = min(_nearest_mm(pair.in_ct_mm, pair.count), 0.0) - _nearest_mm(pair.now_mm, pair.count)
    if depth_mm <= 0:
        return None
    deepest = pair.now[np.argsort(pair.now_mm, kind="stable")[: pair.count]]
    steps = (pair.field.at_mm(deepest + step) - pair.field.at_mm(deepest - step) for step in 2 * np.eye(3))
    uphill = np.linalg.inv(ct.volume_from_index)[:3, :3].T @ np.array([float(step.mean()) for step in steps])
    length = float(np.linalg.norm(uphill))
    if length == 0:
        return None
    return Press(depth_mm, transform_points(ct.volume_from_index, deepest.mean(axis=0)), uphill / length)


class _Pair:
    """A bone's points, as indices (n, 3) in the CT's grid, with their distances from another bone: there and now.

    Attributes:
        count: of the points, as many as have LEAST_MM3.
    """

    def __init__(self, ct: Volume, bone: Mask, against: Mask, motion: Matrix) -> None:
        index_from_volume = np.linalg.inv(ct.volume_from_index)
        places = np.stack(np.nonzero(bone)[::-1], axis=1)
        share = max(1, len(places) // 200_000)
        in_ct = places[::share].astype(np.float64)
        self.now = transform_points(index_from_volume @ motion @ ct.volume_from_index, in_ct)
        self.count = max(1, round(LEAST_MM3 / voxel_mm3(ct) / share))
        self.field = DistanceField(ct, against, np.concatenate([in_ct, self.now]))
        self.in_ct_mm, self.now_mm = self.field.at_mm(in_ct), self.field.at_mm(self.now)


class DistanceField:
    """Signed distances (mm) from a mask's surface, negative inside, where points (n, 3) are near it.

    Args:
        points: indices (i, j, k) in the CT's grid.
    """

    def __init__(self, ct: Volume, mask: Mask, points: NDArray[np.float64]) -> None:
        first, size = anatomy_bounds(mask)
        reach = FAR_MM / ct.spacing_mm
        low, high = np.array(first) - reach, np.array(first) + np.array(size) - 1 + reach
        near = points[((points >= low) & (points <= high)).all(axis=1)]
        self._is_near = len(near) > 0
        if not self._is_near:
            return
        # The mask's part that is nearest to a point lies within its reach.
        low = np.maximum(np.floor(np.maximum(near.min(axis=0) - reach, low)), 0).astype(int)
        high = np.minimum(np.ceil(np.minimum(near.max(axis=0) + reach, high)), np.array(ct.size) - 1).astype(int)
        self._step = max(1, int(np.ceil((np.prod(high - low + 1) / MOST_VOXELS) ** (1 / 3))))
        (i, j, k), (last_i, last_j, last_k), step = low, high + 1, self._step
        cut = np.ascontiguousarray(mask[k:last_k:step, j:last_j:step, i:last_i:step])
        self._low = low
        self._distances_mm = np.full(cut.shape, FAR_MM, dtype=np.float32)
        if cut.any():
            image = sitk.GetImageFromArray(cut.astype(np.uint8))
            image.SetSpacing([float(mm) * step for mm in ct.spacing_mm])
            field = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
            self._distances_mm = sitk.GetArrayFromImage(field)

    def at_mm(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distances (n,) of the points (n, 3), FAR_MM at most."""
        found = np.full(len(points), FAR_MM)
        if self._is_near:
            places = np.rint((points - self._low) / self._step).astype(int)
            is_inside = ((places >= 0) & (places < self._distances_mm.shape[::-1])).all(axis=1)
            i, j, k = places[is_inside].T
            found[is_inside] = np.minimum(self._distances_mm[k, j, i], FAR_MM)
        return found


def _nearest_mm(distances_mm: NDArray[np.float64], count: int) -> float:
    """The distance that ``count`` of all do not exceed."""
    return float(np.sort(distances_mm)[count - 1]) if len(distances_mm) >= count else FAR_MM
