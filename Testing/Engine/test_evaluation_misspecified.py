"""Cases that are told wrongly: what is wrong in them, what stays, and where they start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from PhantomImages import make_phantom_cases_of_it

from prostreg.errors import InputError
from prostreg.evaluation.protocol import Protocol, read_protocol
from prostreg.evaluation.rows import RowMaker
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.evaluation.sources.data_files import DataFile
from prostreg.evaluation.sources.patient import BONE, PatientFiles, open_patient
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import transform_points
from prostreg.registration.case import Case
from prostreg.registration.pipeline import mtre_mm
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.samples.phantom import make_phantom

WRONG = [
    {},
    {"name": "shifted", "shifted_mm": 3},
    {"name": "grown", "grown_mm": 3},
    {"name": "long", "sdd_factor": 1.04},
    {"name": "beside", "beside_px": 25},
    {"name": "level", "start_beside_mm": [0, -3, 35]},
    {"name": "mirrored", "mirrored": True},
    {"name": "far", "shifted_mm": 40},
]
NAMES = [entry.get("name", "none") for entry in WRONG]


@pytest.fixture(scope="module", autouse=True)
def quickly_made_phantom() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        make_phantom_cases_of_it(patch)
        yield


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return read_protocol("phantom").with_changes(misspecified=WRONG, cases=len(WRONG))


@pytest.fixture(scope="module")
def told(protocol: Protocol) -> dict[str, Case]:
    """The same image, told in each way but the last."""
    wrong = make_case_source(protocol, None)
    return {name: wrong.case(number) for number, name in enumerate(NAMES[:-1])}


@pytest.fixture(scope="module")
def true(protocol: Protocol) -> dict[str, Case]:
    source = make_case_source(protocol.with_changes(misspecified=[]), None)
    return {name: source.case(number) for number, name in enumerate(NAMES)}


def start_offset(case: Case, pose: np.ndarray) -> np.ndarray:
    """The start's distance (6,) from a pose."""
    centre_mm = anatomy_centre_mm(anatomy_points_mm(case))
    chart = PoseChart(pose, case.views[0].carm.camera_from_world, centre_mm)
    return chart.parameters_of(case.initial_world_from_volume)


def test_one_of_them_is_told_as_it_is(told, true):
    np.testing.assert_array_equal(told["none"].anatomy, true["none"].anatomy)
    np.testing.assert_array_equal(told["none"].initial_world_from_volume, true["none"].initial_world_from_volume)


def test_labels_move_and_grow_by_what_is_said(told, true):
    spacing = true["shifted"].ct.spacing_mm[::-1]
    places = [np.argwhere(case["shifted"].anatomy).mean(axis=0) * spacing for case in (told, true)]
    assert np.linalg.norm(places[0] - places[1]) == pytest.approx(3, abs=2)  # whole voxels
    grown = told["grown"].anatomy
    outside_mm = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(
            _with_spacing(true["grown"].anatomy, spacing), squaredDistance=False, useImageSpacing=True
        )
    )
    np.testing.assert_array_equal(grown, outside_mm <= 3)
    assert grown.sum() > true["grown"].anatomy.sum()


