"""``python -m ProSTRegistrationLib.SceneFile`` as the command line calls it."""

import json
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
import slicer

from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import transform_points
from prostreg.images.image_file import write_with_spacing
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas
from ProSTRegistrationLib.Nodes.Scene import Scene

CARM = CArm.from_sdd(900.0, (0.9, 1.1), (64, 48), principal_point=(30.0, 25.5))


@pytest.fixture
def finished(tmp_path, rotation):
    """A case with two views in files and the folder of its result."""
    rng = np.random.default_rng(8)
    hu = rng.integers(-1000, 1500, (12, 14, 16)).astype(np.int16)
    ct = sitk.GetImageFromArray(hu)
    ct.SetSpacing((1.5, 2.0, 2.5))
    ct.SetOrigin((-11.0, -13.0, -14.0))
    sitk.WriteImage(ct, str(tmp_path / "ct.nii.gz"))
    views = []
    for number, pose in enumerate([np.eye(4), rotation((0, 1, 0), 90, (0, 0, 600))]):
        pixels = rng.integers(100, 4000, (48, 64)).astype(np.uint16)
        sitk.WriteImage(sitk.GetImageFromArray(pixels), str(tmp_path / f"xray{number}.tif"))
        camera = {"K": CARM.intrinsics.tolist(), "size": [64, 48], "camera_from_world": pose.tolist()}
        views.append({"image": f"xray{number}.tif", "camera": camera, "polarity": "bone-dark"})
    start, found = rotation((1, 0, 0), 90, (0, 0, 600)), rotation((1, 0.1, 0), 92, (3, -4, 620))
    case = {"name": "case-7", "ct": "ct.nii.gz", "views": views, "initial": {"world_from_volume": start.tolist()}}
    (tmp_path / "case.json").write_text(json.dumps(case))
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("drr.nrrd", "drr_2.nrrd"):
        write_with_spacing(folder / name, rng.random((48, 64), dtype=np.float32), (0.9, 1.1))
    result = {
        "name": "case-7", "status": "accepted", "confidence": 0.9, "reasons": [], "stages": [], "seconds": 1.0,
        "world_from_volume": found.tolist(), "camera_from_volume": [], "device": "cpu", "projector": "fused-cpu",
        "mtre_mm": 0.8, "stopped": None, "config": {}, "versions": {}, "warnings": [],
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(result))
    return tmp_path, start, found, hu


def nodesOf(mrmlScene, className):
    nodes = mrmlScene.GetNodesByClass(className)
    nodes.UnRegister(None)
    return [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]


def run(folder, scene="scene.mrb"):
    command = [sys.executable, "-m", "ProSTRegistrationLib.SceneFile", folder / "out", folder / "case.json"]
    return subprocess.run([*command, folder / scene], capture_output=True, text=True)


def test_scene_shows_the_result(finished, headless, tableContent):
    folder, _, found, hu = finished
    outcome = run(folder)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")
    assert headless.load(folder / "scene.mrb")
    scene = Scene(headless.scene)
    ctNode, first, second = (
        headless.scene.GetFirstNodeByName(f"case-7 {name}") for name in ("CT", "fluoroscopy", "fluoroscopy 2")
    )
    volume, worldFromVolume = scene.ct(ctNode)
    assert np.array_equal(volume.values, hu)
    assert np.allclose(transform_points(volume.volume_from_index, (0, 0, 0)), (11, 13, -14))
    assert np.allclose(worldFromVolume, found, atol=1e-9)
    assert tableContent(headless.scene.GetFirstNodeByName("case-7 CT registration"))["mTRE (mm)"] == "0.8"
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "xray1.tif")))
    pixels, carm = scene.fluoroscopy(second)
    assert np.array_equal(pixels, expected)
    assert np.allclose(carm.project_world(transform_points(ijkToRas(second), (12, 40, 0))), (12, 40), atol=1e-4)
    drr = slicer.util.arrayFromVolume(headless.scene.GetFirstNodeByName("case-7 fluoroscopy DRR"))[0]
    assert np.array_equal(drr, sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "out" / "drr.nrrd"))))
    (red,) = [node for node in nodesOf(headless.scene, "vtkMRMLSliceCompositeNode") if node.GetLayoutName() == "Red"]
    assert red.GetBackgroundVolumeID() == first.GetID()
    assert red.GetForegroundVolumeID() == headless.scene.GetFirstNodeByName("case-7 fluoroscopy DRR").GetID()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda folder: (folder / "out" / "result.json").unlink(),
            "check the path. Register the case again.",
        ),
        (lambda folder: (folder / "out" / "drr_2.nrrd").unlink(), "drr_2.nrrd cannot be read"),
        (lambda folder: (folder / "ct.nii.gz").unlink(), "ct.nii.gz"),
        (lambda folder: (folder / "out" / "drr.nrrd").write_text("no image"), "drr.nrrd cannot be read"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(finished, damage, words):
    folder = finished[0]
    damage(folder)
    outcome = run(folder)
    assert outcome.returncode == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert words in outcome.stderr
    assert not list(folder.glob("*.mrb"))
    assert not list(folder.glob(".prostreg-*"))


def test_place_that_cannot_be_written(finished):
    folder = finished[0]
    outcome = run(folder, "missing/scene.mrb")
    assert outcome.returncode == 2
    assert "cannot be written" in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
