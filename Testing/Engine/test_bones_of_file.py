"""Bones in case.json and on the command line: what is said is what the case holds, and all faults are told at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from prostreg.cli.main import main
from prostreg.errors import InputError
from prostreg.registration.case import RoughRelation
from prostreg.registration.case_file import read_case

POSE = np.array([[-1.0, 0, 0, 20], [0, 0, -1, 20], [0, -1, 0, 620], [0, 0, 0, 1]]).tolist()
TWO = [{"name": "pelvis", "values": [25, 78]}, {"name": "left femur", "values": [75]}]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small CT with two bones, their labels, and an X-ray."""
    monkeypatch.chdir(tmp_path)
    labels = np.zeros((20, 20, 20), dtype=np.uint8)
    labels[4:16, 4:9, 4:16], labels[4:16, 12:17, 4:16] = 25, 75
    hu = np.where(labels > 0, 800, 40).astype(np.int16)
    hu[:2] = hu[:, :, :2] = -1000
    for name, values in (("ct.nii.gz", hu), ("labels.nii.gz", labels)):
        image = sitk.GetImageFromArray(values)
        image.SetSpacing([2.0, 2.0, 2.0])
        sitk.WriteImage(image, name)
    pixels = np.random.default_rng(0).integers(0, 4000, (60, 80)).astype(np.uint16)
    sitk.WriteImage(sitk.GetImageFromArray(pixels), "xray.tif")


def case_with(anatomy: dict[str, Any], **more: Any) -> Path:
    view = {"image": "xray.tif", "camera": {"K": [[900, 0, 40], [0, 900, 30], [0, 0, 1]], "size": [80, 60]}}
    content = {"name": "hip", "ct": "ct.nii.gz", "anatomy": {"labels": "labels.nii.gz", **anatomy}, "views": [view]}
    Path("case.json").write_text(json.dumps({**content, **more}), encoding="utf-8")
    return Path("case.json")


def faults_of(anatomy: dict[str, Any], **more: Any) -> list[str]:
    with pytest.raises(InputError) as raised:
        read_case(case_with(anatomy, **more))
    return raised.value.faults


def test_each_bone_has_its_voxels_and_poses_and_the_anatomy_is_all_of_them():
    truth = {"world_from_volume": POSE, "landmarks": [[1, 2, 3]]}
    two = [TWO[0], {**TWO[1], "initial": {"world_from_volume": POSE}, "truth": truth}]
    case = read_case(case_with({"bones": two}, initial={"world_from_volume": np.eye(4).tolist()}))
    pelvis, femur = case.bones
    assert (pelvis.name, femur.name) == ("pelvis", "left femur")
    assert (pelvis.anatomy.sum(), femur.anatomy.sum()) == (12 * 5 * 12, 12 * 5 * 12)
    assert not (pelvis.anatomy & femur.anatomy).any()
    np.testing.assert_array_equal(case.anatomy, pelvis.anatomy | femur.anatomy)
    assert pelvis.initial_world_from_volume is None
    np.testing.assert_array_equal(femur.initial_world_from_volume, POSE)
    np.testing.assert_array_equal(femur.truth_world_from_volume, POSE)
    np.testing.assert_array_equal(femur.landmarks_mm, [[1, 2, 3]])


def test_bones_share_no_value_and_no_folder():
    bones = [*TWO, {"name": "Pelvis", "values": [75, 25]}]
    assert faults_of({"bones": bones}) == [
        'Two bones have the name "Pelvis": results are filed under it, so rename one.',
        'The value 75 belongs to "left femur" and to "Pelvis": bones that move against each other share no voxel, so'
        " give it to one of them.",
        'The value 25 belongs to "pelvis" and to "Pelvis": bones that move against each other share no voxel, so give'
        " it to one of them.",
    ]


def test_all_faults_of_bones_are_told_at_once():
    bones = [
        {"name": "a/b", "values": [25]},
        {"name": "femur", "values": []},
        {"name": "tibia", "values": [99]},
        {"name": "patella", "values": [75], "intial": 1},
        "fibula",
    ]
    faults = faults_of({"bones": bones, "values": [25]})
    expected = [
        '"values" and "bones"', '"a/b" cannot be a folder', '"values" of bone 2 is []',
        '"tibia": No voxel of the labels has a value', 'Bone 4 has the unknown key "intial"',
        "Bone 5 must be an object",
    ]  # fmt: skip
    for words in expected:
        assert sum(words in fault for fault in faults) == 1, (words, faults)


def test_faults_of_a_bones_poses_are_told_by_its_name():
    mirrored = np.diag([-1.0, 1.0, 1.0, 1.0]).tolist()
    bones = [
        {**TWO[0], "initial": {"world_from_volume": mirrored}},
        {"values": [75], "truth": {"world_from_volume": POSE, "landmark": 1}},
    ]
    faults = faults_of({"bones": bones})
    assert sum(fault.startswith('"pelvis": world_from_volume of "initial" is left-handed') for fault in faults) == 1
    assert sum(fault.startswith('Bone 2: "truth" has the unknown key "landmark"') for fault in faults) == 1


