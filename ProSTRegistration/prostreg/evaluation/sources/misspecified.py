"""Things that a registration is told wrongly: labels, C-arm, start, side or patient; "misspecified" of a protocol.

Case ``n`` of a protocol gets entry ``n`` modulo their number. The X-ray stays as it is; the start keeps its distance
from the pose where the search should end, since the verdict is measured and not the search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.evaluation.sources.patient import PatientFiles, open_patient, read_patient_files
from prostreg.geometry.carm_change import changed_carm, hiding_pose
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix
from prostreg.images.anatomy import anatomy_from_labels, voxel_mm3
from prostreg.images.anatomy_check import refuse_anatomy_of_another_ct
from prostreg.json_fields import JsonFields
from prostreg.registration.case import Case
from prostreg.registration.mirror_check import mirrored_view, reflected_pose
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm

FIELD_PIXELS = 512
"""Shifts of the principal point are told in pixels of a field of so many."""


@dataclass(frozen=True)
class Misspecification:
    """One thing told wrongly; told as it is where all is at its default.

    Attributes:
        name: as tables call it.
        grown_mm: of the labels on all sides; below zero they shrink.
        shifted_mm: of the labels, in a direction that is drawn.
        sdd_factor: on the source-detector distance that is told.
        beside_px: of the principal point that is told, along u, of a field of 512 pixels.
        start_beside_mm: RAS: where the start lies from the anatomy's place, in the CT's axes.
        is_mirrored: the image is shown from the wrong side.
        other: another patient's files, registered instead of the one that was imaged.
        other_anatomy: label values of the other patient.
    """

    name: str = "none"
    grown_mm: float = 0.0
    shifted_mm: float = 0.0
    sdd_factor: float = 1.0
    beside_px: float = 0.0
    start_beside_mm: tuple[float, ...] = (0.0, 0.0, 0.0)
    is_mirrored: bool = False
    other: PatientFiles | None = None
    other_anatomy: tuple[int, ...] = ()

    @property
    def is_never_right(self) -> bool:
        """True where no pose is: of another patient, or in a mirror image."""
        return self.is_mirrored or self.other is not None

    @property
    def is_place_right(self) -> bool:
        """True where the best pose lies where the image shows the anatomy: all that a similarity can tell."""
        return not self.is_never_right and self.sdd_factor == 1 and self.beside_px == 0


NONE = Misspecification()


def read_misspecification(fields: JsonFields) -> Misspecification:
    """Reads an entry of "misspecified": a "name" and what is told wrongly; ``{}`` is told as it is."""
    other = fields.inner("other_patient") if "other_patient" in fields else None
    found = Misspecification(
        name=fields.text("name", NONE.name),
        grown_mm=fields.number("grown_mm", -20.0, 20.0, 0.0),
        shifted_mm=fields.number("shifted_mm", 0.0, 100.0, 0.0),
        sdd_factor=fields.number("sdd_factor", 0.5, 2.0, 1.0),
        beside_px=fields.number("beside_px", -200.0, 200.0, 0.0),
        start_beside_mm=fields.numbers("start_beside_mm", 3, NONE.start_beside_mm),
        is_mirrored=fields.flag("mirrored", False),
        other=None if other is None else read_patient_files(other),
        other_anatomy=() if other is None else other.wholes("anatomy"),
    )
    if other is not None:
        other.end()
    fields.end()
    return found


class Misspecifier:
    """Tells cases wrongly.

    Args:
        seed: directions of shifts derive from (seed, number).
        data_folder: where files of other patients are.
        protocol_name: for faults about these.
    """

    def __init__(self, seed: int, data_folder: Path | None, protocol_name: str) -> None:
        self._seed, self._data_folder, self._protocol_name = seed, data_folder, protocol_name

    def told(self, case: Case, number: int, wrong: Misspecification) -> Case:
        """The case of a number as it is told.

        Raises:
            InputError: the program would refuse it, as labels that do not lie on their bone; or its files are missing.
        """
        rng = np.random.default_rng([self._seed, number])
        if wrong.grown_mm or wrong.shifted_mm:
            case = _with_wrong_labels(case, wrong, rng)
        if wrong.sdd_factor != 1 or wrong.beside_px:
            case = _with_wrong_carm(case, wrong)
        if any(wrong.start_beside_mm):
            case = _restarted(case, lambda truth: truth @ _translation(wrong.start_beside_mm))
        if wrong.is_mirrored:
            case = _mirrored(case)
        if wrong.other is not None:
            case = self._of_other_patient(case, wrong.other, wrong.other_anatomy)
        return case

    def _of_other_patient(self, case: Case, files: PatientFiles, values: Sequence[int]) -> Case:
        ct, labels = open_patient(files, self._data_folder, self._protocol_name)
        anatomy = anatomy_from_labels(ct, labels, values)
        other = replace(case, ct=ct, anatomy=anatomy, truth_world_from_volume=None, landmarks_mm=None)
        shift = _translation(_centre_mm(case) - _centre_mm(other))
        return replace(other, initial_world_from_volume=_start(case) @ shift)


def _with_wrong_labels(case: Case, wrong: Misspecification, rng: np.random.Generator) -> Case:
    mask = case.anatomy
    if wrong.grown_mm:
        image = sitk.GetImageFromArray(mask.astype(np.uint8))
        image.SetSpacing([float(mm) for mm in case.ct.spacing_mm])
        outside_mm = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
        mask = sitk.GetArrayFromImage(outside_mm) <= wrong.grown_mm
    if wrong.shifted_mm:
        direction = rng.standard_normal(3)
        voxels = np.rint(wrong.shifted_mm * direction / np.linalg.norm(direction) / case.ct.spacing_mm).astype(int)
        mask = _shifted(mask, voxels)
    labelled_mm3 = float(mask.sum()) * voxel_mm3(case.ct)
    if not labelled_mm3:
        raise InputError(f"Of the labels of {case.name} nothing is left: tell them less wrongly.")
    refuse_anatomy_of_another_ct(case.ct, mask, labelled_mm3)
    return replace(case, anatomy=mask)


def _shifted(mask: NDArray[np.bool_], voxels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The mask (k, j, i) moved by voxels (i, j, k); what leaves the grid is lost."""
    moved = np.zeros_like(mask)
    target, source = [], []
    for step, size in zip(voxels[::-1], mask.shape, strict=True):
        target.append(slice(max(step, 0), min(size + step, size)))
        source.append(slice(max(-step, 0), min(size - step, size)))
    moved[tuple(target)] = mask[tuple(source)]
    return moved


