"""Beads of a phantom and discs of an image: which is which, and the camera that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from prostreg.calibration.bead_fit import mirrored_fault
from prostreg.calibration.bead_list import FEWEST_BEADS, FEWEST_MARKS, BeadList, lies_in_plane
from prostreg.errors import FaultList, InputError
from prostreg.geometry.camera_fit import CameraFit, fit_camera
from prostreg.geometry.carm import CArm, mirrored_places
from prostreg.geometry.pnp import pose_from_landmarks

MARK_REACH_PX, MARK_REACH_SHARE = 8.0, 0.01
"""How far a mark may be from its disc: in pixels, and in large images as a share of the longer side."""

DEVIATIONS, LEAST_REACH_PX, MOST_REACH_SHARE = 4.0, 0.3, 0.03
"""How far a bead may be seen from where the fit puts it: standard deviations, within these bounds."""

FEWEST_FOR_DISTORTION = 10
FEWEST_FOR_MEDIAN = 12
LEAST_FOUND_SHARE = 0.5

MOST_TRIED, ODD_SHARE = 15, 0.4
"""Marks that are left out one by one, and the share of their error that stays without the one that is wrong."""

ROUNDS = 30

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SeenBeads:
    """The beads that an image shows.

    Attributes:
        fit: the camera that they tell.
        centres_px: (n, 2) of each bead's disc; NaN where none is found.
        places_px: (n, 2) where the fit puts each bead.
        inside: (n,) whether the fit puts the bead into the image.
        others_px: (m, 2) of discs that are no bead.
    """

    fit: CameraFit
    centres_px: Array
    places_px: Array
    inside: NDArray[np.bool_]
    others_px: Array

    def mirrored(self, width: int) -> SeenBeads:
        """The same in the image (of that width) with its columns in reverse order."""
        places = [mirrored_places(p, width) for p in (self.centres_px, self.places_px, self.others_px)]
        return replace(
            self, fit=self.fit.mirrored(width), centres_px=places[0], places_px=places[1], others_px=places[2]
        )


def match_beads(beads: BeadList, sorts: Sequence[Array], rough: CArm, frees_distortion: bool) -> SeenBeads:
    """Finds the beads among the discs, from rough marks on.

    Pose alone first, then with distance and principal point, then with distortion, as more and more beads are found.

    Args:
        sorts: centres (m, 2) of each sort of discs; the beads are the one that shows more of them.
        rough: the C-arm to begin with.

    Raises:
        InputError: the marks have no discs beside them, or too few beads are found.
    """
    reach_px = max(MARK_REACH_PX, MARK_REACH_SHARE * max(rough.size))
    reaches = np.full(len(beads.names), reach_px)
    marked = [(centres, _matched(beads.marks_px, reaches, centres)) for centres in sorts]
    most = max(int((chosen >= 0).sum()) for _, chosen in marked)
    likely = [(centres, chosen) for centres, chosen in marked if (chosen >= 0).sum() == most]
    _refuse_missed_marks(beads, likely[0][1], reach_px)
    faults = FaultList()
    tried = [faults.collect(partial(_seen, beads, *pair, rough, frees_distortion)) for pair in likely]
    found = [seen for seen in tried if seen is not None]
    if not found:
        raise InputError(faults.faults[0] + _odd_mark_words(beads, *likely[0], rough))
    return max(found, key=lambda seen: int(np.isfinite(seen.centres_px[:, 0]).sum()))


def _seen(
    beads: BeadList, centres: Array, of_marks: NDArray[np.intp], rough: CArm, frees_distortion: bool
) -> SeenBeads:
    """The beads among discs of one sort, from the discs (n,) of the marks on."""
    fit = _fit_to_marks(beads, centres, of_marks, rough)
    chosen, freed = np.full(len(beads.names), -1), (False, False)
    for _ in range(ROUNDS):
        before = freed, chosen
        chosen = _matched(fit.projected(beads.points_mm), _reaches_px(fit, rough), centres)
        found = int((chosen >= 0).sum())
        if found < FEWEST_MARKS:
            break
        freed = found >= FEWEST_BEADS, frees_distortion and found >= FEWEST_FOR_DISTORTION
        if freed == before[0] and np.array_equal(chosen, before[1]):
            break
        fit = fit_camera(beads.points_mm, _places(centres, chosen), (fit.intrinsics, fit.camera_from_phantom), *freed)
    places_px = fit.projected(beads.points_mm)
    inside = rough.shows(places_px)
    _refuse_few(beads, chosen >= 0, inside, FEWEST_FOR_DISTORTION if frees_distortion else FEWEST_BEADS)
    return SeenBeads(fit, _places(centres, chosen), places_px, inside, np.delete(centres, chosen[chosen >= 0], axis=0))


def _fit_to_marks(beads: BeadList, centres: Array, chosen: NDArray[np.intp], rough: CArm) -> CameraFit:
    """A pose from the marks, each moved onto the disc beside it if there is one."""
    moved_px = _moved_marks(beads, centres, chosen)
    start = pose_from_landmarks(beads.points_mm, [(rough, moved_px)])
    if start.mirrored:
        raise InputError(mirrored_fault(f"{start.rms_mm:.0f} mm"))
    return fit_camera(beads.points_mm, moved_px, (rough.intrinsics, start.world_from_volume), frees_k=False)


def _moved_marks(beads: BeadList, centres: Array, chosen: NDArray[np.intp]) -> Array:
    return np.where((chosen >= 0)[:, None], _places(centres, chosen), beads.marks_px)


def _odd_mark_words(beads: BeadList, centres: Array, chosen: NDArray[np.intp], rough: CArm) -> str:
    """The end of a sentence on the one mark without which the others fit; "" where there is no such one, or many."""
    moved_px = _moved_marks(beads, centres, chosen)
    marked = np.flatnonzero(np.isfinite(moved_px).all(axis=1))
    if not FEWEST_MARKS < len(marked) <= MOST_TRIED:
        return ""

    def rms_mm(rows: NDArray[np.intp]) -> float:
        pose = FaultList().collect(lambda: pose_from_landmarks(beads.points_mm[rows], [(rough, moved_px[rows])]))
        return np.inf if pose is None else pose.rms_mm

    without = [rms_mm(np.delete(marked, number)) for number in range(len(marked))]
    best = int(np.argmin(without))
    if not without[best] < ODD_SHARE * rms_mm(marked):
        return ""
    return f" Without the mark of {beads.names[marked[best]]} the others fit: look at that one first."


def _places(centres: Array, chosen: NDArray[np.intp]) -> Array:
    return np.where((chosen >= 0)[:, None], centres[chosen], np.nan)


def _matched(places_px: Array, reaches_px: Array, centres_px: Array) -> NDArray[np.intp]:
    """For each place (n, 2) the centre within its reach (n,) if each is the other's nearest one, else -1."""
    if len(centres_px) == 0:
        return np.full(len(places_px), -1)
    apart = np.linalg.norm(places_px[:, None] - centres_px[None], axis=-1)
    apart[~np.isfinite(apart)] = np.inf
    nearest = apart.argmin(axis=1)
    rows = np.arange(len(places_px))
    fits = (apart[rows, nearest] <= reaches_px) & (apart.argmin(axis=0)[nearest] == rows)
    return np.where(fits, nearest, -1)


