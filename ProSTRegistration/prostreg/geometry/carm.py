"""The C-arm as a pinhole camera: intrinsics, image size, and where it stands in the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prostreg.errors import FaultList
from prostreg.geometry.carm_accuracy import CALIBRATED, CARM_ACCURACIES
from prostreg.geometry.carm_limits import LARGEST_SIDE_PX, camera_faults, pixel_faults, sdd_faults
from prostreg.geometry.frames import Matrix, rigid_faults, transform_points

NOMINAL_SDD_MM = 1000.0


def _identity() -> Matrix:
    return np.eye(4)


@dataclass(frozen=True, eq=False)
class CArm:
    """One view's projection geometry: ``s [u v 1]^T = K camera_from_world [X Y Z 1]^T``.

    Pixel (0, 0) is the centre of the first pixel; u runs along columns, v along rows.

    Attributes:
        intrinsics: K (3, 3) in pixels, ``[[fx, skew, cx], [0, fy, cy], [0, 0, 1]]``.
        size: (width, height) of the image in pixels.
        camera_from_world: rigid (4, 4), mm.
        spacing_mm: detector pixel pitch (along columns, along rows); None where it is not known.
            Rendering needs only K; the pitch places the detector in 3D.
        accuracy: how well K is known, one of `carm_accuracy.CARM_ACCURACIES`.

    Raises:
        InputError: lists all that is wrong with the values.
    """

    intrinsics: Matrix
    size: tuple[int, int]
    camera_from_world: Matrix = field(default_factory=_identity)
    spacing_mm: tuple[float, float] | None = None
    accuracy: str = CALIBRATED

    def __post_init__(self) -> None:
        faults = FaultList()
        faults.extend(_intrinsics_faults(self.intrinsics))
        faults.extend(_size_faults(self.size))
        if not faults:
            faults.extend(camera_faults(np.asarray(self.intrinsics, dtype=np.float64), self.size))
        faults.extend(rigid_faults(self.camera_from_world, "camera_from_world"))
        faults.extend(_spacing_faults(self.spacing_mm))
        if self.accuracy not in CARM_ACCURACIES:
            faults.add(f"The C-arm's accuracy '{self.accuracy}' is none of {', '.join(CARM_ACCURACIES)}.")
        faults.raise_if_any()
        object.__setattr__(self, "intrinsics", np.array(self.intrinsics, dtype=np.float64))
        object.__setattr__(self, "camera_from_world", np.array(self.camera_from_world, dtype=np.float64))
        object.__setattr__(self, "size", (int(self.size[0]), int(self.size[1])))

    @classmethod
    def from_sdd(
        cls,
        sdd_mm: float,
        spacing_mm: tuple[float, float],
        size: tuple[int, int],
        principal_point: tuple[float, float] | None = None,
        camera_from_world: ArrayLike | None = None,
        accuracy: str = CALIBRATED,
    ) -> CArm:
        """Builds a C-arm from the source-detector distance.

        Args:
            sdd_mm: source-detector distance along the detector's normal.
            spacing_mm: pixel pitch on the detector (along columns, along rows).
            size: (width, height) in pixels.
            principal_point: (cx, cy) in pixels, where the detector's normal through the source
                meets it; the image centre if it is not given.
            camera_from_world: rigid (4, 4); identity if it is not given.
            accuracy: how well all this is known, one of `carm_accuracy.CARM_ACCURACIES`.

        Raises:
            InputError: for values that make no C-arm.
        """
        faults = FaultList()
        faults.extend(sdd_faults(sdd_mm))
        faults.extend(_spacing_faults(spacing_mm))
        faults.raise_if_any()
        cx, cy = principal_point or ((size[0] - 1) / 2, (size[1] - 1) / 2)
        intrinsics = np.array([[sdd_mm / spacing_mm[0], 0, cx], [0, sdd_mm / spacing_mm[1], cy], [0, 0, 1.0]])
        pose = np.eye(4) if camera_from_world is None else np.asarray(camera_from_world, dtype=np.float64)
        carm = cls(intrinsics, size, pose, (float(spacing_mm[0]), float(spacing_mm[1])), accuracy)
        carm.check_pixels()
        return carm

    def check_pixels(self) -> None:
        """Asks of a C-arm that somebody tells, if not of each that is derived from one, that its detector can exist.

        Raises:
            InputError: distance, shape or number of pixels are no device's.
        """
        faults = FaultList()
        faults.extend(pixel_faults(self.intrinsics, self.size, self.spacing_mm))
        faults.raise_if_any()

    @property
    def width(self) -> int:
        return self.size[0]

    @property
    def height(self) -> int:
        return self.size[1]

    @property
    def principal_point(self) -> tuple[float, float]:
        """(cx, cy) in pixels."""
        return float(self.intrinsics[0, 2]), float(self.intrinsics[1, 2])

    @property
    def sdd_mm(self) -> float:
        """Source-detector distance; a nominal 1000 mm where the pixel spacing is not known."""
        if self.spacing_mm is None:
            return NOMINAL_SDD_MM
        return float(self.intrinsics[0, 0] * self.spacing_mm[0])

    @property
    def detector_spacing_mm(self) -> tuple[float, float]:
        """Pixel pitch on the detector plane at ``sdd_mm``, (along columns, along rows)."""
        return self.sdd_mm / float(self.intrinsics[0, 0]), self.sdd_mm / float(self.intrinsics[1, 1])

    def project(self, points_camera_mm: ArrayLike) -> Matrix:
        """Projects camera-frame points (..., 3) in mm to pixels (..., 2); NaN at or behind the source."""
        points = np.asarray(points_camera_mm, dtype=np.float64)
        homogeneous = points @ self.intrinsics.T
        depth = np.where(homogeneous[..., 2:] > 0, homogeneous[..., 2:], np.nan)
        return np.asarray(homogeneous[..., :2] / depth)

    def project_world(self, points_world_mm: ArrayLike) -> Matrix:
        """Projects world points (..., 3) in mm to pixels (..., 2)."""
        return self.project(transform_points(self.camera_from_world, points_world_mm))

    def shows(self, pixels: NDArray[np.float64]) -> NDArray[np.bool_]:
        """True (...) for places (..., 2) in pixels that lie in the image."""
        return places_inside(pixels, self.size)

    def downsampled(self, factor: int) -> CArm:
        """The C-arm of the image averaged over blocks of factor x factor pixels (remainder cut off)."""
        return self.resized(1.0 / factor, (self.width // factor, self.height // factor))

    def resized(self, scale: float, size: tuple[int, int]) -> CArm:
        """The C-arm of an image whose pixels are 1/scale as large, with the same first pixel's corner.

        Pixel centres move as ``u' = (u + 0.5) scale - 0.5``.
        """
        shift = 0.5 * scale - 0.5
        new_from_old = np.array([[scale, 0, shift], [0, scale, shift], [0, 0, 1.0]])
        spacing = None if self.spacing_mm is None else (self.spacing_mm[0] / scale, self.spacing_mm[1] / scale)
        return replace(self, intrinsics=new_from_old @ self.intrinsics, size=size, spacing_mm=spacing)

    def cropped(self, left: int, top: int, size: tuple[int, int]) -> CArm:
        """The C-arm of the sub-image whose first pixel is (left, top)."""
        intrinsics = self.intrinsics.copy()
        intrinsics[:2, 2] -= (left, top)
        return replace(self, intrinsics=intrinsics, size=size)

    def mirrored(self) -> CArm:
        """The C-arm of the image with its columns in reverse order, standing where it stands."""
        intrinsics = self.intrinsics.copy()
        intrinsics[0, 1] *= -1
        intrinsics[0, 2] = self.width - 1 - intrinsics[0, 2]
        return replace(self, intrinsics=intrinsics)


def places_inside(pixels: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """True (...) for places (..., 2) in pixels that lie in an image (width, height)."""
    return np.asarray(((pixels > -0.5) & (pixels < np.array(size) - 0.5)).all(axis=-1))


def mirrored_places(pixels: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Places (..., 2) in pixels of an image that has its columns in reverse order."""
    return np.asarray(pixels * (-1, 1) + (width - 1, 0))


