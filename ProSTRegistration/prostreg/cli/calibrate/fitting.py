"""The camera that the images of a C-arm tell, in the pixels of the images as stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from prostreg.calibration.bead_fit import (
    fit_to_exact_marks,
    refuse_folds,
    refuse_wrong_fit,
)
from prostreg.calibration.discs import sorts_of_discs
from prostreg.calibration.joint_fit import joint_fit
from prostreg.calibration.matching import SeenBeads, match_beads
from prostreg.cli.calibrate.inputs import Inputs, Shot
from prostreg.errors import FaultList
from prostreg.geometry.camera_fit import CameraFit
from prostreg.geometry.carm import mirrored_places


@dataclass(frozen=True, eq=False)
class FittedShot:
    """One image, and the camera of all.

    Attributes:
        fit: the camera, with the errors of this image.
        alone: what this image tells by itself; the same where there is no other.
        seen: in its picture; None without one.
    """

    shot: Shot
    fit: CameraFit
    alone: CameraFit
    seen: SeenBeads | None


@dataclass(frozen=True, eq=False)
class Fitted:
    """The camera of all images.

    Attributes:
        disagreement: as of a `JointFit`; None for one image.
        odd: index of the image without which the others agree; None where there is none.
    """

    shots: tuple[FittedShot, ...]
    disagreement: float | None = None
    odd: int | None = None


def fitted(inputs: Inputs, frees_distortion: bool) -> Fitted:
    """The camera of one image, or of several at once.

    Raises:
        InputError: names every image that shows too few beads, or whose beads fit no camera.
    """
    faults = FaultList()
    many = len(inputs.shots) > 1
    found = [
        faults.collect(lambda shot=shot: _alone(shot, inputs, frees_distortion), f"{shot.path}: " if many else "")  # type: ignore[misc]
        for shot in inputs.shots
    ]
    faults.raise_if_any()
    shots = [one for one in found if one is not None]
    made = _together(shots, inputs) if many else Fitted(tuple(shots))
    if not inputs.is_flipped:
        return made
    return replace(made, shots=tuple(_mirrored(one, inputs.rough.width) for one in made.shots))


def _alone(shot: Shot, inputs: Inputs, frees_distortion: bool) -> FittedShot:
    """One image by itself, as seen from the source."""
    beads, width = shot.beads, inputs.rough.width
    sorts = [] if shot.image is None else sorts_of_discs(shot.image.pixels, shot.image.open_part)
    if inputs.is_flipped:
        beads = replace(beads, marks_px=mirrored_places(beads.marks_px, width))
        sorts = [mirrored_places(centres, width) for centres in sorts]
    if shot.image is None:
        seen, seen_px = None, beads.marks_px
        fit = fit_to_exact_marks(beads.points_mm, seen_px, inputs.rough, frees_distortion)
    else:
        seen = match_beads(beads, sorts, inputs.rough, frees_distortion)
        fit, seen_px = seen.fit, seen.centres_px
    refuse_wrong_fit(fit, beads.names, beads.points_mm, seen_px, inputs.rough)
    return FittedShot(replace(shot, beads=beads), fit, fit, seen)


def _together(shots: Sequence[FittedShot], inputs: Inputs) -> Fitted:
    """All images with one camera."""
    images = [
        (one.shot.beads.points_mm, one.shot.beads.marks_px if one.seen is None else one.seen.centres_px)
        for one in shots
    ]
    joint = joint_fit(images, [one.alone for one in shots])
    refuse_folds(joint.fits[0], inputs.rough.size)
    made = [replace(one, fit=fit, seen=_with_fit(one, fit)) for one, fit in zip(shots, joint.fits, strict=True)]
    return Fitted(tuple(made), joint.disagreement, joint.odd)


def _with_fit(one: FittedShot, fit: CameraFit) -> SeenBeads | None:
    if one.seen is None:
        return None
    return replace(one.seen, fit=fit, places_px=fit.projected(one.shot.beads.points_mm))


def _mirrored(one: FittedShot, width: int) -> FittedShot:
    seen = None if one.seen is None else one.seen.mirrored(width)
    return replace(one, fit=one.fit.mirrored(width), alone=one.alone.mirrored(width), seen=seen)
