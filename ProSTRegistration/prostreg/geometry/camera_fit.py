"""K, distortion and pose from beads with known places: least squares, with standard deviations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import mirrored_places
from prostreg.geometry.distortion import Distortion
from prostreg.geometry.frames import Matrix
from prostreg.geometry.rotations import rotation_from_vector

STEPS = 60
DAMPING = 1e-3
LEAST_DAMPING = 1e-10
"""Where points and image tell no distance at all, less would leave nothing to divide by."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CameraFit:
    """A camera that fits beads.

    Attributes:
        intrinsics: K (3, 3).
        distortion: (k1, k2), 0 where not looked for.
        camera_from_phantom: rigid (4, 4), mm.
        errors_px: (n, 2) seen minus projected; NaN where not seen.
        place_deviations_px: (n,) standard deviations of the projected places of all points, seen or not.
        covariance: (5, 5) of focal length, cx, cy in pixels, k1, k2; 0 for what was held.
    """

    intrinsics: Matrix
    distortion: Distortion
    camera_from_phantom: Matrix
    errors_px: Array
    place_deviations_px: Array
    covariance: Array

    @property
    def deviations(self) -> Array:
        """Standard deviations (5,) of focal length, cx, cy in pixels, k1, k2; 0 for what was held."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    @property
    def rms_px(self) -> float:
        """Root mean square of the distances between seen and projected places."""
        return float(np.sqrt(np.nanmean((self.errors_px**2).sum(axis=1))))

    def bend_deviation_px(self, size: tuple[int, int]) -> float:
        """The standard deviation with which k1 and k2 tell where the farthest corner of an image is bent to."""
        corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * (np.array(size) - 1)
        slope = float(np.linalg.norm(corners - self.intrinsics[:2, 2], axis=1).max() / self.intrinsics[0, 0])
        by_k = self.intrinsics[0, 0] * np.array([slope**3, slope**5])
        return float(np.sqrt(by_k @ self.covariance[3:, 3:] @ by_k))

    def mirrored(self, width: int) -> CameraFit:
        """The camera of the image (of that width) with its columns in reverse order, standing where it stands."""
        intrinsics = self.intrinsics.copy()
        intrinsics[:2, 2] = mirrored_places(intrinsics[:2, 2], width)
        return replace(self, intrinsics=intrinsics, errors_px=self.errors_px * (-1, 1))

    def projected(self, points_mm: Array) -> Array:
        """Places (n, 2) in pixels of points (n, 3) of the phantom."""
        pose = self.camera_from_phantom
        return _projected(points_mm @ pose[:3, :3].T + pose[:3, 3], self.intrinsics, self.distortion)


def fit_camera(
    points_mm: Array, seen_px: Array, start: tuple[Matrix, Matrix], frees_k: bool = True, frees_distortion: bool = False
) -> CameraFit:
    """The camera that projects points (n, 3) of the phantom to (n, 2) pixels best.

    Args:
        seen_px: NaN where a point is not seen.
        start: K (3, 3), whose ratio of focal lengths stays, and camera_from_phantom (4, 4).
        frees_k: whether focal length and principal point are estimated.
        frees_distortion: whether k1 and k2 are.
    """
    intrinsics, pose = start
    side = float(max(intrinsics[0, 2], intrinsics[1, 2]) * 2)
    distance_mm = float(np.linalg.norm(pose[:3, 3]))
    free = np.array([True] * 6 + [frees_k] * 3 + [frees_distortion] * 2)
    # One step of each is a change of about as many pixels: rad, mm, share of the focal length, shares of the image.
    scale = np.array([1e-2] * 3 + [1e-2 * distance_mm] * 3 + [1e-2, 1e-2 * side, 1e-2 * side, 1.0, 20.0])

    is_seen = np.repeat(np.isfinite(seen_px).all(axis=1), 2)

    def places(values: Array) -> Array:
        k, distortion, moved = _made(start, values)
        return _projected(points_mm @ moved[:3, :3].T + moved[:3, 3], k, distortion).ravel()

    def errors(values: Array) -> Array:
        return (places(values) - seen_px.ravel())[is_seen]

    def slopes(values: Array) -> Array:
        steps = np.diag(1e-4 * scale)[free]
        return np.stack([(places(values + s) - places(values - s)) / 2e-4 for s in steps], axis=1)

    values, damping = np.zeros(11), DAMPING
    off = errors(values)
    for _ in range(STEPS):
        jacobian = slopes(values)[is_seen]
        normal = jacobian.T @ jacobian
        damped = normal + damping * np.diag(np.diag(normal)) + 1e-12 * np.eye(len(normal))
        tried = values.copy()
        tried[free] -= scale[free] * np.linalg.solve(damped, jacobian.T @ off)
        new = errors(tried)
        if np.isfinite(new).all() and new @ new < off @ off:
            is_done = off @ off - new @ new < 1e-12 * (off @ off)
            values, off, damping = tried, new, max(LEAST_DAMPING, damping / 5)
            if is_done:
                break
        else:
            damping *= 4
    everywhere = slopes(values)
    covariance = _covariance(everywhere[is_seen], off)
    unit = scale * np.where(np.arange(11) == 6, intrinsics[0, 0], 1.0)
    told = np.zeros((11, 11))
    told[np.ix_(free, free)] = covariance * np.outer(unit[free], unit[free])
    k, distortion, moved = _made(start, values)
    errors_px = np.where(is_seen, seen_px.ravel() - places(values), np.nan).reshape(-1, 2)
    return CameraFit(k, distortion, moved, errors_px, _place_deviations(everywhere, covariance), told[6:, 6:])


def _made(start: tuple[Matrix, Matrix], values: Array) -> tuple[Matrix, Distortion, Matrix]:
    """K, distortion and camera_from_phantom at the fit's eleven parameters."""
    k, moved = start[0].copy(), start[1].copy()
    k[0, 0] *= 1 + values[6]
    k[1, 1] *= 1 + values[6]
    k[:2, 2] += values[7:9]
    moved[:3, :3] = rotation_from_vector(values[:3]) @ moved[:3, :3]
    moved[:3, 3] += values[3:6]
    return k, Distortion(k1=values[9], k2=values[10]), moved


def _covariance(jacobian: Array, off: Array) -> Array:
    """The parameters' covariance, from slopes and errors of as many numbers."""
    spare = max(1, jacobian.shape[0] - jacobian.shape[1])
    return np.asarray(np.linalg.pinv(jacobian.T @ jacobian) * (off @ off) / spare)


def _place_deviations(slopes: Array, covariance: Array) -> Array:
    """Standard deviations (n,) of places, from slopes (2 n, parameters) and the parameters' covariance."""
    variances = np.einsum("ij,jk,ik->i", slopes, covariance, slopes).reshape(-1, 2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(variances, 0.0)))


def _projected(points_camera_mm: Array, intrinsics: Matrix, distortion: Distortion) -> Array:
    depth = points_camera_mm[:, 2:]
    return distortion.seen_pixels(intrinsics, points_camera_mm[:, :2] / np.where(depth > 0, depth, np.nan))