@pytest.mark.parametrize("bones", [[], "pelvis", {"pelvis": [25]}])
def test_bones_are_a_list_with_something_in_it(bones):
    (fault,) = faults_of({"bones": bones})
    assert fault.endswith("give a list of one or more bones.")


def test_a_start_behind_the_source_is_refused_by_the_bones_name(capsys):
    behind = np.array(POSE)
    behind[2, 3] = -620
    path = case_with({"bones": [TWO[0], {**TWO[1], "initial": {"world_from_volume": behind.tolist()}}]})
    assert main(["register", str(path), "--out", "out", "--json"]) == 2
    (fault,) = json.loads(capsys.readouterr().out)["error"]["faults"]
    assert fault.startswith('"left femur": The start pose puts the anatomy behind the X-ray source')
    assert not Path("out").exists()


def test_bones_are_told_on_the_command_line(capsys):
    told = ["--ct", "ct.nii.gz", "--xray", "xray.tif", "--sdd", "1000", "--pixel-mm", "0.5"]
    bones = ["--bone", "pelvis=25,78", "--bone", "left femur=75"]
    assert main(["case", *told, "--labels", "labels.nii.gz", *bones, "--out", "case"]) == 0
    written = json.loads(Path("case/case.json").read_text(encoding="utf-8"))
    assert written["anatomy"]["bones"] == TWO
    assert [bone.name for bone in read_case(Path("case")).bones] == ["pelvis", "left femur"]
    capsys.readouterr()
    for words, fault in (
        (bones, "--bone needs --labels FILE"),
        ([*bones, "--labels", "labels.nii.gz", "--values", "25"], "--values and --bone exclude each other"),
    ):
        assert main(["case", *told, *words, "--out", "again", "--json"]) == 2
        (told_fault,) = json.loads(capsys.readouterr().out)["error"]["faults"]
        assert fault in told_fault


def test_how_well_views_are_known_is_told_by_the_case():
    camera = {"K": [[900, 0, 40], [0, 900, 30], [0, 0, 1]], "size": [80, 60], "camera_from_world": POSE}
    sitk.WriteImage(sitk.ReadImage("xray.tif") + 1, "other.tif")
    two = [{"image": image, "camera": camera} for image in ("xray.tif", "other.tif")]
    assert read_case(case_with({"values": [25]}, views=two)).relation is None
    assert read_case(case_with({"values": [25]}, views=two, relation={})).relation == RoughRelation(3.0, 10.0)
    told = {"rotation_deg": 1.5, "translation_mm": 4}
    assert read_case(case_with({"values": [25]}, views=two, relation=told)).relation == RoughRelation(1.5, 4.0)
    for wrong in ({"rotation_deg": 31}, {"translation_mm": -1}, {"deg": 2}, "rough"):
        assert any('"relation"' in fault for fault in faults_of({"values": [25]}, views=two, relation=wrong))
    (fault,) = faults_of({"values": [25]}, relation={})
    assert fault == '"relation" is about several views, and the case has one: leave it out.'
    (fault,) = faults_of({"bones": TWO}, views=two, relation={})
    assert fault.startswith('"relation" and "bones" exclude each other')


def test_joints_are_kept_where_that_is_said(capsys):
    assert not read_case(case_with({"bones": TWO})).keeps_joints
    assert read_case(case_with({"bones": TWO, "keep_joints": True})).keeps_joints
    assert any('"keep_joints"' in fault for fault in faults_of({"bones": TWO, "keep_joints": "yes"}))
    told = ["--ct", "ct.nii.gz", "--xray", "xray.tif", "--sdd", "1000", "--pixel-mm", "0.5", "--keep-joints"]
    bones = ["--labels", "labels.nii.gz", "--bone", "pelvis=25,78", "--bone", "left femur=75"]
    assert main(["case", *told, *bones, "--out", "case"]) == 0
    assert read_case(Path("case")).keeps_joints
    capsys.readouterr()
    assert main(["case", *told, "--labels", "labels.nii.gz", "--values", "25", "--out", "again", "--json"]) == 2
    (fault,) = json.loads(capsys.readouterr().out)["error"]["faults"]
    assert "--keep-joints is about bones that share a joint" in fault
    assert main(["register", "case", "--keep-joints", "--out", "out", "--json"]) == 2
    (fault,) = json.loads(capsys.readouterr().out)["error"]["faults"]
    assert fault.startswith("--keep-joints would change nothing")


@pytest.mark.parametrize("bone", ["pelvis", "=25", "pelvis=25,x", "pelvis=", "pelvis=-3"])
def test_a_bone_that_cannot_be_read_is_refused(bone, capsys):
    assert main(["case", "--bone", bone, "--out", "case"]) == 2
    assert "Argument --bone" in capsys.readouterr().err
