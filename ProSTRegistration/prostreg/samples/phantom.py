"""A generated CT of a piece of lumbar spine: bone, soft tissue and air, without a plane of symmetry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prostreg.geometry.rotations import rotation_from_vector
from prostreg.images.volume import Volume

SPACING_MM = 2.0
SIZE = (140, 110, 120)
AIR_HU = -1000.0
FAT_HU = -90.0
MUSCLE_HU = 45.0
SPONGY_BONE_HU = 230.0
CORTICAL_BONE_HU = 850.0
MARKER_HU = 2500.0
VERTEBRA_LABELS = (31, 30, 29)
"""L1, L2, L3 in TotalSegmentator's numbering, from the head down."""
VERTEBRA_PITCH_MM = 38.0
VERTEBRA_REACH_MM = (52.0, 88.0, 52.0)

Points = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Phantom:
    """A phantom CT in HU, the labels (int32) of its vertebrae, and one centre per vertebra (n, 3) in RAS mm."""

    ct: Volume
    labels: Volume
    vertebra_centres_mm: NDArray[np.float64]


def make_phantom(seed: int = 0) -> Phantom:
    """Makes a phantom; equal seeds give equal voxels.

    Three vertebrae on a curved line, each with body, canal, pedicles, transverse, articular and spinous
    processes, two ribs, a kidney, bowel gas and a metal marker on the patient's right. Sizes and tilts
    vary by the seed, and differ left from right, front from back and head from foot, so that every
    flip of an axis shows.
    """
    rng = np.random.default_rng(seed)
    points, volume_from_index = _voxel_centres_mm()
    hu = _body_hu(points)
    labels = np.zeros(points.shape[:3], dtype=np.int32)
    centres = []
    for level, label in enumerate(VERTEBRA_LABELS):
        height = VERTEBRA_PITCH_MM * (1 - level)
        centre = np.array([4.0 * np.sin(0.7 * level + 0.4), -9.0 * (level - 1) ** 2 - 12.0, height])
        centre += rng.normal(0, 1.0, 3)
        tilt = np.deg2rad(rng.normal([14.0 * (1 - level), 5.0, 6.0], 2.0))
        block = _block(points, centre, VERTEBRA_REACH_MM)
        local = _in_frame(points[block], centre, tilt)
        bone, spongy = vertebra(local, scale=1.0 + 0.07 * level, rng=rng)
        hu[block][bone] = CORTICAL_BONE_HU
        hu[block][spongy] = SPONGY_BONE_HU
        labels[block][bone] = label
        centres.append(centre)
    _add_ribs(points, centres[0], hu)
    hu[_ellipsoid(points, (62, -25, 38), (4, 4, 9))] = MARKER_HU
    hu += rng.normal(0, 8.0, hu.shape)
    ct = Volume(hu.astype(np.float32), volume_from_index)
    label_map = Volume(cast(NDArray[np.float32], labels), volume_from_index)
    return Phantom(ct, label_map, np.array(centres))


def _voxel_centres_mm() -> tuple[Points, NDArray[np.float64]]:
    """Voxel centres (k, j, i, 3) in RAS mm of a grid about the origin; i runs to the right, j to the front."""
    volume_from_index = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    volume_from_index[:3, 3] = -SPACING_MM * (np.array(SIZE) - 1) / 2
    axes = [SPACING_MM * (np.arange(count) - (count - 1) / 2) for count in SIZE]
    k, j, i = np.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    return np.stack([i, j, k], axis=-1), volume_from_index


def _body_hu(points: Points) -> NDArray[np.float64]:
    hu = np.full(points.shape[:3], AIR_HU)
    hu[_tube(points, (0, 0), (132, 102))] = FAT_HU
    hu[_tube(points, (0, -2), (120, 88))] = MUSCLE_HU
    hu[_ellipsoid(points, (-66, -18, 20), (26, 24, 48))] = MUSCLE_HU + 60.0
    hu[_ellipsoid(points, (40, 48, -55), (24, 17, 30))] = AIR_HU
    hu[_ellipsoid(points, (-30, 55, 75), (34, 15, 18))] = AIR_HU
    return hu


