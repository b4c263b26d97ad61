"""Distortion of an X-ray, as of an image intensifier: the model of OpenCV's five coefficients, and how it is taken out.

Slopes x / z and y / z of a ray meet the detector at bent slopes, with r2 = x x + y y::

    bent_x = x (1 + k1 r2 + k2 r2^2 + k3 r2^3) + 2 p1 x y + p2 (r2 + 2 x x)
    bent_y = y (1 + k1 r2 + k2 r2^2 + k3 r2^3) + p1 (r2 + 2 y y) + 2 p2 x y

numpy only, so that applications without torch can use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.geometry.frames import Matrix

Array = NDArray[np.float64]
MOST_COEFFICIENTS = 5
LEAST_LOCAL_SCALE, LARGEST_LOCAL_SCALE = 0.2, 5.0
"""Beyond these an image is folded or torn rather than bent; of an intensifier, the rim is at 1.05 to 1.3."""


@dataclass(frozen=True)
class Distortion:
    """Coefficients of OpenCV and of ROS's plumb_bob, in their order: (k1, k2, p1, p2, k3); no unit."""

    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0

    @classmethod
    def of(cls, coefficients: Sequence[float]) -> Distortion:
        """Of up to five coefficients; those that are not told are 0."""
        return cls(*map(float, coefficients))

    @property
    def coefficients(self) -> list[float]:
        """[k1, k2, p1, p2, k3]."""
        return list(astuple(self))

    @property
    def is_none(self) -> bool:
        return not any(self.coefficients)

    def bent(self, slopes: Array) -> Array:
        """Slopes (..., 2) at which rays with ideal slopes (..., 2) are seen."""
        x, y = slopes[..., 0], slopes[..., 1]
        square = x * x + y * y
        radial = 1 + square * (self.k1 + square * (self.k2 + square * self.k3))
        bent_x = x * radial + 2 * self.p1 * x * y + self.p2 * (square + 2 * x * x)
        bent_y = y * radial + self.p1 * (square + 2 * y * y) + 2 * self.p2 * x * y
        return np.stack([bent_x, bent_y], axis=-1)

    def bent_pixels(self, intrinsics: Matrix, pixels: Array) -> Array:
        """Places (..., 2) in pixels at which a distorted image has what an ideal one has at ``pixels`` (..., 2)."""
        return self.seen_pixels(intrinsics, _slopes(intrinsics, pixels))

    def seen_pixels(self, intrinsics: Matrix, slopes: Array) -> Array:
        """Places (..., 2) in pixels at which rays with ideal slopes (..., 2) are seen."""
        bent = self.bent(slopes)
        x, y = bent[..., 0], bent[..., 1]
        u = intrinsics[0, 0] * x + intrinsics[0, 1] * y + intrinsics[0, 2]
        return np.stack([u, intrinsics[1, 1] * y + intrinsics[1, 2]], axis=-1)


class Undistortion:
    """Images as a pinhole would show them, with the K of the distorted one, each resampled once (linearly).

    Args:
        intrinsics: K (3, 3) in pixels.
        size: (width, height) of the image, distorted or not.
        distortion: its coefficients.

    Attributes:
        distortion: as given.
        reached: (height, width) True where the ideal image lies inside the distorted one.
        largest_shift_px: between ideal and distorted places, in the image.

    Raises:
        InputError: the coefficients fold the image.
    """

    def __init__(self, intrinsics: Matrix, size: tuple[int, int], distortion: Distortion) -> None:
        self.distortion = distortion
        width, height = size
        ideal = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)
        places = distortion.bent_pixels(np.asarray(intrinsics, dtype=np.float64), ideal)
        inside = np.array([width, height]) - 1
        self.reached = np.asarray(((places >= -0.5) & (places <= inside + 0.5)).all(axis=-1))
        _refuse_folds(places)
        shifts = np.linalg.norm(places - ideal, axis=-1)[self.reached]
        self.largest_shift_px = float(shifts.max(initial=0.0))
        places = np.clip(places, 0, inside)
        corner = np.minimum(np.floor(places), np.maximum(inside - 1, 0)).astype(np.intp)
        self._share = (places - corner).astype(np.float32)
        self._columns, self._rows = corner[..., 0], corner[..., 1]
        self._next_column, self._next_row = (min(1, int(n)) for n in inside)

    def image(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Grey values (height, width) without distortion; beyond the image, those of its border."""
        along_u, along_v = self._share[..., 0], self._share[..., 1]
        rows, columns = self._rows, self._columns
        right, below = columns + self._next_column, rows + self._next_row
        upper = (1 - along_u) * pixels[rows, columns] + along_u * pixels[rows, right]
        lower = (1 - along_u) * pixels[below, columns] + along_u * pixels[below, right]
        return np.asarray((1 - along_v) * upper + along_v * lower, dtype=np.float32)

    def mask(self, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """The pixels that count without distortion, of those (height, width) that counted; None where all do."""
        if mask is None:
            return None if self.reached.all() else self.reached
        return self.reached & (self.image(mask.astype(np.float32)) >= 0.5)

    @property
    def words(self) -> str:
        """Words on the change to the picture, for those who look at it."""
        told = ", ".join(
            f"{name} {value:.4g}" for name, value in zip(_NAMES, self.distortion.coefficients, strict=True)
        )
        return f"undistorted by up to {self.largest_shift_px:.1f} pixels ({told})"


_NAMES = ("k1", "k2", "p1", "p2", "k3")


def _refuse_folds(places: Array) -> None:
    """Refuses a map whose local scale changes its sign or its size as no lens's does."""
    if min(places.shape[:2]) < 2:
        return
    along_u, along_v = np.diff(places, axis=1)[:-1], np.diff(places, axis=0)[:, :-1]
    area = along_u[..., 0] * along_v[..., 1] - along_u[..., 1] * along_v[..., 0]
    if not (np.isfinite(area) & (area > LEAST_LOCAL_SCALE**2) & (area < LARGEST_LOCAL_SCALE**2)).all():
        raise InputError(
            "The distortion folds or tears the image: its coefficients are not those of this K and image size. Give"
            " k1, k2, p1, p2, k3 as OpenCV has them, or calibrate anew."
        )


def _slopes(intrinsics: Matrix, pixels: Array) -> Array:
    y = (pixels[..., 1] - intrinsics[1, 2]) / intrinsics[1, 1]
    x = (pixels[..., 0] - intrinsics[0, 2] - intrinsics[0, 1] * y) / intrinsics[0, 0]
    return np.stack([x, y], axis=-1)
