"""Decisions on bones that stay together: which joint they share, how far it holds them, and when it does not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.rotations import rotation_from_vector
from prostreg.images.volume import Volume
from prostreg.registration.bones import keeping_joints
from prostreg.registration.bones.contact import nearness
from prostreg.registration.bones.found import FoundBone, FoundJoint
from prostreg.registration.bones.held import PRESSED_MM, HeldBone, KnownBone, held_in_joints
from prostreg.registration.bones.joints import BALL_PLAY_MM, OUT_MM, PLAY_MM, Joint, joint_between
from prostreg.registration.bones.keeping_joints import with_joints_kept
from prostreg.registration.bones.motion import volume_motion
from prostreg.registration.carm.known_pose import COMPARED, KnownPose
from prostreg.registration.case import Bone, Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.result import ExpectedError, Result

AHEAD = np.array([[-1.0, 0, 0, 0], [0, 0, -1, 0], [0, -1, 0, 620], [0, 0, 0, 1]])
RESULT = Result(
    name="x", status="accepted", confidence=0.99, world_from_volume=AHEAD, camera_from_volume=(AHEAD,), stages=(),
    seconds=1.0, device="cpu x", projector="fused-cpu", mtre_mm=None, config={}, versions={},
    evidence={"confirmed": 0.7}, is_settled=True, expected_error=ExpectedError(np.zeros(3), np.zeros(3), 1.0, 2.0),
)  # fmt: skip
BALL = Joint(np.zeros(3), np.eye(3), is_ball=True)
CONFIG = RegistrationConfig()


def deeper(mm: float) -> np.ndarray:
    pose = AHEAD.copy()
    pose[2, 3] += mm
    return pose


def hip() -> tuple[Volume, np.ndarray, np.ndarray]:
    """A head of 20 mm about (3, -2, 4) with a shaft, and half a shell around it; 2 mm voxels."""
    grid = np.stack(np.meshgrid(*[np.arange(-50.0, 51.0, 2.0)] * 3, indexing="ij")[::-1], axis=-1)
    place = grid - np.array([3.0, -2.0, 4.0])
    apart = np.linalg.norm(place, axis=-1)
    shaft = (np.abs(place[..., :2]) < 8).all(axis=-1) & (place[..., 2] < -10)
    volume_from_index = np.diag([2.0, 2.0, 2.0, 1.0])
    volume_from_index[:3, 3] = -50.0
    shell = (apart >= 24) & (apart < 32) & (place[..., 2] > 0)
    return Volume(np.zeros(apart.shape, np.float32), volume_from_index), (apart < 20) | shaft, shell


def known(mm: float, pose: np.ndarray = AHEAD, is_accepted: bool = True, carm_along_mm: float = 0.0) -> KnownBone:
    """A bone that no other touches, whose place its image tells to so much along each axis."""
    covariance = np.diag([1e-8] * 3 + [(mm / COMPARED) ** 2] * 3)
    pose_known = KnownPose(PoseChart(pose, np.eye(4), np.zeros(3)), covariance, carm_along_mm)
    return KnownBone(np.zeros((4, 4, 4), bool), pose_known, is_accepted)


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> Volume:
    """The grid of bones that do not press each other."""
    monkeypatch.setattr("prostreg.registration.bones.held.press", lambda *_: None)
    return Volume(np.zeros((4, 4, 4), np.float32), np.eye(4))


def test_a_hip_turns_about_the_centre_of_its_head():
    ct, femur, pelvis = hip()
    for first, second in ((pelvis, femur), (femur, pelvis)):
        joint = joint_between(ct, first, second)
        assert joint.is_ball
        np.testing.assert_allclose(joint.centre_mm, [3.0, -2.0, 4.0], atol=1.0)


def test_other_neighbours_turn_about_a_point_of_the_surfaces_that_face_each_other():
    ct = Volume(np.zeros((30, 20, 60), np.float32), np.eye(4))
    left, right = np.zeros((2, 30, 20, 60), bool)
    left[5:25, 5:15, 5:25], right[5:25, 5:15, 28:50] = True, True
    joint = joint_between(ct, left, right)
    assert not joint.is_ball
    np.testing.assert_allclose(joint.centre_mm, [26.0, 9.5, 14.5], atol=1.5)
    spread_mm = np.sqrt(np.diag(joint.covariance_mm2))
    assert spread_mm[2] > spread_mm[1] > 2.0  # as far as the surfaces reach
    assert joint_between(ct, left, np.roll(right, 9, axis=2)) is None


def test_a_turn_leaves_a_joint_as_much_slack_as_its_centre_is_not_known():
    turned = AHEAD.copy()
    turned[:3, :3] = AHEAD[:3, :3] @ rotation_from_vector(np.array([0.0, 0.0, np.pi / 2]))
    long = Joint(np.zeros(3), np.diag([0.0, 0.0, 400.0]), is_ball=False)
    wide = Joint(np.zeros(3), np.diag([400.0, 0.0, 0.0]), is_ball=False)
    np.testing.assert_allclose(long.slack_mm2(AHEAD, turned), PLAY_MM**2 * np.eye(3), atol=1e-9)
    assert np.trace(wide.slack_mm2(AHEAD, turned)) == pytest.approx(3 * PLAY_MM**2 + 800.0)
    assert long.most_gap_mm(AHEAD, turned) == pytest.approx(OUT_MM)
    assert wide.most_gap_mm(AHEAD, turned) > 5 * OUT_MM


def test_a_joint_moves_each_bone_by_as_much_as_its_image_leaves_open(untouched):
    bones = {0: known(1.0), 4: known(2.0, deeper(4.0))}
    held = held_in_joints(untouched, bones, {(0, 4): BALL})
    unit = 4.0 / (1.0 + 4.0 + BALL_PLAY_MM**2)
    np.testing.assert_allclose(held[0].world_from_volume, deeper(unit), atol=1e-5)
    np.testing.assert_allclose(held[4].world_from_volume, deeper(4.0 - 4 * unit), atol=1e-5)
    assert held[4].depth_deviation_mm == pytest.approx(np.hypot(1.0, BALL_PLAY_MM), rel=1e-3)
    assert (held[0].is_depth_told, held[4].is_depth_told) == (False, True)


def test_a_joint_tells_depth_no_better_than_the_carm_lets_the_other_bone_be_known(untouched):
    held = held_in_joints(untouched, {0: known(1.0, carm_along_mm=3.0), 1: known(2.0)}, {(0, 1): BALL})
    assert held[1].depth_deviation_mm == pytest.approx(np.sqrt(1 + 9 + BALL_PLAY_MM**2), rel=1e-3)
    assert not held[1].is_depth_told


def test_only_accepted_bones_tell_others_where_they_are(untouched):
    bones = {0: known(1.0), 1: known(1.0, deeper(3.0), is_accepted=False), 2: known(1.0, is_accepted=False)}
    held = held_in_joints(untouched, bones, {(0, 1): BALL, (1, 2): BALL})
    assert list(held) == [1]
    assert held[1].world_from_volume[2, 3] == pytest.approx(622.0, abs=1e-3)  # 3 mm, by 1 of 1 + 1 + 1


def test_bones_that_lie_in_each_other_part(monkeypatch):
    ct = Volume(np.zeros((24, 60, 24), np.float32), np.eye(4))
    still, moving = np.zeros((2, 24, 60, 24), bool)
    still[2:22, 5:28, 2:22], moving[2:22, 31:55, 2:22] = True, True
    joint = replace(joint_between(ct, still, moving), covariance_mm2=np.zeros((3, 3)))
    monkeypatch.setattr("prostreg.registration.bones.joints.PLAY_MM", 50.0)  # so that the joint alone moves nothing
    place = {"camera_from_world": np.eye(4), "centre_mm": joint.centre_mm}
    known_place, open_place = np.diag([1e-8] * 6), np.diag([1e-8] * 3 + [1.0] * 2 + [25.0])
    bones = {
        0: KnownBone(still, KnownPose(PoseChart(AHEAD, **place), known_place, 0.0), True),
        1: KnownBone(moving, KnownPose(PoseChart(deeper(8.0), **place), open_place, 0.0), True),
    }
    before = nearness(ct, moving, still, volume_motion(deeper(8.0), AHEAD))
    held = held_in_joints(ct, bones, {(0, 1): joint})
    after = nearness(ct, moving, still, volume_motion(held[1].world_from_volume, held[0].world_from_volume))
    assert before.now_mm <= -4.0
    assert after.now_mm == pytest.approx(-PRESSED_MM, abs=1.0)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, untouched: Volume) -> SimpleNamespace:
    """A pelvis and a femur of which a search is told beforehand, with what joints make of it."""
    monkeypatch.setattr(keeping_joints, "joint_between", lambda *_: BALL)
    monkeypatch.setattr(
        keeping_joints,
        "_known",
        lambda _, result, __: known(2.0, result.world_from_volume, result.status == "accepted"),
    )
    masks = [np.zeros((4, 4, 4), bool) for _ in range(2)]
    bones = [Bone(name, mask) for name, mask in zip(("pelvis", "femur"), masks, strict=True)]
    told = SimpleNamespace(judged=[], refuses=False, along_mm=2.0)

    def judge(number: int, case: Case, pose: np.ndarray, config: RegistrationConfig) -> Result | None:
        told.judged.append((number, case, pose, config))
        expected = replace(RESULT.expected_error, along_mm=told.along_mm)
        judged = replace(RESULT, world_from_volume=pose, reasons=("it fits",), expected_error=expected)
        return None if told.refuses else judged

    def kept(gap_mm: float, status: str = "uncertain") -> tuple[list[FoundBone], tuple[FoundJoint, ...]]:
        femur = replace(RESULT, status=status, confidence=0.6, world_from_volume=deeper(gap_mm))
        found = [FoundBone(bones[0], RESULT), FoundBone(bones[1], femur)]
        cases = {number: Case(bone.name, untouched, bone.anatomy) for number, bone in enumerate(bones)}
        return with_joints_kept(cases, found, CONFIG, judge)

    return SimpleNamespace(kept=kept, told=told)


def test_a_joint_in_place_is_held_and_told(two):
    (pelvis, femur), (joint,) = two.kept(OUT_MM - 0.1)
    assert pelvis.result is RESULT
    (judged,) = two.told.judged
    assert judged[0] == 1
    assert judged[1].others[0].world_from_volume is AHEAD
    assert femur.free.world_from_volume[2, 3] == pytest.approx(620 + OUT_MM - 0.1)
    assert femur.result.reasons == (
        "it fits", "its joint with pelvis tells its place as well: it counts as kept together but for a little play"
    )  # fmt: skip
    assert (joint.bone, joint.against, joint.is_in_place) == ("femur", "pelvis", True)
    assert joint.image_gap_mm == pytest.approx(OUT_MM - 0.1)
    assert joint.gap_mm == pytest.approx((OUT_MM - 0.1) * 5 / 9, abs=0.01)


@pytest.mark.parametrize("status", ["accepted", "uncertain"])
def test_a_joint_out_of_place_is_not_closed_but_doubted(two, status):
    (pelvis, femur), (joint,) = two.kept(OUT_MM + 0.6, status)
    assert two.told.judged == []
    assert pelvis.result is RESULT
    np.testing.assert_array_equal(femur.result.world_from_volume, deeper(OUT_MM + 0.6))
    assert femur.result.status == "uncertain"
    assert femur.result.confidence <= 0.5
    assert femur.result.reasons[0].startswith("its joint with pelvis lies 6 mm apart by the images and was not closed")
    assert (joint.is_in_place, joint.gap_mm) == (False, joint.image_gap_mm)
    assert joint.sentence() == "Joint of femur and pelvis: 5.6 mm apart by the images, 5.6 mm left as it is"


def test_a_bone_whose_image_does_not_bear_it_stays(two):
    two.told.refuses = True
    (_, femur), (joint,) = two.kept(3.0)
    np.testing.assert_array_equal(femur.result.world_from_volume, deeper(3.0))
    assert femur.free is None
    assert femur.result.reasons[-1].startswith("it stays where the image has it")
    assert joint.gap_mm == joint.image_gap_mm


@pytest.mark.parametrize("is_told", [True, False])
def test_what_a_joint_tells_of_depth_counts_where_the_image_tells_less(two, monkeypatch, is_told):
    """And the bone is known no better along the beam than the other."""
    monkeypatch.setattr(keeping_joints, "held_in_joints", lambda *_: {1: HeldBone(deeper(1.0), 2.5, is_told)})
    two.told.along_mm = 1.5
    (_, femur), _ = two.kept(3.0)
    ((*_, config),) = two.told.judged
    assert config.spread_depth_mm == (2.5 if is_told else CONFIG.spread_depth_mm)
    assert femur.result.expected_error.along_mm == (2.0 if is_told else 1.5)
