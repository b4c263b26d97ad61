"""Bones that move by themselves: from parts of an anatomy to a transform and a row each."""

from dataclasses import replace

import numpy as np
import pytest
import slicer
from SyntheticBones import SPACING_MM, bonesHu, twoBones
from WorkerDriving import pump_logic

from Patience import PATIENCE_S
from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.images.attenuation import moving_volume
from prostreg.images.volume import Volume
from prostreg.projector.selection import make_projector
from prostreg.registration.bones.bones_of_file import MOST_BONES
from prostreg.registration.bones.contact import Nearness
from ProSTRegistrationLib.Bones.BoneDecisions import placeBones
from ProSTRegistrationLib.Bones.BoneDrrs import boneDrrsOf
from ProSTRegistrationLib.Bones.BonesOfAnatomy import bonesOf
from ProSTRegistrationLib.Bones.BonesRuns import (
    addBones,
    bonesOfRun,
    doubtContacts,
    isNothingPlaced,
    shownBones,
    weakestPlaced,
)
from ProSTRegistrationLib.Bones.BoneTransforms import boneTransform, setBonePoses
from ProSTRegistrationLib.BonesJob import BonesJob
from ProSTRegistrationLib.Jobs import JobState
from ProSTRegistrationLib.Logic import Logic
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
from ProSTRegistrationLib.Nodes.Attempts import attempts, decide
from ProSTRegistrationLib.Nodes.DrrOrigin import isMadeOf, originOf
from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
from ProSTRegistrationLib.Nodes.JudgedInputs import InputDigester
from ProSTRegistrationLib.Nodes.Scene import Scene

CARM = CArm.from_sdd(1000.0, (2.8, 2.8), (64, 64))
WORDS = {"start": "as loaded", "method": "cmaes", "quality": "normal", "carm": "told"}
TINY = {
    "method": "cmaes", "seed": 1, "population": 8, "generations": 4, "restarts": 1, "time_limit_s": PATIENCE_S,
    "spread_rotation_deg": 3.0, "spread_shift_mm": 4.0, "spread_depth_mm": 3.0,
}  # fmt: skip


@pytest.fixture
def patient(scene, addVolume, rotation):
    """A CT, a label map of its two bones, and an X-ray in which the second has moved."""
    rasFromIjk = np.diag([*SPACING_MM, 1.0])
    rasFromIjk[:3, 3] = (-52, -50, -60)
    ct = addVolume(bonesHu(), rasFromIjk)
    labels = addVolume(twoBones(), rasFromIjk, "Labels", "vtkMRMLLabelMapVolumeNode")
    pose, motion = rotation((1, 0, 0), 90, (4, -6, 700)), rotation((0, 0, 1), 0, (3, 0, -3))
    volume = Volume(bonesHu().astype(np.float32), rasFromIjk)
    drr = sum(
        make_projector(moving_volume(volume, twoBones() == value)).render(place[np.newaxis], CARM)[0]
        for value, place in ((1, pose), (2, pose @ motion))
    )
    xray = addVolume((4000 * np.exp(-drr)).astype(np.uint16)[np.newaxis], name="Fluoro")
    scene.placeFluoroscopy(xray, CARM)
    scene.setPose(ct, pose, [labels])
    return ct, labels, xray


@pytest.fixture
def anatomy(patient):
    return AnatomyChoice(patient[1], movesInParts=True)


def answer(statuses, poses, warnings=()):
    """What the worker replies, as far as the scene keeps it."""
    names = [str(number) for number in range(1, len(statuses) + 1)]
    bones = []
    for name, status, pose in zip(names, statuses, poses, strict=True):
        result = {
            "status": status, "confidence": 0.9, "seconds": 3.0, "world_from_volume": pose.tolist(), "reasons": [],
            "expected_error": {"across_mm": 0.4, "along_mm": 2.0, "rotation_deg": [0.2, 0.2, 0.1]},
        }  # fmt: skip
        bones.append({"name": name, "part": name, "status": status, "result": status and result})
    placed = [bone["name"] for bone in bones if bone["status"] not in (None, "failed")]
    motion = {"rotation_ras_deg": [0.0, 0.0, 6.0], "translation_ras_mm": [3.0, 0.0, -4.0]}
    motions = [{"bone": name, "against": placed[0], **motion} for name in placed[1:]]
    return {"bones": bones, "relative_motion": motions, "warnings": list(warnings), "stopped": None}


@pytest.fixture
def inputs(patient, anatomy):
    """What is judged."""
    return InputDigester().inputs(patient[0], [patient[2]], anatomy, {})


@pytest.fixture
def end(scene, patient, inputs):
    """Adds a run to the table, as the panel does at its end; gives the number of the attempt that is shown."""
    ct = patient[0]

    def add(*told):
        result = answer(*told)
        doubtContacts(result)
        return addBones(scene, ct, result, {**WORDS, "inputs": inputs.text()}, scene.ct(ct)[1])

    return add


