"""The consistency of two views in closed form, and the real wrist with its protocol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from view_consistency import projected_distances_mm, view_consistency

from prostreg.errors import InputError
from prostreg.evaluation.protocol import Protocol, read_protocol
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.evaluation.sources.wrist_biplane import WristCases
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import invert_rigid, transform_points
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm

WRIST = Path(__file__).parents[3] / "shared" / "data" / "xray" / "wrist_biplane"
needs_wrist = pytest.mark.skipif(not WRIST.is_dir(), reason="needs shared/data/xray/wrist_biplane")

DEPTH_MM = 1000.0
ANGLE_DEG = 110.0


@pytest.fixture
def case() -> Case:
    """A small bone at the world's origin, seen by two cameras that look at it from 110 degrees apart, y down."""
    ct = Volume(np.ones((5, 4, 3), dtype=np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))
    views = []
    for angle in (0.0, ANGLE_DEG):
        camera_from_world = np.eye(4)
        camera_from_world[:3, :3] = Rotation.from_euler("y", angle, degrees=True).as_matrix()
        camera_from_world[2, 3] = DEPTH_MM
        carm = CArm(np.array([[6000.0, 0, 800], [0, 6000, 800], [0, 0, 1]]), (1601, 1601), camera_from_world)
        views.append(View(XRay(np.zeros((8, 8), np.float32), np.ones((8, 8), bool)), carm))
    truth = np.eye(4)
    truth[:3, :3] = Rotation.from_rotvec([0.3, -0.7, 0.4]).as_matrix()
    case = Case("bone", ct, np.ones(ct.values.shape, dtype=bool), tuple(views))
    truth[:3, 3] = -truth[:3, :3] @ anatomy_centre_mm(anatomy_points_mm(case))
    return replace(case, truth_world_from_volume=truth)


def moved(pose: NDArray, shift_mm: NDArray) -> NDArray:
    return np.block([[np.eye(3), np.reshape(shift_mm, (3, 1))], [np.zeros((1, 3)), np.ones((1, 1))]]) @ pose


def with_second_camera(case: Case, camera_from_world: NDArray) -> Case:
    first, second = case.views
    return replace(case, views=(first, replace(second, carm=replace(second.carm, camera_from_world=camera_from_world))))


def beam(case: Case, view: int) -> NDArray:
    return case.views[view].carm.camera_from_world[2, :3]


def test_what_only_depth_separates_is_one_bone(case: Case) -> None:
    truth = case.truth_world_from_volume
    poses = [moved(truth, 6.0 * beam(case, 0)), moved(truth, -4.0 * beam(case, 1))]
    found = view_consistency(case, poses)
    across = np.sin(np.deg2rad(ANGLE_DEG))
    # Seen from the other camera, the depth that is not known is a shift across the beam.
    expected = [[0, 6 * across], [4 * across, 0]]
    np.testing.assert_allclose(found.apart_mm, expected, atol=0.1)
    assert found.gap_mm < 0.05
    assert found.remaining_mm.max() < 0.05
    np.testing.assert_allclose(found.joint_world_from_volume[:3, 3], truth[:3, 3], atol=0.1)
    assert found.is_consistent


def test_another_place_off_the_plane_of_the_beams_is_a_gap(case: Case) -> None:
    truth = case.truth_world_from_volume
    found = view_consistency(case, [truth, moved(truth, [0.0, 3.0, 0.0])])
    assert found.gap_mm == pytest.approx(3.0, abs=0.02)
    np.testing.assert_allclose(found.remaining_mm, 1.5, atol=0.02)  # the joint pose lies halfway
    assert not found.is_consistent


def test_wrong_calibration_is_noticed(case: Case) -> None:
    off = moved(case.views[1].carm.camera_from_world, [0.0, 4.0, 0.0])
    wrong = with_second_camera(case, off)
    # What the second view finds alone fits its image, so it is the truth as that camera sees it.
    seen = invert_rigid(off) @ case.views[1].carm.camera_from_world @ case.truth_world_from_volume
    found = view_consistency(wrong, [case.truth_world_from_volume, seen])
    assert found.gap_mm == pytest.approx(4.0, abs=0.02)
    assert not found.is_consistent


