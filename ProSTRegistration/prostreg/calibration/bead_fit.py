"""Judgement of a camera that beads tell: mirror images, other units, and how well it is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.geometry.camera_fit import CameraFit, fit_camera
from prostreg.geometry.carm import CArm, mirrored_places
from prostreg.geometry.carm_accuracy import CARM_ACCURACIES, GUESSED
from prostreg.geometry.distortion import Undistortion
from prostreg.geometry.pnp import pose_from_landmarks

MOST_OFF_PX = 3.0
"""Root mean square error beyond which the beads are not those of the image."""

MIRRORED_TIMES = 1.5
"""Over the error of the mirror image: beyond that, the image is the mirror image."""

NEAREST_SHARE = 0.15
"""Of the distance to the detector: no phantom fits before the source nearer than that."""

ROUGHLY = 0.15
"""Difference from the rough distance, as a share, from which it is told."""

FOLD_SIDE_PX = 256

Array = NDArray[np.float64]


def fit_to_exact_marks(points_mm: Array, marks_px: Array, rough: CArm, frees_distortion: bool) -> CameraFit:
    """The camera of points (n, 3) in mm that are marked exactly, at (n, 2) in pixels; NaN where they are not."""
    pose = pose_from_landmarks(points_mm, [(rough, marks_px)]).world_from_volume
    plain = fit_camera(points_mm, marks_px, (rough.intrinsics, pose))
    if not frees_distortion:
        return plain
    return fit_camera(points_mm, marks_px, (plain.intrinsics, plain.camera_from_phantom), frees_distortion=True)


def refuse_wrong_fit(fit: CameraFit, names: list[str], points_mm: Array, seen_px: Array, rough: CArm) -> None:
    """Refuses a camera that beads do not tell.

    Args:
        names, points_mm, seen_px: of the beads, their places (n, 3) in the phantom and (n, 2) in pixels, NaN where not
            seen.
        rough: the C-arm that the fit began with.

    Raises:
        InputError: their mirror image fits better; they fit badly; their lengths are not in mm; they fold the image.
    """
    bends = bool(np.any(fit.covariance[3:, 3:]))
    seen = np.isfinite(seen_px).all(axis=1)
    points, places = points_mm[seen], seen_px[seen]
    mirrored = fit_to_exact_marks(points, mirrored_places(places, rough.width), rough, bends)
    if mirrored.rms_px * MIRRORED_TIMES < fit.rms_px:
        raise InputError(mirrored_fault(f"{fit.rms_px:.2f} pixels, {mirrored.rms_px:.2f} in its mirror image"))
    if not fit.rms_px <= MOST_OFF_PX:
        raise InputError(
            f"The beads fit no camera, they are {fit.rms_px:.1f} pixels off (rms), {_worst(fit, names)} most: check its"
            " numbers, and that each mark is that of its bead."
        )
    _refuse_other_units(fit, points, rough)
    if bends:
        refuse_folds(fit, rough.size)


def refuse_folds(fit: CameraFit, size: tuple[int, int]) -> None:
    """Refuses a camera whose distortion folds an image (width, height).

    Raises:
        InputError: it does.
    """
    reduced = min(1.0, FOLD_SIDE_PX / max(size))
    small_size = max(2, round(size[0] * reduced)), max(2, round(size[1] * reduced))
    small = CArm(fit.intrinsics, size).resized(reduced, small_size)
    Undistortion(small.intrinsics, small.size, fit.distortion)


def mirrored_fault(error: str) -> str:
    """A sentence on an image that is the mirror image of what its beads say, with the error in words."""
    return (
        f"The beads fit this image badly ({error}), and its mirror image well: seen from the detector it has left and"
        " right exchanged. Give --flip for that, or --no-flip where its tags exchange them and should not."
    )


def known_as(fit: CameraFit, size: tuple[int, int], names: list[str]) -> str:
    """The best word for how well the camera is known that the standard deviations allow.

    Args:
        names: of the beads of the image that fits worst, the one of the fit.

    Raises:
        InputError: it is known less than any.
    """
    side = max(size)
    point_share, bend_share = float(fit.deviations[1:3].max()) / side, fit.bend_deviation_px(size) / side
    sdd_share = fit.deviations[0] / fit.intrinsics[0, 0]
    for name, known in CARM_ACCURACIES.items():
        if sdd_share <= known.sdd_share and max(point_share, bend_share) <= known.principal_point_share:
            return name
    bend = f", the distortion of its corners to {100 * bend_share:.0f} %" if bend_share else ""
    raise InputError(
        f"The beads tell the distance from source to detector to {100 * sdd_share:.0f} % and the principal point to"
        f" {100 * point_share:.0f} % of the image{bend}, less than is known of any C-arm ({GUESSED}): use a thicker"
        " phantom, or more beads over the whole image; see that each mark is that of its bead,"
        f" {_worst(fit, names)} first."
    )


def _worst(fit: CameraFit, names: list[str]) -> str:
    return names[int(np.nanargmax(np.linalg.norm(fit.errors_px, axis=1)))]


def _refuse_other_units(fit: CameraFit, points_mm: Array, rough: CArm) -> None:
    pose = fit.camera_from_phantom
    depth_mm = float(np.median(points_mm @ pose[2, :3] + pose[2, 3]))
    sdd_mm = float(fit.intrinsics[0, 0]) * rough.detector_spacing_mm[0]
    if not NEAREST_SHARE * sdd_mm <= depth_mm <= sdd_mm:
        raise InputError(
            f"The phantom would be {depth_mm:.3g} mm from the source, and the detector {sdd_mm:.4g} mm: give the beads'"
            " places in mm, and with --pixel-mm the size of a pixel on the detector."
        )