@pytest.fixture
def poses(rotation):
    return [rotation((0, 0, 1), angle, (1, 2, 600)) for angle in (10, 20, 30)]


def matrixOf(scene, ct, part):
    return slicer.util.arrayFromTransformMatrix(boneTransform(scene, ct, part))


class TestWhichBones:
    def test_each_chosen_part_is_a_bone(self, patient, anatomy):
        found = [(bone.part, bone.name, bone.anatomy.labelValues) for bone in bonesOf(anatomy)]
        assert found == [("1", "1", (1,)), ("2", "2", (2,))]
        (one,) = bonesOf(AnatomyChoice(patient[1], labelValues=(2,), movesInParts=True))
        assert one.part == "2"

    def test_segments_of_one_name_are_told_apart(self, headless):
        node = headless.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Bones")
        for _ in range(2):
            node.GetSegmentation().AddEmptySegment("", "femur")
        bones = bonesOf(AnatomyChoice(node, movesInParts=True))
        assert [bone.name for bone in bones] == ["femur", "femur (2)"]
        assert bones[1].anatomy.segmentIds == (node.GetSegmentation().GetNthSegmentID(1),)

    def test_too_many_are_refused(self, headless):
        node = headless.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Bones")
        for _ in range(MOST_BONES + 1):
            node.GetSegmentation().AddEmptySegment("", "rib")
        with pytest.raises(InputError, match=f"{MOST_BONES + 1} parts .* choose 1 to {MOST_BONES}"):
            bonesOf(AnatomyChoice(node, movesInParts=True))

    def test_whether_parts_move_is_among_what_was_judged(self, patient, inputs):
        ct, labels, xray = patient
        for other in (AnatomyChoice(labels), AnatomyChoice(labels, movesInParts=True, keepsJoints=True)):
            assert InputDigester().inputs(ct, [xray], other, {}).differences(inputs) == ["anatomy"]


def test_the_real_worker_gives_each_bone_a_transform_and_a_row(scene, client, patient, anatomy, tmp_path, headless):
    ct, _, xray = patient
    logic, progress, results, start = Logic(scene.mrmlScene, client), [], [], scene.ct(ct)[1]
    logic.register(ct, [xray], anatomy, TINY, onProgress=progress.append, onDone=results.append, onError=results.append)
    assert logic.isRegistering
    pump_logic(logic, lambda: results)
    (result,) = results
    assert not isinstance(result, Exception), result
    assert {told["bone"] for told in progress} >= {"1", "2"}
    assert [(bone["name"], bone["part"]) for bone in result["bones"]] == [("1", "1"), ("2", "2")]
    assert not isNothingPlaced(result)
    placed = {
        bone["part"]: np.array(bone["result"]["world_from_volume"])
        for bone in result["bones"]
        if not isNothingPlaced(bone)
    }
    weakest = result["bones"][weakestPlaced(result["bones"])]
    np.testing.assert_allclose(scene.ct(ct)[1], weakest["result"]["world_from_volume"], atol=1e-9)
    for part, pose in placed.items():
        assert boneTransform(scene, ct, part).GetName() == f"{part} to C-arm"
        np.testing.assert_allclose(matrixOf(scene, ct, part), pose, atol=1e-9)
    own = [(bone.anatomy, placed[bone.part]) for bone in bonesOf(anatomy) if bone.part in placed]
    drr, pose = scene.findOwned(xray, "drr"), scene.ct(ct)[1]
    assert isMadeOf(drr, originOf(ct, xray, anatomy, pose, own))
    assert not isMadeOf(drr, originOf(ct, xray, anatomy, pose))
    np.testing.assert_allclose(boneDrrsOf(scene, xray, drr).sum(axis=0), slicer.util.arrayFromVolume(drr)[0], atol=1e-4)
    addBones(scene, ct, result, {**WORDS, "inputs": "none"}, start)
    assert headless.save(tmp_path / "scene.mrb")
    with HeadlessScene() as other:
        assert other.load(tmp_path / "scene.mrb")
        loaded = Scene(other.scene)
        ctAgain = other.scene.GetFirstNodeByName("CT")
        bones = bonesOfRun(loaded, ctAgain, 1)
        assert [bone["bone"] for bone in bones] == [bone["bone"] for bone in bonesOfRun(scene, ct, 1)]
        for bone in bones:
            if bone["status"] != "failed":
                found = matrixOf(loaded, ctAgain, bone["bone"].part)
                np.testing.assert_allclose(bone["worldFromVolume"], found, atol=1e-6)


def test_the_worker_is_told_that_joints_stay(scene, client, patient, anatomy, monkeypatch):
    (ct, _, xray), asked, errors = patient, [], []
    monkeypatch.setattr(
        BonesJob, "_ask", lambda job, ids, *command, **told: asked.append((*command, told["keep_joints"]))
    )
    logic = Logic(scene.mrmlScene, client)
    logic.register(ct, [xray], replace(anatomy, keepsJoints=True), TINY, onError=errors.append)
    pump_logic(logic, lambda: asked or errors)
    assert (asked, errors) == ([("register_bones", True)], [])


