"""K, distortion and pose from beads with known places: least squares, with standard deviations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    def less_sure(self, times: float) -> CameraFit:
        """The same camera with its standard deviations so many times as large."""
        deviations_px = times * self.place_deviations_px
        return replace(self, place_deviations_px=deviations_px, covariance=times**2 * self.covariance)

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
    return fit_shared_camera([(points_mm, seen_px)], (intrinsics, [pose]), frees_k, frees_distortion)[0]


def fit_shared_camera(
    images: Sequence[tuple[Array, Array]],
    start: tuple[Matrix, Sequence[Matrix]],
    frees_k: bool = True,
    frees_distortion: bool = False,
) -> list[CameraFit]:
    """The camera of several images, each with a pose of its own; K, distortion and their covariance are those of all.

    Args:
        images: of each, points (n, 3) of the phantom in mm and where they are seen (n, 2), NaN where they are not.
        start: K, and of each image camera_from_phantom; as for `fit_camera`, as are the others.
    """
    free = np.array([True] * _OWN + [frees_k] * 3 + [frees_distortion] * 2)
    seen = [_Image(*image, (start[0], pose), free) for image, pose in zip(images, start[1], strict=True)]
    shared = _OWN * len(seen) + np.arange(5)
    places = [np.append(np.arange(_OWN * n, _OWN * (n + 1)), shared) for n in range(len(seen))]
    all_free = np.append(np.full(_OWN * len(seen), True), free[_OWN:])
    # Where each image's free parameters are among all that are free.
    among = [np.flatnonzero(np.isin(np.flatnonzero(all_free), place[free])) for place in places]

    def errors(values: Array) -> Array:
        return np.concatenate([image.errors(values[place]) for image, place in zip(seen, places, strict=True)])

    def jacobian(values: Array) -> Array:
        blocks = []
        for image, place, columns in zip(seen, places, among, strict=True):
            own = image.slopes(values[place])[image.is_seen]
            blocks.append(np.zeros((len(own), int(all_free.sum()))))
            blocks[-1][:, columns] = own
        return np.concatenate(blocks)

    scale = np.empty(len(all_free))
    for image, place in zip(seen, places, strict=True):
        scale[place] = image.scale
    values = _least_squares(errors, jacobian, scale, all_free)
    covariance = _covariance(jacobian(values), errors(values))
    return [
        image.fit(values[place], covariance[np.ix_(c, c)]) for image, place, c in zip(seen, places, among, strict=True)
    ]


def _least_squares(
    errors: Callable[[Array], Array], jacobian: Callable[[Array], Array], scale: Array, free: NDArray[np.bool_]
) -> Array:
    """The parameters of the least squared errors, from zeros on (Levenberg and Marquardt)."""
    values, damping = np.zeros(len(free)), DAMPING
    off = errors(values)
    for _ in range(STEPS):
        slopes = jacobian(values)
        normal = slopes.T @ slopes
        damped = normal + damping * np.diag(np.diag(normal)) + 1e-12 * np.eye(len(normal))
        tried = values.copy()
        tried[free] -= scale[free] * np.linalg.solve(damped, slopes.T @ off)
        new = errors(tried)
        if np.isfinite(new).all() and new @ new < off @ off:
            is_done = off @ off - new @ new < 1e-12 * (off @ off)
            values, off, damping = tried, new, max(LEAST_DAMPING, damping / 5)
            if is_done:
                break
        else:
            damping *= 4
    return values


_OWN = 6
"""Parameters of an image's own pose; those of the camera follow them: focal length, cx, cy, k1, k2."""


class _Image:
    """Points that are seen, and the camera at the eleven parameters of the fit.

    Attributes:
        scale: (11,) a step of each is a change of about as many pixels.
        is_seen: (2 n,) for u and v of each point.
    """

    def __init__(self, points_mm: Array, seen_px: Array, start: tuple[Matrix, Matrix], free: NDArray[np.bool_]) -> None:
        self._points_mm, self._seen_px, self._start, self._free = points_mm, seen_px, start, free
        intrinsics, pose = start
        side = float(max(intrinsics[0, 2], intrinsics[1, 2]) * 2)
        distance_mm = float(np.linalg.norm(pose[:3, 3]))
        # rad, mm, share of the focal length, shares of the image
        self.scale = np.array([1e-2] * 3 + [1e-2 * distance_mm] * 3 + [1e-2, 1e-2 * side, 1e-2 * side, 1.0, 20.0])
        self.is_seen = np.repeat(np.isfinite(seen_px).all(axis=1), 2)

    def errors(self, values: Array) -> Array:
        """Projected minus seen, in pixels."""
        return np.asarray((self._places(values) - self._seen_px.ravel())[self.is_seen])

    def slopes(self, values: Array) -> Array:
        """Derivatives (2 n, free parameters) of the places by the parameters in their scales."""
        steps = np.diag(1e-4 * self.scale)[self._free]
        return np.stack([(self._places(values + s) - self._places(values - s)) / 2e-4 for s in steps], axis=1)

    def fit(self, values: Array, covariance: Array) -> CameraFit:
        """The camera at the parameters, with the covariance of those that are free, in their scales."""
        unit = self.scale * np.where(np.arange(11) == _OWN, self._start[0][0, 0], 1.0)
        told = np.zeros((11, 11))
        told[np.ix_(self._free, self._free)] = covariance * np.outer(unit[self._free], unit[self._free])
        k, distortion, moved = _made(self._start, values)
        errors_px = np.where(self.is_seen, self._seen_px.ravel() - self._places(values), np.nan).reshape(-1, 2)
        deviations_px = _place_deviations(self.slopes(values), covariance)
        return CameraFit(k, distortion, moved, errors_px, deviations_px, told[_OWN:, _OWN:])

    def _places(self, values: Array) -> Array:
        k, distortion, moved = _made(self._start, values)
        return _projected(self._points_mm @ moved[:3, :3].T + moved[:3, 3], k, distortion).ravel()


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