def vertebra(local: Points, scale: float, rng: np.random.Generator) -> tuple[Mask, Mask]:
    """A vertebra's voxels, and those of its body's spongy inside; local (..., 3) in mm, right, front, up."""
    local = local / scale
    waist = 1.0 + 0.14 * (local[..., 2] / 14.0) ** 2
    spread = np.hypot(local[..., 0] / 24.0, local[..., 1] / 17.0) / waist
    body = (spread < 1.0) & (np.abs(local[..., 2]) < 14.0)
    inside_body = (spread < 0.87) & (np.abs(local[..., 2]) < 11.5)
    right, left = rng.normal(38.0, 1.5), rng.normal(33.0, 1.0)
    processes = (
        _rod(local, (13, -14, 5), (15, -32, 2), 5.5)
        | _rod(local, (-13, -14, 5), (-15, -32, 2), 5.5)
        | _rod(local, (15, -30, 1), (right, -37, 5), 4.5)
        | _rod(local, (-15, -30, 1), (-left, -37, -2), 4.5)
        | _rod(local, (15, -34, -2), (2, -44, -6), 4.0)
        | _rod(local, (-15, -34, -2), (2, -44, -6), 4.0)
        | _rod(local, (2, -44, -6), (4, -64, -13), 5.0)
        | _rod(local, (17, -35, 14), (15, -37, -20), 4.5)
        | _rod(local, (-17, -35, 13), (-15, -37, -20), 4.5)
    )
    return body | processes, inside_body & ~processes


def _add_ribs(points: Points, centre: NDArray[np.float64], hu: NDArray[np.float64]) -> None:
    """Two ribs of unequal length; they are bone in the CT but no part of the labelled anatomy."""
    for side, end_angle in ((1.0, 1.75), (-1.0, 1.25)):
        angles = np.linspace(0.2, end_angle, 12)
        path = np.stack(
            [
                centre[0] + side * (18 + 88 * np.sin(angles)),
                centre[1] - 30 + 72 * (1 - np.cos(angles)),
                centre[2] + 8 - 34 * angles,
            ],
            axis=-1,
        )
        for start, end in pairwise(path):
            block = _block(points, (start + end) / 2, np.abs(end - start) / 2 + 4.0)
            hu[block][_rod(points[block], start, end, 4.0)] = CORTICAL_BONE_HU - 250.0


def _block(points: Points, centre: ArrayLike, reach_mm: ArrayLike) -> tuple[slice, slice, slice]:
    """The part of the grid within ``reach_mm`` (right, front, up) of a centre, as slices (k, j, i)."""
    offset = (np.asarray(centre) - points[0, 0, 0]) / SPACING_MM
    reach = np.asarray(reach_mm) / SPACING_MM
    low = np.maximum(np.floor(offset - reach), 0).astype(int)
    high = np.maximum(np.ceil(offset + reach), 0).astype(int) + 1
    i, j, k = (slice(first, last) for first, last in zip(low, high, strict=True))
    return k, j, i


def _in_frame(points: Points, centre: NDArray[np.float64], tilt_rad: NDArray[np.float64]) -> Points:
    """Points as seen from a frame at ``centre``, turned by a rotation vector."""
    return np.asarray((points - centre) @ rotation_from_vector(tilt_rad))


def _ellipsoid(points: Points, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Mask:
    return _within(points, centre, radii)


def _tube(points: Points, centre: tuple[float, float], radii: tuple[float, float]) -> Mask:
    """An elliptic cylinder along the patient's long axis."""
    return _within(points, centre, radii)


def _within(points: Points, centre: Sequence[float], radii: Sequence[float]) -> Mask:
    """Voxels that lie within radii of a centre; along an axis for which none are given, all do."""
    # The grid is aligned with the axes: the squares along each are worked out once.
    along = (points[:1, :1, :, 0], points[:1, :, :1, 1], points[:, :1, :1, 2])
    squares = [((axis - c) / r) ** 2 for axis, c, r in zip(along, centre, radii, strict=False)]
    return np.broadcast_to(sum(squares[1:], squares[0]) < 1.0, points.shape[:3])


def _rod(points: Points, start: ArrayLike, end: ArrayLike, radius: float) -> Mask:
    """A rod with round ends from start to end."""
    first = np.asarray(start, dtype=np.float64)
    axis = np.asarray(end, dtype=np.float64) - first
    along = np.clip((points - first) @ axis / (axis @ axis), 0.0, 1.0)
    offset = points - first - along[..., None] * axis
    return np.asarray((offset**2).sum(axis=-1) < radius**2)
