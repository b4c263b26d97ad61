"""A scene that is saved as .mrb and loaded again goes on where it was."""

import numpy as np
import pytest
import slicer
import vtk

from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas
from ProSTRegistrationLib.Nodes.Scene import Scene

RESULT = {
    "name": "größe; \"5\" a,b", "status": "uncertain", "confidence": 0.4, "reasons": ["flat, score"],
    "world_from_volume": np.eye(4).tolist(), "camera_from_volume": [np.eye(4).tolist()],
    "stages": [{"name": "polish", "evaluations": 12, "seconds": 0.2, "score": 0.5, "starts": 1}],
    "seconds": 2.1, "device": "cpu", "projector": "fused-cpu", "mtre_mm": 1.25, "stopped": None,
    "config": {"seed": 3}, "versions": {}, "warnings": [],
}  # fmt: skip


@pytest.fixture
def saved(headless, scene, addVolume, addTransform, rotation, obliqueCarm, tmp_path):
    """A full scene written as a bundle; returns its path."""
    rng = np.random.default_rng(3)
    ctVoxels = rng.integers(-1000, 2000, (5, 6, 7)).astype(np.int16)
    ctNode = addVolume(ctVoxels, rotation((1, 1, 3), 25, (-30, 12, 50)) @ np.diag([0.7, 0.9, 2.5, 1]))
    ctNode.SetAndObserveTransformNodeID(addTransform(rotation((0, 1, 0), 33, (5, 6, 7))).GetID())
    xray = addVolume(rng.integers(0, 4096, (1, 120, 160)).astype(np.uint16), name="Fluoro AP")
    scene.placeFluoroscopy(xray, obliqueCarm)
    scene.setPose(ctNode, rotation((1, 0, 2), -50, (10, 20, 30)))
    scene.showDrr(xray, rng.random((60, 80), dtype=np.float32), downsampling=2)
    scene.showResult(ctNode, RESULT)
    scene.gather(ctNode, [xray])
    path = tmp_path / "Ordner mit Umlaut ü" / "scene.mrb"
    path.parent.mkdir()
    assert headless.save(path)
    return path


def nodesOf(mrmlScene, className):
    nodes = mrmlScene.GetNodesByClass(className)
    nodes.UnRegister(None)
    return [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]


def volumes(mrmlScene):
    return {
        node.GetName(): (ijkToRas(node), slicer.util.arrayFromVolume(node))
        for node in nodesOf(mrmlScene, "vtkMRMLScalarVolumeNode")
    }


def parents(mrmlScene):
    nodes = nodesOf(mrmlScene, "vtkMRMLTransformableNode")
    return {node.GetName(): node.GetParentTransformNode() and node.GetParentTransformNode().GetName() for node in nodes}


def matrices(mrmlScene):
    nodes = nodesOf(mrmlScene, "vtkMRMLLinearTransformNode")
    return {node.GetName(): slicer.util.arrayFromTransformMatrix(node) for node in nodes}


def hierarchyContent(mrmlScene):
    """(name, name of the parent) of every subject-hierarchy item."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(mrmlScene)
    items = vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
    identifiers = [items.GetId(index) for index in range(items.GetNumberOfIds())]
    return {(hierarchy.GetItemName(i), hierarchy.GetItemName(hierarchy.GetItemParent(i))) for i in identifiers}


def test_folder_holds_everything(headless, saved):
    folder = "Registration of CT"
    owned = {"CT", "CT to C-arm", "CT registration", "Fluoro AP", "Fluoro AP DRR"}
    models = {"Fluoro AP source", "Fluoro AP detector", "Fluoro AP frustum"}
    assert hierarchyContent(headless.scene) == {(name, folder) for name in owned | models} | {(folder, "Scene")}


def test_reloaded_scene_is_equal(headless, saved, tableContent):
    with HeadlessScene() as other:
        assert other.load(saved)
        assert parents(other.scene) == parents(headless.scene)
        assert hierarchyContent(other.scene) == hierarchyContent(headless.scene)
        expected = matrices(headless.scene)
        assert matrices(other.scene).keys() == expected.keys()
        for name, matrix in matrices(other.scene).items():
            assert np.allclose(matrix, expected[name], atol=1e-9), name
        loaded = volumes(other.scene)
        assert loaded.keys() == {"CT", "Fluoro AP", "Fluoro AP DRR"}
        for name, (matrix, voxels) in volumes(headless.scene).items():
            assert np.allclose(loaded[name][0], matrix, atol=1e-6), name
            assert loaded[name][1].dtype == voxels.dtype
            assert np.array_equal(loaded[name][1], voxels), name
        before, after = (s.GetFirstNodeByName("CT registration") for s in (headless.scene, other.scene))
        assert tableContent(after) == tableContent(before)


def test_reloaded_scene_goes_on(saved, obliqueCarm, rotation):
    with HeadlessScene() as other:
        other.load(saved)
        scene = Scene(other.scene)
        ctNode, xray = (other.scene.GetFirstNodeByName(name) for name in ("CT", "Fluoro AP"))
        _, carm = scene.fluoroscopy(xray)
        assert np.array_equal(carm.intrinsics, obliqueCarm.intrinsics)
        assert np.array_equal(carm.camera_from_world, obliqueCarm.camera_from_world)
        nodesBefore = other.scene.GetNumberOfNodes()
        assert scene.showDrr(xray, np.ones((120, 160), dtype=np.float32)).GetName() == "Fluoro AP DRR"
        assert scene.showResult(ctNode, RESULT).GetName() == "CT registration"
        assert other.scene.GetNumberOfNodes() == nodesBefore


def test_nodes_filed_under_a_patient_stay_there(headless, scene, addVolume, obliqueCarm):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(headless.scene)
    ctNode = addVolume(np.zeros((2, 2, 2), dtype=np.int16))
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Patient")
    hierarchy.CreateItem(patient, ctNode)
    xray = addVolume(np.zeros((1, 120, 160), dtype=np.uint16), name="Fluoro")
    scene.placeFluoroscopy(xray, obliqueCarm)
    folder = scene.gather(ctNode, [xray])
    assert scene.gather(ctNode, [xray]) == folder
    assert ("CT", "Patient") in hierarchyContent(headless.scene)
    assert ("Fluoro", "Registration of CT") in hierarchyContent(headless.scene)
