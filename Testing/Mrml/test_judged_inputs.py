"""What a verdict was given for: the same after saving, another after any change."""

import numpy as np
import pytest
import slicer

from prostreg.geometry.carm import CArm
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
from ProSTRegistrationLib.Nodes.JudgedInputs import PARTS, InputDigester, JudgedInputs
from ProSTRegistrationLib.Nodes.NodeGeometry import setMatrix
from ProSTRegistrationLib.Nodes.Scene import Scene

SETTINGS = {"method": "auto", "spread_depth_mm": 60.0}
CARM = CArm.from_sdd(1000.0, (1.0, 1.0), (24, 20))


@pytest.fixture
def nodes(scene, addVolume):
    """A placed X-ray, a CT, and a segmentation of it with two segments."""
    rng = np.random.default_rng(3)
    ct = addVolume(rng.integers(-1000, 2000, (10, 12, 14)).astype(np.int16), name="CT")
    xray = addVolume(rng.integers(0, 4000, (1, 20, 24)).astype(np.uint16), name="X-ray")
    scene.placeFluoroscopy(xray, CARM)
    labels = np.zeros((10, 12, 14), dtype=np.uint8)
    labels[2:5, 3:6, 4:8] = 1
    labels[6:9, 3:6, 4:8] = 2
    labelNode = addVolume(labels, className="vtkMRMLLabelMapVolumeNode", name="Bone labels")
    segmentation = scene.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Bones")
    slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labelNode, segmentation)
    return ct, xray, labelNode, segmentation


def inputs(ct, xray, anatomy):
    return InputDigester().inputs(ct, [xray], anatomy, SETTINGS)


def test_text_is_read_back_and_nothing_else_is(nodes):
    ct, xray, _, _ = nodes
    made = inputs(ct, xray, AnatomyChoice(thresholdHu=200.0))
    assert JudgedInputs.fromText(made.text()) == made
    for text in ("", "not known", "ct:1", made.text() + " more:1", made.text().replace("ct:", "tc:")):
        assert JudgedInputs.fromText(text) is None
    assert made.text().split(" ")[3].startswith("ct:")
    assert made.differences(made) == []


def test_a_saved_and_reloaded_scene_has_the_same_inputs(headless, scene, nodes, tmp_path):
    ct, xray, labelNode, segmentation = nodes
    choices = ("Bone labels", "Bones", None)
    before = [inputs(ct, xray, AnatomyChoice(node, thresholdHu=200.0)) for node in (labelNode, segmentation, None)]
    scene.gather(ct, [xray])
    assert headless.save(tmp_path / "scene.mrb")
    with HeadlessScene() as other:
        assert other.load(tmp_path / "scene.mrb")
        loaded = Scene(other.scene).mrmlScene
        for name, expected in zip(choices, before, strict=True):
            anatomy = None if name is None else loaded.GetFirstNodeByName(name)
            again = inputs(
                loaded.GetFirstNodeByName("CT"),
                loaded.GetFirstNodeByName("X-ray"),
                AnatomyChoice(anatomy, thresholdHu=200.0),
            )
            assert again == expected, name


def test_each_part_tells_its_own_change(scene, nodes, addVolume):
    ct, xray, labelNode, segmentation = nodes
    digester = InputDigester()

    def now(anatomy=segmentation, settings=SETTINGS, image=xray):
        return digester.inputs(ct, [image], AnatomyChoice(anatomy), settings)

    before = now()
    assert before.differences(now(settings={**SETTINGS, "spread_depth_mm": 61.0})) == ["settings"]
    assert before.differences(now(anatomy=labelNode)) == ["anatomy"]
    other = addVolume(slicer.util.arrayFromVolume(xray).copy() + 1, name="Other")
    scene.placeFluoroscopy(other, CARM)
    assert before.differences(now(image=other)) == ["xrays", "pixels"]
    xray.SetName("Renamed")
    assert before.differences(now()) == []
    slicer.util.arrayFromVolume(ct)[3, 3, 3] ^= 1
    slicer.util.arrayFromVolumeModified(ct)
    assert before.differences(now()) == ["ct"]
    slicer.util.arrayFromVolume(ct)[3, 3, 3] ^= 1
    slicer.util.arrayFromVolumeModified(ct)
    assert before.differences(now()) == []
    scene.placeFluoroscopy(xray, CArm.from_sdd(1001.0, (1.0, 1.0), (24, 20)))
    assert before.differences(now()) == ["carms"]
    assert now() == inputs(ct, xray, AnatomyChoice(segmentation)), "what a digester remembers is what another one finds"
    before = now(anatomy=labelNode)
    labelNode.SetOrigin(1.0, 0.0, 0.0)
    assert before.differences(now(anatomy=labelNode)) == ["anatomy"]


def test_a_painted_segment_and_a_moved_segmentation_are_other_inputs(scene, nodes):
    ct, xray, _, segmentation = nodes
    digester = InputDigester()
    before = digester.inputs(ct, [xray], AnatomyChoice(segmentation), SETTINGS)
    segment = segmentation.GetSegmentation().GetNthSegment(0)
    image = segment.GetRepresentation("Binary labelmap")
    first = image.GetExtent()[::2]
    old = image.GetScalarComponentAsDouble(*first, 0)
    image.SetScalarComponentFromDouble(*first, 0, 0 if old else segment.GetLabelValue())
    image.Modified()
    assert before.differences(digester.inputs(ct, [xray], AnatomyChoice(segmentation), SETTINGS)) == ["anatomy"]
    image.SetScalarComponentFromDouble(*first, 0, old)
    image.Modified()
    assert before.differences(digester.inputs(ct, [xray], AnatomyChoice(segmentation), SETTINGS)) == []
    transform = scene.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    setMatrix(transform, np.array([[1.0, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    assert before.differences(digester.inputs(ct, [xray], AnatomyChoice(segmentation), SETTINGS)) == ["anatomy"]


def test_the_parts_are_those_that_are_named():
    assert tuple(JudgedInputs.__dataclass_fields__) == PARTS