def _intrinsics_faults(intrinsics: ArrayLike) -> list[str]:
    try:
        values = np.asarray(intrinsics, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return ["K is not a matrix of numbers: give 3 rows of 3 numbers."]
    if values.shape != (3, 3):
        return [f"K has shape {'x'.join(map(str, values.shape))}: give 3 rows of 3 numbers."]
    if not np.isfinite(values).all():
        return ["K contains NaN or infinity: give finite numbers."]
    faults = []
    if not np.allclose(values[2], [0, 0, 1]):
        faults.append(f"K has the last row {values[2].tolist()}: it must be 0 0 1.")
    for name, focal_length in (("fx", values[0, 0]), ("fy", values[1, 1])):
        if focal_length <= 0:
            advice = (
                "A mirrored image has to be flipped before it is registered." if focal_length else "Give K in pixels."
            )
            faults.append(
                f"K is singular or flipped: its focal length {name} is {focal_length:g} pixels and must be positive."
                f" {advice}"
            )
    if abs(values[1, 0]) > 1e-9:
        faults.append(f"K is not upper triangular: its second row starts with {values[1, 0]:g} instead of 0.")
    return faults


def _spacing_faults(spacing_mm: Sequence[float] | None) -> list[str]:
    if spacing_mm is None or all(np.isfinite(s) and s > 0 for s in spacing_mm):
        return []
    return [f"The pixel spacing {tuple(spacing_mm)} mm must be positive; most detectors have 0.1 to 0.5."]


def _size_faults(size: tuple[int, int]) -> list[str]:
    if len(size) != 2 or any(int(n) != n or not 1 <= n <= LARGEST_SIDE_PX for n in size):
        return [
            f"The image size {tuple(size)} must be two whole numbers of pixels (width, height), from 1 to"
            f" {LARGEST_SIDE_PX}."
        ]
    return []