def test_a_cancel_before_the_worker_began_ends_it_at_once(scene, client, patient, anatomy):
    ct, _, xray = patient
    logic, errors = Logic(scene.mrmlScene, client), []
    logic.register(ct, [xray], anatomy, TINY, onError=errors.append)
    assert logic.state is JobState.LOADING
    logic.cancel()
    assert [error.kind for error in errors] == ["stopped"]
    assert not logic.isBusy
    assert boneTransform(scene, ct, "1") is None


class TestRuns:
    def test_a_row_for_each_bone_and_the_weakest_is_shown(self, scene, patient, end, poses):
        ct = patient[0]
        assert end(("accepted", "failed", "uncertain"), poses) == 3
        bones = bonesOfRun(scene, ct, 1)
        assert [bone["bone"].name for bone in bones] == ["1", "2", "3"]
        assert [bone["bone"].against for bone in bones] == ["", "", "1"]
        assert bones[2]["bone"].motion == (0.0, 0.0, 6.0, 3.0, 0.0, -4.0)
        assert [row["Run"] for row in attempts(scene, ct)] == ["1", "1", "1"]
        assert end(("accepted", None, "accepted"), poses) == 4
        assert [bone["number"] for bone in bonesOfRun(scene, ct, 4)] == [4, 5]

    def test_each_bone_is_drawn_at_its_own_pose_where_one_of_them_was_found(
        self, scene, patient, anatomy, end, inputs, poses
    ):
        ct, labels, xray = patient
        start = scene.ct(ct)[1]
        end(("accepted", "accepted", "failed"), poses)

        def shown(pose, choice=anatomy, judged=inputs):
            return [bone.name for bone in shownBones(scene, ct, choice, judged, pose)]

        assert shown(poses[0]) == shown(poses[1]) == ["1", "2"]
        second = shownBones(scene, ct, anatomy, inputs, poses[0])[1]
        np.testing.assert_array_equal(second.worldFromVolume, poses[1])
        assert second.anatomy.labelValues == (2,)
        assert shown(start) == []
        assert shown(poses[0], AnatomyChoice(labels)) == []
        decide(scene, ct, 2, "rejected")
        assert shown(poses[0]) == ["1"]
        others = InputDigester().inputs(ct, [xray], AnatomyChoice(labels), {})
        assert shown(poses[0], judged=others) == []

    def test_transforms_follow_decisions(self, scene, patient, end, poses):
        ct, start = patient[0], scene.ct(patient[0])[1]
        end(("accepted", "uncertain", "failed"), poses)
        decide(scene, ct, 2, "rejected")
        placeBones(scene, ct, 1)
        np.testing.assert_allclose(matrixOf(scene, ct, "1"), poses[0], atol=1e-9)
        np.testing.assert_allclose(matrixOf(scene, ct, "2"), start, atol=1e-9)
        assert boneTransform(scene, ct, "3") is None, "nothing was found of it"

    def test_nothing_moves_where_one_transform_lies_under_one_that_is_not_rigid(
        self, scene, patient, addTransform, poses
    ):
        ct = patient[0]
        setBonePoses(scene, ct, [("1", "a", poses[0]), ("2", "b", poses[0])])
        boneTransform(scene, ct, "2").SetAndObserveTransformNodeID(addTransform(np.diag([2.0, 1, 1, 1])).GetID())
        with pytest.raises(InputError, match="scales"):
            setBonePoses(scene, ct, [("1", "a", poses[1]), ("2", "b", poses[1])])
        np.testing.assert_allclose(matrixOf(scene, ct, "1"), poses[0], atol=1e-9)

    def test_bones_that_lie_in_each_other_are_not_trusted(self, scene, patient, end, poses):
        """By the engine's own sentences: another wording there has to be followed here."""
        deep = Nearness(in_ct_mm=1.0, now_mm=-9.0).warning("2", "3")
        opened = Nearness(in_ct_mm=1.0, now_mm=20.0).warning("2", "3")
        for number, warning in ((1, deep), (4, opened)):
            assert end(("accepted",) * 3, poses, [warning, "2 was found with another polarity than 1"]) == number + 1
            bones = bonesOfRun(scene, patient[0], number)
            assert [bone["status"] for bone in bones] == ["accepted", "uncertain", "uncertain"]
            assert bones[1]["reasons"][0] == bones[2]["reasons"][0] == warning.split("; ")[0]

    def test_nothing_placed_is_a_run_without_any_place(self, poses):
        assert isNothingPlaced(answer(("failed", None), poses[:2]))
        assert not isNothingPlaced(answer(("failed", "uncertain"), poses[:2]))
        assert isNothingPlaced({"status": "failed"})
