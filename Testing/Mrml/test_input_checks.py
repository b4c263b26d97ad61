"""Wrong choices of images, on real nodes: what the user is told, and that the scene stays as it was."""

import sys
import time

import numpy as np
import pytest
import slicer

from Patience import PATIENCE_S
from prostreg.geometry.carm import CArm
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
from ProSTRegistrationLib.Nodes.CArmNode import CARM_ATTRIBUTE
from ProSTRegistrationLib.Nodes.InputChecks import imageFaults
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas
from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient
from ProSTRegistrationLib.Worker.WorkerData import BONE_BY_THRESHOLD, WorkerData
from ProSTRegistrationLib.Worker.WorkerSource import LocalWorker


@pytest.fixture
def ctNode(addVolume):
    hu = np.full((30, 40, 50), -1000, dtype=np.int16)
    hu[5:25, 8:32, 10:40] = 300
    return addVolume(hu, np.diag([2.0, 2.0, 3.0, 1]))


@pytest.fixture
def xray(scene, addVolume, obliqueCarm):
    node = addVolume(np.zeros((1, 120, 160), dtype=np.uint16), name="Fluoro")
    scene.placeFluoroscopy(node, obliqueCarm)
    return node


def snapshot(mrmlScene):
    """What users would see changed: nodes, names, attributes, parents, places, and the age of images."""
    nodes = [mrmlScene.GetNthNode(index) for index in range(mrmlScene.GetNumberOfNodes())]
    return [(node.GetID(), node.GetName(), attributesOf(node), *placeOf(node)) for node in nodes]


def attributesOf(node):
    return {name: node.GetAttribute(name) for name in node.GetAttributeNames()}


def placeOf(node):
    if node.IsA("vtkMRMLVolumeNode"):
        image = node.GetImageData()
        return node.GetTransformNodeID(), ijkToRas(node).tolist(), image and image.GetMTime()
    if node.IsA("vtkMRMLLinearTransformNode"):
        return node.GetTransformNodeID(), slicer.util.arrayFromTransformMatrix(node).tolist()
    return ()


@pytest.fixture
def faults(headless):
    """The faults of a choice; checks that looking for them changed nothing."""

    def found(*choice):
        before = snapshot(headless.scene)
        result = imageFaults(*choice)
        assert snapshot(headless.scene) == before
        return result

    return found


def expect(faults, *words):
    assert len(faults) == len(words), faults
    for fault, word in zip(faults, words, strict=True):
        assert word in fault
        assert fault.endswith(".")


def test_good_choice_has_no_fault(faults, ctNode, xray):
    assert faults(ctNode, [xray]) == []


def test_nothing_is_chosen(faults):
    expect(faults(None, [None]), "No CT is chosen", "No X-ray is chosen")


class TestImages:
    def test_ct_and_xray_swapped(self, faults, ctNode, xray):
        (fault,) = faults(xray, [ctNode])
        assert "CT and X-ray are swapped: 'Fluoro', chosen as CT, is a single picture" in fault
        assert "'CT', chosen as X-ray, has 30 slices. Exchange them." in fault

    def test_same_volume_twice(self, faults, ctNode, xray):
        expect(faults(ctNode, [ctNode]), "'CT' is chosen as CT and as X-ray")
        expect(faults(ctNode, [xray, xray]), "'Fluoro' is chosen 2 times")

    def test_picture_as_ct(self, faults, xray, addVolume):
        other = addVolume(np.zeros((1, 9, 9), dtype=np.uint8), name="Picture")
        expect(faults(other, [xray]), "'Picture', chosen as CT, is a single picture")

    def test_label_map_as_ct(self, faults, xray, addVolume):
        labels = addVolume(np.ones((5, 9, 9), dtype=np.uint8), name="Labels", className="vtkMRMLLabelMapVolumeNode")
        expect(faults(labels, [xray]), "'Labels', chosen as CT, is a label map")

    def test_colour_xray(self, faults, ctNode, addVolume):
        colour = addVolume(np.zeros((1, 9, 9, 3), dtype=np.uint8), name="Shot", className="vtkMRMLVectorVolumeNode")
        expect(faults(ctNode, [colour]), "'Shot' has 3 values per voxel (a colour image)", "'Shot' has no C-arm")

    def test_multi_frame(self, faults, ctNode, addVolume):
        cine = addVolume(np.zeros((7, 9, 9), dtype=np.uint8), name="Run")
        expect(faults(ctNode, [cine]), "'Run', chosen as X-ray, has 7 frames or slices: choose a frame")

    def test_without_geometry(self, faults, ctNode, addVolume):
        expect(faults(ctNode, [addVolume(np.zeros((1, 9, 9), dtype=np.uint8), name="New")]), "'New' has no C-arm")

    def test_damaged_geometry(self, faults, ctNode, xray):
        xray.SetAttribute(CARM_ATTRIBUTE, "{")
        expect(faults(ctNode, [xray]), "C-arm kept with 'Fluoro' is damaged")

    def test_drr_as_xray(self, scene, faults, ctNode, xray):
        drr = scene.showDrr(xray, np.zeros((120, 160), dtype=np.float32))
        expect(faults(ctNode, [drr]), "'Fluoro DRR' is a DRR computed from the CT, not an X-ray")

    def test_empty_nodes(self, headless, faults):
        ct, xray = (headless.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name) for name in ("A", "B"))
        expect(faults(ct, [xray]), "volume 'A' is empty", "volume 'B' is empty", "'B' has no C-arm")

    def test_scaling_and_warping_transforms(self, headless, faults, ctNode, xray, addTransform):
        ctNode.SetAndObserveTransformNodeID(addTransform(np.diag([2.0, 1, 1, 1]), "Stretch").GetID())
        expect(faults(ctNode, [xray]), "'CT' is under the transform 'Stretch', which scales")
        warp = headless.scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "Warp")
        ctNode.SetAndObserveTransformNodeID(warp.GetID())
        expect(faults(ctNode, [xray]), "'CT' is under the transform 'Warp', which warps it")

    def test_rigid_parent_is_fine(self, faults, ctNode, xray, addTransform, rotation):
        ctNode.SetAndObserveTransformNodeID(addTransform(rotation((1, 2, 0), 40, (5, 6, 7))).GetID())
        assert faults(ctNode, [xray]) == []

    def test_all_faults_of_all_images(self, scene, faults, ctNode, xray, addVolume, addTransform):
        ctNode.SetAndObserveTransformNodeID(addTransform(np.diag([2.0, 1, 1, 1]), "Stretch").GetID())
        drr = scene.showDrr(xray, np.zeros((120, 160), dtype=np.float32))
        new = addVolume(np.zeros((1, 9, 9), dtype=np.uint8), name="New")
        expect(faults(ctNode, [xray, drr, new]), "'Stretch'", "'Fluoro DRR' is a DRR", "'New' has no C-arm")