def test_a_turned_bone_is_noticed_though_its_centre_fits(case: Case) -> None:
    truth = case.truth_world_from_volume
    larger = replace(case, ct=Volume(case.ct.values, np.diag([20.0, 20.0, 20.0, 1.0])))
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("x", 15, degrees=True).as_matrix()
    truth = truth.copy()
    truth[:3, 3] = -truth[:3, :3] @ anatomy_centre_mm(anatomy_points_mm(larger))
    assert view_consistency(larger, [truth, truth]).is_consistent
    assert not view_consistency(larger, [truth, turned @ truth]).is_consistent


def test_one_pose_for_two_views_is_refused(case: Case) -> None:
    with pytest.raises(ValueError, match="one pose for each"):
        view_consistency(case, [np.eye(4)])


def test_projected_distances_are_those_across_the_beam(case: Case) -> None:
    pose = moved(case.truth_world_from_volume, [2.0, 0.0, 0.0])
    distances = projected_distances_mm(case, pose, case.truth_world_from_volume)
    np.testing.assert_allclose(distances, [2.0, 2.0 * abs(np.cos(np.deg2rad(ANGLE_DEG)))], atol=0.02)


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return read_protocol("wrist")


@pytest.fixture(scope="module")
def wrist(protocol: Protocol) -> WristCases:
    source = make_case_source(protocol, WRIST)
    assert isinstance(source, WristCases)
    return source


@needs_wrist
def test_cases_are_starts_by_views(wrist: WristCases) -> None:
    assert len(wrist) == 15
    cases = [wrist.case(number) for number in range(4)]
    assert [len(case.views) for case in cases] == [2, 1, 1, 2]
    assert [case.name for case in cases][2:] == ["wrist-start0-second", "wrist-start1-both"]
    assert cases[1].views[0] is not cases[2].views[0]
    centre = anatomy_centre_mm(anatomy_points_mm(cases[0]))
    for case in cases:
        off = case.initial_world_from_volume @ invert_rigid(case.truth_world_from_volume)
        assert np.rad2deg(np.linalg.norm(Rotation.from_matrix(off[:3, :3]).as_rotvec())) == pytest.approx(15)
        there = [transform_points(p, centre) for p in (case.initial_world_from_volume, case.truth_world_from_volume)]
        assert np.linalg.norm(there[0] - there[1]) == pytest.approx(15)
    np.testing.assert_array_equal(cases[0].initial_world_from_volume, cases[2].initial_world_from_volume)


@needs_wrist
def test_each_view_alone_finds_the_same_radius(wrist: WristCases, protocol: Protocol) -> None:
    config = RegistrationConfig(seed=0, **protocol.settings)
    near = moved(wrist.whole_case().truth_world_from_volume, [2.0, -3.0, 2.0])  # keeps the test short
    results = [register(replace(wrist.case(n), initial_world_from_volume=near), config) for n in (1, 2)]
    for result in results:  # a bone so small does not tell how far away it is, and both say so
        assert result.status == "uncertain"
        assert "along the beam the place is not known to 5 mm" in result.reasons
        assert result.expected_error.across_mm < 2.0 < result.expected_error.along_mm
    whole = wrist.whole_case()
    right = view_consistency(whole, [result.world_from_volume for result in results])
    assert right.is_consistent
    assert right.gap_mm < 0.5
    joint = projected_distances_mm(whole, right.joint_world_from_volume, whole.truth_world_from_volume)
    assert joint.max() < 0.5
    # The same poses with the second camera a degree out of true.
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("x", 1, degrees=True).as_matrix()
    right_camera = whole.views[1].carm.camera_from_world
    wrong_camera = turned @ right_camera
    seen = invert_rigid(wrong_camera) @ right_camera @ results[1].world_from_volume
    wrong = view_consistency(with_second_camera(whole, wrong_camera), [results[0].world_from_volume, seen])
    assert not wrong.is_consistent


def test_protocol_faults_are_named(protocol: Protocol, tmp_path: Path) -> None:
    pose = np.diag([1.0, 1.0, -1.0, 1.0]).tolist()
    with pytest.raises(InputError) as raised:
        protocol.with_changes(
            source={**protocol.content["source"], "start_turn_deg": -1, "reference_world_from_volume": pose, "bone": {}}
        )
    assert len(raised.value.faults) == 3
    with pytest.raises(InputError) as missing:
        make_case_source(protocol, tmp_path)
    assert len(missing.value.faults) == 4
    assert "Autoscoper" in str(missing.value)