def _with_spacing(mask: np.ndarray, spacing: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing([float(mm) for mm in spacing[::-1]])
    return image


def test_labels_that_the_program_would_refuse_are_refused(protocol):
    with pytest.raises(InputError, match="does not lie on its bone"):
        make_case_source(protocol, None).case(len(WRONG) - 1)


def test_another_distance_is_told_and_the_start_lies_where_that_is_hidden(told, true):
    wrong, right = told["long"], true["long"]
    assert wrong.views[0].carm.sdd_mm == pytest.approx(1.04 * right.views[0].carm.sdd_mm)
    np.testing.assert_array_equal(wrong.views[0].xray.line_integrals, right.views[0].xray.line_integrals)
    np.testing.assert_array_equal(wrong.truth_world_from_volume, right.truth_world_from_volume)
    deeper = start_offset(wrong, right.truth_world_from_volume) - start_offset(right, right.truth_world_from_volume)
    depth_mm = transform_points(right.truth_world_from_volume, anatomy_centre_mm(anatomy_points_mm(right)))[2]
    assert deeper[5] == pytest.approx(0.04 * depth_mm, rel=0.05)


def test_a_principal_point_beside_the_middle_is_told(told, true):
    shift = np.subtract(told["beside"].views[0].carm.principal_point, true["beside"].views[0].carm.principal_point)
    np.testing.assert_allclose(shift, [25 * 128 / 512, 0])


def test_a_start_one_level_off_lies_on_the_neighbour(told, true):
    centre_mm = anatomy_centre_mm(anatomy_points_mm(true["level"]))
    here, beside = (transform_points(case["level"].initial_world_from_volume, centre_mm) for case in (true, told))
    assert np.linalg.norm(beside - here) == pytest.approx(np.hypot(3, 35), abs=4)


def test_a_mirror_image_has_no_true_pose(told, true):
    np.testing.assert_array_equal(
        told["mirrored"].views[0].xray.line_integrals, true["mirrored"].views[0].xray.line_integrals[:, ::-1]
    )
    assert mtre_mm(told["mirrored"], np.eye(4)) is None


def test_rows_name_what_was_wrong_and_labels_that_are_refused_are_a_row(protocol):
    maker = RowMaker(protocol, make_case_source(protocol, None))
    row = maker.row(len(WRONG) - 1, "cmaes")
    assert row.misspecification == "far"
    assert row.error is not None
    assert row.status is None


def data_file(path: Path) -> DataFile:
    return DataFile(path.name, "", "", "")


def saved(folder: Path, name: str, values: np.ndarray, spacing: float) -> DataFile:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing([spacing] * 3)
    sitk.WriteImage(image, str(folder / name))
    return data_file(folder / name)


def test_another_patients_ct_lies_where_the_right_one_started(tmp_path, protocol, true):
    phantom = make_phantom(3)
    spacing = float(phantom.ct.spacing_mm[0])
    for name, values in (("ct.nii", phantom.ct.values), ("labels.nii", phantom.labels.values.astype(np.int16))):
        saved(tmp_path, name, values, spacing)
    other = {"ct": {"file": "ct.nii"}, "labels": {"file": "labels.nii"}, "anatomy": [31, 30, 29]}
    swapped = protocol.with_changes(misspecified=[{"name": "another patient", "other_patient": other}])
    case = make_case_source(swapped, tmp_path).case(0)
    assert case.truth_world_from_volume is None
    assert not np.array_equal(case.ct.values, true["none"].ct.values)
    centres = [
        transform_points(one.initial_world_from_volume, anatomy_centre_mm(anatomy_points_mm(one)))
        for one in (case, true["none"])
    ]
    np.testing.assert_allclose(*centres, atol=1e-6)
    assert swapped.misspecification(0).is_never_right


def test_a_patient_of_whom_only_labels_are_known_gets_bone_where_they_are(tmp_path):
    labels = np.zeros((40, 60, 80), dtype=np.int16)
    labels[10:30, 20:40, 30:50] = 7
    files = PatientFiles(None, saved(tmp_path, "labels.nii", labels, 2.0), None)
    ct, told = open_patient(files, tmp_path, "made")
    index = np.linalg.inv(ct.volume_from_index) @ told.volume_from_index
    offset = np.rint(index[:3, 3]).astype(int)[::-1]
    inside = ct.values[tuple(slice(first, first + size) for first, size in zip(offset, labels.shape, strict=True))]
    assert inside[labels == 7].min() > 49  # muscle and more
    shell, middle = inside[10, 30, 40], inside[20, 30, 40]
    assert shell > 2 * middle > 200
    assert ct.values[:, 0, 0].max() < -900
    again, _ = open_patient(files, tmp_path, "made")
    np.testing.assert_array_equal(ct.values, again.values)


def test_a_patient_without_labels_is_all_bone_and_a_finer_ct_is_brought_to_the_grid(tmp_path):
    hu = np.full((41, 41, 41), 40, dtype=np.int16)
    hu[10:30, 10:30, 10:30] = 500
    files = PatientFiles(saved(tmp_path, "ct.nii", hu, 1.0), None, 2.0)
    ct, labels = open_patient(files, tmp_path, "bone")
    np.testing.assert_allclose(ct.spacing_mm, 2)
    np.testing.assert_array_equal(labels.values == BONE, ct.values > 200)
    assert ct.values[5, 5, 5] == 500
    assert ct.values[-1, 5, 5] == (40 - 1000) / 2  # the block that is filled up holds air


def test_a_patient_without_files_is_a_fault():
    source = {**read_protocol("prost-pelvis").content["source"], "ct": None, "labels": None}
    with pytest.raises(InputError, match='names neither "ct" nor "labels"'):
        read_protocol("prost-pelvis").with_changes(source=source)
