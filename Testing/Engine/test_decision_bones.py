"""Decisions on several bones: order and starts, a second search, what the refinement may change, motion, contact."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from prostreg.cli.exit_code import ExitCode
from prostreg.cli.register import exit_code_of
from prostreg.errors import Stopped
from prostreg.geometry.carm import CArm
from prostreg.geometry.rotations import rotation_from_vector
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.outputs import bones_outputs
from prostreg.outputs.bones_outputs import bones_folder_faults, bones_to_dict, write_bones_outputs
from prostreg.outputs.bones_overlay import BonesView
from prostreg.registration.bones import registering_bones
from prostreg.registration.bones.contact import FAR_MM, OPENED_MM, OVERLAP_MM, Nearness, nearness
from prostreg.registration.bones.found import BonesResult, FoundBone, FoundJoint, Together
from prostreg.registration.bones.motion import relative_motion, volume_motion
from prostreg.registration.bones.registering_bones import bone_case, register_bones
from prostreg.registration.bones.together import Refined
from prostreg.registration.case import Bone, Case, PlacedBone, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.levels import Levels
from prostreg.registration.readings import PolarityUsed, polarity_reasons
from prostreg.registration.result import Result
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm

AHEAD = np.array([[-1.0, 0, 0, 0], [0, 0, -1, 0], [0, -1, 0, 620], [0, 0, 0, 1]])
RESULT = Result(
    name="x", status="accepted", confidence=0.99, world_from_volume=AHEAD, camera_from_volume=(AHEAD,), stages=(),
    seconds=1.0, device="cpu x", projector="fused-cpu", mtre_mm=None, config={}, versions={},
    evidence={"confirmed": 0.7}, is_settled=True,
)  # fmt: skip
FAILED = replace(RESULT, status="failed", confidence=0.0, is_settled=False)


def shifted(x_mm: float) -> np.ndarray:
    pose = AHEAD.copy()
    pose[0, 3] += x_mm
    return pose


@pytest.fixture
def case() -> Case:
    """Three bones along the patient's left-right axis; the second is the largest, the third is far from it."""
    hu = np.zeros((12, 12, 60), dtype=np.float32)
    masks = [np.zeros(hu.shape, dtype=bool) for _ in range(3)]
    masks[0][4:8, 4:8, 2:6] = masks[1][2:10, 2:10, 8:20] = masks[2][4:8, 4:8, 50:55] = True
    volume_from_index = np.diag([2.0, 2.0, 2.0, 1.0])
    image = XRay(np.zeros((40, 40), dtype=np.float32), np.ones((40, 40), dtype=bool))
    view = View(image, CArm.from_sdd(1000.0, (5.0, 5.0), (40, 40)))
    bones = tuple(Bone(name, mask) for name, mask in zip("abc", masks, strict=True))
    return Case("k", Volume(hu, volume_from_index), np.any(masks, axis=0), (view,), shifted(1.0), bones=bones)


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Searches that are told beforehand: ``results`` by the bone's name, and the ``cases`` that were searched."""
    told = SimpleNamespace(results={}, cases=[])

    def register(case: Case, *_: object) -> Result:
        told.cases.append(case)
        results = told.results.get(case.name[-1], [RESULT])
        return results.pop(0) if len(results) > 1 else results[0]

    monkeypatch.setattr(registering_bones, "register", register)
    monkeypatch.setattr(registering_bones, "without_metal", lambda case: case)
    still = Together(1, 0.5, 0.6)
    told.refined = None
    monkeypatch.setattr(
        registering_bones,
        "refined_together",
        lambda found, *_: told.refined or Refined((AHEAD,) * len(found), (0.0,) * len(found), still),
    )
    return told


def test_bones_around_stay_in_levels_that_are_read_computed_or_seen_otherwise(case):
    """Read as decided, on the CPU, and in other X-rays."""
    hu = np.where(case.anatomy, 900.0, 0.0).astype(np.float32)
    first, second, _ = case.bones
    alone = bone_case(replace(case, ct=case.ct.with_values(hu)), first, AHEAD)
    both = replace(alone, others=(PlacedBone(second.anatomy, AHEAD),))
    points_mm, centre_mm = anatomy_points_mm(alone), anatomy_centre_mm(anatomy_points_mm(alone))

    def image(levels: Levels) -> np.ndarray:
        (images,) = levels.middle.images(AHEAD[None])
        return np.asarray(images)

    levels, of_one = (Levels(c, AHEAD, points_mm, centre_mm, 30.0, RegistrationConfig()) for c in (both, alone))
    assert (image(levels) - image(of_one)).max() > 0.1
    for same in (levels.read_as((False,)), levels.on_cpu(), levels.with_views(case.views, AHEAD, 30.0)):
        np.testing.assert_array_equal(image(same), image(levels))


