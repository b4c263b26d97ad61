"""The lumbar spine on a sacrum: the places of its vertebrae. Their shapes are made up, as the atlas has none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

LEVELS = (27, 28, 29, 30)
"""L5 to L2 in TotalSegmentator's numbering."""
UPWARDS = np.array([0.0, 0.62, 0.78])
"""About the normal of the sacrum's endplate."""
TOP_MM, FLAT_MM, REACH_MM, MIDDLE_MM = 14.0, 2.5, 28.0, 22.0
PLANE_ROUNDS = 10
HALF_HEIGHT_MM = 14.0
"""Of the body of a vertebra of scale 1."""
DISC_MM = (7.0, 12.0)
LESS_LORDOSIS_DEG = (14.0, 3.0)
"""Mean and deviation of the turn from one level to the next."""
SCALE = (1.0, 1.2)


@dataclass(frozen=True, eq=False)
class VertebraPlace:
    """The place of one vertebra.

    Attributes:
        label: which level.
        scale: of a made-up vertebra.
        frame: (4, 4), from (right, front, up) about the vertebral body's centre to RAS mm.
    """

    label: int
    scale: float
    frame: NDArray[np.float64]


def lumbar_places(sacrum: Points, rng: np.random.Generator) -> list[VertebraPlace]:
    """L5 to L2, one above the other, beginning at the endplate of a sacrum (t, 3, 3)."""
    centre, normal = _endplate(sacrum)
    slope, side = np.arctan2(normal[1], normal[2]), rng.normal(0, np.deg2rad(2.0))
    scale = float(rng.uniform(*SCALE))
    place, places = centre, []
    for label in LEVELS:
        gap = rng.uniform(*DISC_MM) + scale * HALF_HEIGHT_MM
        place = place + gap * _up(slope, side)
        slope -= np.deg2rad(rng.normal(*LESS_LORDOSIS_DEG))
        frame = np.eye(4)
        right = np.array([np.cos(side), 0.0, -np.sin(side)])
        frame[:3, :3] = np.stack([right, np.cross(_up(slope, side), right), _up(slope, side)], axis=-1)
        frame[:3, 3] = place
        places.append(VertebraPlace(label, scale, frame))
        place = place + scale * HALF_HEIGHT_MM * _up(slope, side)
        scale *= 0.97
    return places


def _up(slope: float, side: float) -> Points:
    return np.array([np.sin(side), np.sin(slope) * np.cos(side), np.cos(slope) * np.cos(side)])


def _endplate(sacrum: Points) -> tuple[Points, Points]:
    """Centre and normal of the flat top of a sacrum."""
    edges = np.cross(sacrum[:, 1] - sacrum[:, 0], sacrum[:, 2] - sacrum[:, 0])
    outwards = np.sign(np.einsum("ti,ti->", sacrum[:, 0], np.cross(sacrum[:, 1], sacrum[:, 2])))
    normals = outwards * edges / np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), 1e-9)
    centres = sacrum.mean(axis=1)
    middle = np.abs(centres[:, 0] - centres[:, 0].mean()) < MIDDLE_MM
    chosen = middle & (normals @ UPWARDS > 0.8)
    chosen &= centres @ UPWARDS > (centres[chosen] @ UPWARDS).max() - TOP_MM
    for _ in range(PLANE_ROUNDS):
        centre = centres[chosen].mean(axis=0)
        normal = np.linalg.svd(centres[chosen] - centre)[2][2]
        normal *= np.sign(normal @ UPWARDS)
        offsets = centres - centre
        chosen = middle & (np.abs(offsets @ normal) < FLAT_MM) & (normals @ normal > 0.75)
        chosen &= np.linalg.norm(offsets, axis=1) < REACH_MM
    return centre, normal