def _with_wrong_carm(case: Case, wrong: Misspecification) -> Case:
    carm = case.views[0].carm
    angle = wrong.beside_px * carm.width / FIELD_PIXELS / carm.intrinsics[0, 0]
    change = np.array([np.log(wrong.sdd_factor), angle, 0.0])
    started = _restarted(case, lambda truth: hiding_pose(_chart(case, truth), change))
    views = tuple(replace(view, carm=changed_carm(view.carm, change)) for view in case.views)
    return replace(started, views=views)


def _mirrored(case: Case) -> Case:
    carm, centre_mm = case.views[0].carm, _centre_mm(case)
    started = _restarted(case, lambda truth: reflected_pose(truth, carm, centre_mm))
    views = tuple(mirrored_view(view) for view in case.views)
    return replace(started, views=views, truth_world_from_volume=None, landmarks_mm=None)


def _restarted(case: Case, place: Callable[[Matrix], Matrix]) -> Case:
    """The case with its start as far from another place as it was from the truth."""
    truth = case.truth_world_from_volume
    if truth is None:
        raise AssertionError("a case without a truth was told wrongly")
    offset = _chart(case, truth).parameters_of(_start(case))
    return replace(case, initial_world_from_volume=_chart(case, place(truth)).world_from_volume_at(offset)[0])


def _chart(case: Case, world_from_volume: Matrix) -> PoseChart:
    return PoseChart(world_from_volume, case.views[0].carm.camera_from_world, _centre_mm(case))


def _centre_mm(case: Case) -> NDArray[np.float64]:
    return anatomy_centre_mm(anatomy_points_mm(case))


def _start(case: Case) -> Matrix:
    if case.initial_world_from_volume is None:
        raise AssertionError("a case without a start was told wrongly")
    return case.initial_world_from_volume


def _translation(shift_mm: Sequence[float] | NDArray[np.float64]) -> Matrix:
    matrix = np.eye(4)
    matrix[:3, 3] = shift_mm
    return matrix