def test_the_largest_comes_first_and_the_others_start_with_the_nearest(case, searched):
    searched.results = {"a": [replace(RESULT, world_from_volume=shifted(7.0))]}
    found = register_bones(case)
    assert [searched_case.name for searched_case in searched.cases] == ["k - b", "k - c", "k - a"]
    starts = [searched_case.initial_world_from_volume[0, 3] for searched_case in searched.cases]
    assert starts == [1.0, 0.0, 0.0]  # the case's own, then where b was found
    assert [len(searched_case.others) for searched_case in searched.cases] == [0, 1, 2]
    assert [bone.bone.name for bone in found.bones] == ["a", "b", "c"]


def test_a_bone_begins_at_its_own_start(case, searched):
    first, *rest = case.bones
    register_bones(replace(case, bones=(replace(first, initial_world_from_volume=shifted(9.0)), *rest)))
    assert searched.cases[-1].initial_world_from_volume[0, 3] == 9.0


def test_a_bone_that_failed_lies_in_no_drr_and_is_searched_again_with_the_others(case, searched):
    again = replace(RESULT, world_from_volume=shifted(3.0))
    searched.results = {"b": [FAILED, again]}
    found = register_bones(case)
    assert [searched_case.name for searched_case in searched.cases] == ["k - b", "k - c", "k - a", "k - b"]
    assert [len(searched_case.others) for searched_case in searched.cases] == [0, 0, 1, 2]
    assert searched.cases[1].initial_world_from_volume[0, 3] == 1.0  # nothing better than the case's own
    assert found.bones[1].result is again
    assert found.status == "accepted"


def test_a_bone_that_fails_twice_has_no_motion(case, searched):
    searched.results = {"c": [FAILED]}
    found = register_bones(case)
    assert [(motion.bone, motion.against) for motion in found.motions] == [("b", "a")]
    assert found.status == "failed"


@pytest.mark.parametrize(
    ("score", "status", "confirmed", "is_kept"),
    [
        (0.6, "accepted", 0.71, True),
        (0.5, "accepted", 0.71, False),
        (0.6, "uncertain", 0.71, False),
        (0.6, "accepted", 0.6, False),
    ],
)
def test_the_refinement_counts_where_it_raises_the_score_and_no_verdict_falls(
    case, searched, monkeypatch, score, status, confirmed, is_kept
):
    searched.refined = Refined((shifted(0.5), AHEAD, AHEAD), (0.5, 0.0, 0.0), Together(2, 0.5, score))
    judged = replace(RESULT, world_from_volume=shifted(0.5), status=status, evidence={"confirmed": confirmed})
    monkeypatch.setattr(registering_bones, "judged_told_apart", lambda *_: judged)
    found = register_bones(case)
    first = found.bones[0]
    assert first.result.world_from_volume[0, 3] == (0.5 if is_kept else 0.0)
    assert first.result.status == "accepted"
    assert (first.moved_mm, first.before) == ((0.5, RESULT) if is_kept else (0.0, None))
    assert found.together.score_after == score


def test_a_refinement_or_a_verdict_that_was_stopped_changes_nothing(case, searched, monkeypatch):
    def stopped(*_: object) -> Result:
        raise Stopped("time limit")

    searched.refined = Refined((shifted(0.5), AHEAD, AHEAD), (0.5, 0.0, 0.0), Together(2, 0.5, 0.6))
    monkeypatch.setattr(registering_bones, "judged_told_apart", stopped)
    assert register_bones(case).bones[0].result is RESULT
    monkeypatch.setattr(registering_bones, "refined_together", stopped)
    found = register_bones(case)
    assert found.bones[0].result is RESULT
    assert found.together is None


@pytest.mark.parametrize("is_kept", [True, False])
def test_joints_are_kept_where_that_is_asked_for(case, searched, monkeypatch, is_kept):
    joint = FoundJoint("b", "a", True, 3.0, 1.0, True)
    monkeypatch.setattr(registering_bones, "with_joints_kept", lambda _, bones, *__: (list(bones), (joint,)))
    found = register_bones(replace(case, keeps_joints=is_kept))
    assert found.joints == ((joint,) if is_kept else ())
    told = {"bone": "b", "against": "a", "is_ball": True, "image_gap_mm": 3.0, "gap_mm": 1.0, "is_in_place": True}
    assert bones_to_dict(found)["joints"] == ([told] if is_kept else [])


def test_a_time_limit_is_each_bones_own(case, searched):
    searched.results = {"b": [replace(FAILED, stopped="time limit")]}
    found = register_bones(case, RegistrationConfig(time_limit_s=7.0))
    assert len(searched.cases) == 4
    assert found.stopped == "time limit"


