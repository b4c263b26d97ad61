"""The sphere of a joint's head through points of its surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HEAD_RADIUS_MM = (15.0, 35.0)
"""Of the heads of femora and humeri."""

ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Sphere:
    """A sphere through most of some points.

    Attributes:
        centre_mm: (3,) in the points' frame.
        off_mm: root mean square distance of the points kept from it.
        kept_share: of the points given.
        spread: length of the mean direction from the centre to the points kept: 0.5 for half a sphere, 1 for a spot.
    """

    centre_mm: NDArray[np.float64]
    radius_mm: float
    off_mm: float
    kept_share: float
    spread: float


def sphere_among(points_mm: NDArray[np.float64], least_off_mm: float) -> Sphere:
    """The sphere, by least squares, through points (n, 3) without those that clearly lie off it.

    Args:
        points_mm: of a head's surface, and of the neck near the rim of its socket.
        least_off_mm: points that near belong to it.
    """
    kept = points_mm
    centre, radius_mm = _through(kept)
    for _ in range(ROUNDS):
        off_mm = np.abs(np.linalg.norm(kept - centre, axis=1) - radius_mm)
        kept = kept[off_mm <= max(2 * float(np.median(off_mm)), least_off_mm)]
        centre, radius_mm = _through(kept)
    arms = kept - centre
    lengths = np.linalg.norm(arms, axis=1)
    mean_direction = (arms / np.maximum(lengths, 1e-9)[:, None]).mean(axis=0)
    off_mm = float(np.sqrt(np.mean((lengths - radius_mm) ** 2)))
    return Sphere(centre, radius_mm, off_mm, len(kept) / len(points_mm), float(np.linalg.norm(mean_direction)))


def _through(points_mm: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Centre and radius by least squares: |p - c|^2 = r^2 is linear in c and in r^2 - |c|^2."""
    unknowns = np.c_[2 * points_mm, np.ones(len(points_mm))]
    solution, *_ = np.linalg.lstsq(unknowns, (points_mm**2).sum(axis=1), rcond=None)
    centre = np.asarray(solution[:3], dtype=np.float64)
    return centre, float(np.sqrt(max(float(solution[3] + centre @ centre), 0.0)))