def _reaches_px(fit: CameraFit, rough: CArm) -> Array:
    """Distances (n,) in pixels from where the fit puts beads: by its uncertainty there, and a disc's."""
    errors = fit.errors_px[np.isfinite(fit.errors_px)]
    rms_px = max(1e-6, float(np.sqrt((errors**2).mean())))
    # One bead that is taken for another makes all look uncertain, its own place most: the median tells without it.
    usual_px = 1.4826 * float(np.median(np.abs(errors))) if errors.size >= 2 * FEWEST_FOR_MEDIAN else rms_px
    reaches = DEVIATIONS * usual_px * np.hypot(fit.place_deviations_px / rms_px, np.sqrt(2))
    return np.asarray(np.clip(reaches, LEAST_REACH_PX, MOST_REACH_SHARE * max(rough.size)))


def _refuse_missed_marks(beads: BeadList, chosen: NDArray[np.intp], reach_px: float) -> None:
    have_disc, marked = chosen >= 0, np.isfinite(beads.marks_px).all(axis=1)
    if have_disc.sum() >= LEAST_FOUND_SHARE * marked.sum():
        return
    missed = [name for name, is_missed in zip(beads.names, marked & ~have_disc, strict=True) if is_missed]
    raise InputError(
        f"Of {marked.sum()} marks only {have_disc.sum()} have a small disc within {reach_px:.0f} pixels"
        f" (none: {', '.join(missed)}): mark the centres of beads"
        " in this very image; an image that was scaled, cut or flipped has them elsewhere."
    )


def _refuse_few(beads: BeadList, found: NDArray[np.bool_], inside: NDArray[np.bool_], fewest: int) -> None:
    if found.sum() < LEAST_FOUND_SHARE * inside.sum():
        raise InputError(
            f"Only {found.sum()} of the {inside.sum()} beads that should be in the image are found: check that marks,"
            " names and lengths in mm belong together, and that the image is of this phantom and not mirrored (--flip)."
        )
    if found.sum() < fewest or lies_in_plane(beads.points_mm[found]):
        raise InputError(
            f"Only {found.sum()} beads are found in the image: {fewest} or more, not in one plane, are needed. Show"
            " more of the phantom, or use beads that stand out more."
        )