def read_as(polarity: str, is_given: bool = False) -> tuple[PolarityUsed, ...]:
    return (PolarityUsed(polarity, is_given, 1.0 if is_given else 0.9, is_given or polarity == "bone-bright"),)


@pytest.fixture
def open_case(case) -> Case:
    """The case with an X-ray whose polarity is open; it looks bone-bright."""
    xray = case.views[0].xray
    other = replace(xray, line_integrals=np.ones_like(xray.line_integrals), polarity="bone-dark")
    view = replace(case.views[0], xray=replace(xray, polarity="bone-bright", other=other))
    return replace(case, views=(view,))


def test_an_accepted_bone_decides_the_polarity_for_the_others(open_case, searched):
    given = read_as("bone-dark", is_given=True)
    failed = replace(FAILED, polarities=given, reasons=("little fits", *polarity_reasons(given, is_accepted=False)))
    searched.results = {"b": [replace(RESULT, polarities=read_as("bone-dark"))], "c": [failed], "a": [RESULT]}
    found = register_bones(open_case)
    first, *others = [one.views[0].xray for one in searched.cases]
    assert (first.polarity, first.other.polarity) == ("bone-bright", "bone-dark")
    assert {(xray.polarity, xray.other) for xray in others} == {("bone-dark", None)}
    assert {bone.result.polarities for bone in found.bones} == {read_as("bone-dark")}
    assert found.bones[2].result.reasons == ("little fits", "the polarity was taken from b, which was accepted")
    assert "against what the image looks like" in found.bones[0].result.reasons[0]
    assert found.warnings == ()


def test_a_bone_that_was_read_otherwise_before_is_searched_again(open_case, searched):
    before = replace(RESULT, status="uncertain", confidence=0.9, is_settled=False, polarities=read_as("bone-bright"))
    again = replace(before, confidence=0.6, polarities=read_as("bone-dark", is_given=True))
    searched.results = {"b": [before, again], "c": [replace(RESULT, polarities=read_as("bone-dark"))]}
    found = register_bones(open_case)
    assert [one.views[0].xray.polarity for one in searched.cases] == ["bone-bright"] * 2 + ["bone-dark"] * 2
    assert (found.bones[1].result.confidence, found.bones[1].result.polarities) == (0.6, read_as("bone-dark"))


def test_of_bones_with_opposite_polarities_only_the_most_convincing_is_accepted(open_case, searched, monkeypatch):
    doubtful = replace(RESULT, status="uncertain", confidence=0.8, polarities=read_as("bone-bright"))
    searched.results = {"b": [doubtful], "c": [replace(RESULT, polarities=read_as("bone-dark"))]}
    searched.refined = Refined((AHEAD, shifted(0.5), AHEAD), (0.0, 0.5, 0.0), Together(2, 0.5, 0.6))
    judged = replace(doubtful, status="accepted", confidence=0.95)
    monkeypatch.setattr(registering_bones, "judged_told_apart", lambda *_: judged)
    found = register_bones(open_case)
    assert [bone.result.status for bone in found.bones] == ["accepted", "uncertain", "accepted"]
    assert "another polarity than " in found.bones[1].result.reasons[0]
    (warning,) = found.warnings
    assert warning.startswith("b was found with another polarity than ")


def test_the_picture_shows_the_xray_as_it_was_read(open_case, monkeypatch, tmp_path):
    shown = []

    def draw(name: str, words: object, views: list[BonesView]) -> Image.Image:
        shown.extend(float(view.fluoroscopy.mean()) for view in views)
        return Image.new("L", (8, 8))

    monkeypatch.setattr(bones_outputs, "draw_bones", draw)
    monkeypatch.setattr(bones_outputs, "write_case_outputs", lambda *_: None)
    results = (FAILED, replace(RESULT, polarities=read_as("bone-dark")), None)
    bones = tuple(FoundBone(bone, result) for bone, result in zip(open_case.bones, results, strict=True))
    old = tmp_path / "k" / "c" / "result.json"
    old.parent.mkdir(parents=True)
    old.write_text("of an earlier run")
    write_bones_outputs(tmp_path / "k", open_case, BonesResult("k", bones, (), None, (), 2.0, "cancelled"))
    assert shown == [1.0]
    assert not old.parent.exists()  # its turn never came