class TestAnatomy:
    @pytest.fixture
    def segmentation(self, headless, addVolume):
        """Makes a segmentation of one block, shifted by mm against the CT."""

        def make(shiftMm=(0, 0, 0), block=(slice(5, 25), slice(8, 32), slice(10, 40))):
            labels = np.zeros((30, 40, 50), dtype=np.uint8)
            labels[block] = 1
            matrix = np.diag([2.0, 2.0, 3.0, 1])
            matrix[:3, 3] = shiftMm
            labelNode = addVolume(labels, matrix, "Labels", "vtkMRMLLabelMapVolumeNode")
            node = headless.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Bones")
            assert slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labelNode, node)
            return node

        return make

    def test_of_this_ct(self, faults, ctNode, xray, segmentation):
        assert faults(ctNode, [xray], AnatomyChoice(segmentation())) == []
        assert faults(ctNode, [xray], AnatomyChoice(segmentation((20, 0, 0)))) == []

    def test_of_another_patient_outside_the_ct(self, faults, ctNode, xray, segmentation):
        expect(
            faults(ctNode, [xray], AnatomyChoice(segmentation((70, 0, 0)))),
            "Anatomy 'Bones': only 17 % of it lie in the CT 'CT'. Does it belong to another patient",
        )

    def test_of_another_patient_in_air(self, faults, ctNode, xray, segmentation):
        air = segmentation(block=(slice(0, 30), slice(33, 40), slice(0, 50)))
        expect(
            faults(ctNode, [xray], AnatomyChoice(air)),
            "it lies mostly in air (-1000 HU) in the CT 'CT'. Does it belong",
        )

    def test_left_behind_by_the_ct(self, scene, faults, ctNode, xray, segmentation, rotation):
        bones = segmentation()
        scene.setPose(ctNode, rotation((1, 0, 0), 0, (500, 0, 0)))
        expect(faults(ctNode, [xray], AnatomyChoice(bones)), "it is under another transform than the CT 'CT'")
        bones.SetAndObserveTransformNodeID(ctNode.GetTransformNodeID())
        assert faults(ctNode, [xray], AnatomyChoice(bones)) == []

    def test_nothing_is_drawn(self, headless, faults, ctNode, xray):
        node = headless.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Bones")
        expect(faults(ctNode, [xray], AnatomyChoice(node)), "Anatomy 'Bones': no segment")

    def test_labels_that_do_not_occur(self, faults, ctNode, xray, addVolume):
        labels = addVolume(np.ones((5, 9, 9), dtype=np.uint8), name="Labels", className="vtkMRMLLabelMapVolumeNode")
        choice = AnatomyChoice(labels, labelValues=(7,))
        expect(faults(ctNode, [xray], choice), "Anatomy 'Labels': nothing is marked by its chosen labels")


def test_views_of_different_sizes_reach_the_worker(scene, faults, ctNode, xray, addVolume, tmp_path):
    rng = np.random.default_rng(2)
    slicer.util.updateVolumeFromArray(xray, rng.integers(0, 4000, (1, 120, 160)).astype(np.uint16))
    second = addVolume(rng.integers(0, 250, (1, 90, 70)).astype(np.uint8), name="Lateral")
    scene.placeFluoroscopy(second, CArm.from_sdd(900.0, (0.5, 0.5), (70, 90)))
    assert faults(ctNode, [xray, second]) == []
    client = WorkerClient(LocalWorker(sys.executable, tmp_path))
    loaded, failed = [], []
    try:
        data = WorkerData(scene, client)
        data.load(ctNode, [xray, second], BONE_BY_THRESHOLD, loaded.append, failed.append)
        deadline = time.monotonic() + PATIENCE_S
        while not loaded and not failed and time.monotonic() < deadline:
            client.poll()
            time.sleep(0.01)
    finally:
        client.stop()
    assert not failed
    assert len(set(loaded[0].views)) == 2
