"""The input of one registration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.geometry.distortion import Undistortion
from prostreg.geometry.frames import Matrix
from prostreg.images.dicom_geometry.carm_numbers import CArmNumber
from prostreg.images.frames import ONE_FRAME, Frames
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay


@dataclass(frozen=True, eq=False)
class View:
    """One X-ray image and the C-arm that took it.

    Attributes:
        notes: sentences that the result shall repeat as warnings.
        is_side_known: True where the user or the image's tags say from which side it is seen.
        told: each number of the C-arm by the image's DICOM tags, where it comes from these.
        frames: of a run, which of them are shown.
        is_flipped: True where the file's pixels were turned over left to right.
        undistortion: what was done to the file's pixels before that; None where the image is not distorted.
    """

    xray: XRay
    carm: CArm
    notes: tuple[str, ...] = ()
    is_side_known: bool = False
    told: tuple[CArmNumber, ...] = ()
    frames: Frames = ONE_FRAME
    is_flipped: bool = False
    undistortion: Undistortion | None = None


def same_picture_faults(pictures: Mapping[int, NDArray[np.float32]]) -> list[str]:
    """Sentences on pictures (height, width), by the number of their view, that are in two views.

    One picture of two C-arms proves a pose twice, and hides that it may be mirrored.
    """
    return [
        f"View {number} shows the same picture as view {earlier}: give each C-arm its own X-ray, and an X-ray once."
        for number, picture in pictures.items()
        for earlier in pictures
        if earlier < number and np.array_equal(pictures[earlier], picture)
    ]


@dataclass(frozen=True)
class CaseFiles:
    """The files that a case was read from.

    Attributes:
        ct: a file, or a folder of DICOM slices.
        xrays: one for each view.
        named: all that the case names, of whatever kind.
    """

    ct: Path
    xrays: tuple[Path, ...]
    named: tuple[Path, ...] = ()


@dataclass(frozen=True, eq=False)
class Bone:
    """One of several bones of a case, with a pose of its own.

    Attributes:
        name: fit for a folder, and no other bone's.
        anatomy: bool mask in the CT's grid.
        initial_world_from_volume: a rough pose of its own, rigid (4, 4); None where it starts with the other bones.
        truth_world_from_volume: true pose where it is known.
        landmarks_mm: (n, 3) in the volume frame.
    """

    name: str
    anatomy: NDArray[np.bool_]
    initial_world_from_volume: Matrix | None = None
    truth_world_from_volume: Matrix | None = None
    landmarks_mm: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class PlacedBone:
    """Another bone whose pose is known: it lies in every DRR while a bone is looked for.

    Attributes:
        anatomy: bool mask in the CT's grid.
        world_from_volume: rigid (4, 4).
    """

    anatomy: NDArray[np.bool_]
    world_from_volume: Matrix


@dataclass(frozen=True)
class RoughRelation:
    """The accuracy with which the places of further C-arms are known against the first, as standard deviations.

    Attributes:
        rotation_deg: of their turn about each axis.
        translation_mm: of their shift along each axis, at the anatomy.
    """

    rotation_deg: float = 3.0
    translation_mm: float = 10.0


@dataclass(frozen=True, eq=False)
class Case:
    """A patient's CT, the anatomy to register, and one or more views of it.

    Attributes:
        ct: the CT in HU.
        anatomy: bool mask in the CT's grid, same shape as ``ct.values``: what is registered; all bones, where there are
            several.
        views: one or more for a registration, one pose fits all; none where only the patient counts.
        initial_world_from_volume: rough start pose, rigid (4, 4), or None.
        truth_world_from_volume: true pose where it is known, for measuring the error.
        landmarks_mm: (n, 3) in the volume frame, the points over which the mTRE is taken.
        files: None for a case that was made, and not read.
        bones: those that move against each other; empty where the anatomy is one body.
        others: bones around the anatomy whose poses are known.
        keeps_joints: whether bones that are neighbours in the CT stay together in their joints.
        relation: how well it is known where further views stand against the first; None where it is known exactly.
    """

    name: str
    ct: Volume
    anatomy: NDArray[np.bool_]
    views: tuple[View, ...] = ()
    initial_world_from_volume: Matrix | None = None
    truth_world_from_volume: Matrix | None = None
    landmarks_mm: NDArray[np.float64] | None = None
    files: CaseFiles | None = None
    bones: tuple[Bone, ...] = ()
    others: tuple[PlacedBone, ...] = ()
    keeps_joints: bool = False
    relation: RoughRelation | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on the CT's and the X-rays' files that whatever is made of them shall repeat."""
        of_ct = () if self.ct.note is None else (self.ct.note,)
        return (*of_ct, *(note for view in self.views for note in view.notes))