@pytest.mark.parametrize(
    ("statuses", "stopped", "worst", "code"),
    [
        (("accepted", "accepted"), None, "accepted", ExitCode.DONE),
        (("accepted", "uncertain"), None, "uncertain", ExitCode.NOT_ACCEPTED),
        (("failed", "uncertain"), None, "failed", ExitCode.NOT_ACCEPTED),
        (("accepted", None), "cancelled", "failed", ExitCode.STOPPED),
        (("accepted", "accepted"), "time limit", "accepted", ExitCode.STOPPED),
    ],
)
def test_the_case_is_as_bad_as_its_worst_bone(statuses, stopped, worst, code):
    bones = tuple(
        FoundBone(Bone(str(n), np.ones((1, 1, 1), bool)), None if status is None else replace(RESULT, status=status))
        for n, status in enumerate(statuses)
    )
    found = BonesResult("k", bones, (), None, (), 2.0, stopped)
    assert found.status == worst
    assert exit_code_of([found]) == code
    assert bones_to_dict(found)["status"] == worst
    json.dumps(bones_to_dict(found), allow_nan=False)


def test_motion_is_the_second_bones_in_the_frame_of_the_first():
    turn = np.eye(4)
    turn[:3, :3] = rotation_from_vector(np.deg2rad([0.0, 0.0, 30.0]))
    motion = volume_motion(AHEAD @ turn, AHEAD)
    np.testing.assert_allclose(motion, turn, atol=1e-12)
    told = relative_motion("femur", "pelvis", motion, np.array([10.0, 0.0, 5.0]))
    np.testing.assert_allclose(told.rotation_ras_deg, [0, 0, 30], atol=1e-9)
    # The centre on the right goes to the front: R cos - 1, A sin.
    np.testing.assert_allclose(told.translation_ras_mm, [10 * (np.sqrt(3) / 2 - 1), 5, 0], atol=1e-9)
    assert told.sentence() == (
        "femur against pelvis: turned by 30.0 degrees (about R +0.0, A +0.0, S +30.0), centre shifted by 5.2 mm"
        " (R -1.3, A +5.0, S +0.0)"
    )
    assert told.to_dict()["rotation_deg"] == pytest.approx(30.0)


@pytest.mark.parametrize(("shift_mm", "now_mm"), [(0.0, 6.0), (-4.0, 2.0), (-10.0, -4.0), (-14.0, -8.0), (12.0, 18.0)])
def test_distances_of_two_blocks(shift_mm, now_mm):
    ct = Volume(np.zeros((20, 20, 60), dtype=np.float32), np.diag([1.0, 1.0, 1.0, 1.0]))
    still, moving = np.zeros((2, 20, 20, 60), dtype=bool)
    still[:, :, 5:25], moving[2:18, 2:18, 31:50] = True, True
    motion = np.eye(4)
    motion[0, 3] = shift_mm
    found = nearness(ct, moving, still, motion)
    assert found.in_ct_mm == pytest.approx(6.0, abs=1.0)
    assert found.now_mm == pytest.approx(now_mm, abs=1.0)


def test_bones_far_from_each_other_share_no_joint():
    ct = Volume(np.zeros((8, 8, 90), dtype=np.float32), np.diag([1.0, 1.0, 1.0, 1.0]))
    still, moving = np.zeros((2, 8, 8, 90), dtype=bool)
    still[:, :, :5], moving[:, :, 70:] = True, True
    found = nearness(ct, moving, still, np.eye(4))
    assert found == Nearness(FAR_MM, FAR_MM)
    assert not found.is_joint


@pytest.mark.parametrize(
    ("in_ct_mm", "now_mm", "words"),
    [
        (1.0, 2.0, None),
        (1.0, 0.5 - OVERLAP_MM, None),
        (1.0, -0.5 - OVERLAP_MM, "6 mm deep in pelvis"),
        (-2.0, -0.5 - OVERLAP_MM, None),
        (1.0, 0.5 + OPENED_MM, None),
        (1.0, 2.0 + OPENED_MM, "9 mm farther from pelvis than in the CT"),
        (1.0, FAR_MM, "more than 24 mm farther"),
        (15.0, FAR_MM, None),
    ],
)
def test_only_changes_that_no_joint_makes_are_warned_of(in_ct_mm, now_mm, words):
    warning = Nearness(in_ct_mm, now_mm).warning("femur", "pelvis")
    assert (warning is None) == (words is None)
    assert words is None or words in warning


def test_folders_in_the_way_are_told_before_anything_runs(tmp_path):
    (tmp_path / "bones.json").mkdir()
    (tmp_path / "a" / "result.json").mkdir(parents=True)
    (fault,) = bones_folder_faults(tmp_path, ["a"], "Choose another.")
    assert "bones.json" in fault
    (tmp_path / "bones.json").rmdir()
    (fault,) = bones_folder_faults(tmp_path, ["a"], "Choose another.")
    assert str(tmp_path / "a" / "result.json") in fault
