"""Segmentations and label maps become masks where they are seen over the CT, by way of the worker's request."""

import numpy as np
import pytest
import slicer
import vtk

from prostreg.errors import InputError
from prostreg.worker.anatomy_request import AnatomyRequest
from prostreg.worker.fields import Fields
from prostreg.worker.protocol import Message
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice, anatomyLabels

SPACING = np.diag([0.7, 0.9, 2.5, 1])


@pytest.fixture
def ctNode(addVolume, rotation):
    return addVolume(np.zeros((8, 20, 24), dtype=np.int16), rotation((1, 1, 3), 25, (-30, 12, 50)) @ SPACING)


@pytest.fixture
def block():
    voxels = np.zeros((8, 20, 24), dtype=np.uint8)
    voxels[2:5, 6:9, 10:17] = 1
    voxels[6, 12:15, 3:9] = 2
    return voxels


@pytest.fixture
def segmentation(headless, ctNode, block, addVolume):
    """A segmentation of both blocks, segments "a" and "b"."""
    labelNode = addVolume(
        block, slicer.util.arrayFromVTKMatrix(_matrix(ctNode)), "Label map", "vtkMRMLLabelMapVolumeNode"
    )
    node = headless.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Bones")
    assert slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labelNode, node)
    return node


def _matrix(volumeNode):
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return matrix


def anatomyMask(ct, worldFromCt, node, segmentIds=None, labelValues=None):
    """The mask that the worker makes of what is sent to it."""
    choice = AnatomyChoice(
        node, None if segmentIds is None else tuple(segmentIds), None if labelValues is None else tuple(labelValues)
    )
    parts = anatomyLabels(worldFromCt, choice)
    places = [{"volume_from_index": p.labels.volume_from_index.tolist(), "values": p.chosen} for p in parts]
    arrays = {f"labels{number}": part.labels.values for number, part in enumerate(parts)}
    fields = Fields(Message({"labels": places}, arrays))
    request = AnatomyRequest(fields)
    fields.raise_if_any()
    return request.mask(ct)


def test_segmentation_in_the_cts_grid(scene, ctNode, segmentation, block):
    segmentIds = list(segmentation.GetSegmentation().GetSegmentIDs())
    assert np.array_equal(anatomyMask(*scene.ct(ctNode), segmentation), block > 0)
    assert np.array_equal(anatomyMask(*scene.ct(ctNode), segmentation, segmentIds[1:]), block == 2)


def test_label_map_and_values(scene, ctNode, segmentation, block, headless):
    labelNode = headless.scene.GetFirstNodeByName("Label map")
    assert np.array_equal(anatomyMask(*scene.ct(ctNode), labelNode), block > 0)
    assert np.array_equal(anatomyMask(*scene.ct(ctNode), labelNode, labelValues=[2]), block == 2)


def test_anatomy_moves_with_the_ct(scene, ctNode, segmentation, block, rotation):
    scene.setPose(ctNode, rotation((1, 0, 2), -50, (10, 20, 30)), [segmentation])
    assert np.array_equal(anatomyMask(*scene.ct(ctNode), segmentation), block > 0)


def test_anatomy_is_taken_where_it_is_seen(scene, ctNode, segmentation, block, rotation, addTransform):
    """A segmentation that lies five columns beside the CT's block selects voxels five columns beside."""
    scene.setPose(ctNode, rotation((1, 0, 2), -50, (10, 20, 30)))
    worldFromCt = scene.ct(ctNode)[1]
    axis = slicer.util.arrayFromVTKMatrix(_matrix(ctNode))[:3, 0]
    shift = np.eye(4)
    shift[:3, 3] = 5 * axis
    segmentation.SetAndObserveTransformNodeID(addTransform(worldFromCt @ shift).GetID())
    assert np.array_equal(anatomyMask(*scene.ct(ctNode), segmentation), np.roll(block > 0, 5, axis=2))


def test_refusals(headless, scene, ctNode, segmentation, rotation, addTransform):
    empty = headless.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Nothing")
    with pytest.raises(InputError, match="Anatomy 'Nothing': no segment of it is chosen"):
        anatomyMask(*scene.ct(ctNode), empty)
    with pytest.raises(InputError, match="no segment 'Femur'"):
        anatomyMask(*scene.ct(ctNode), segmentation, ["Femur"])
    segmentation.SetAndObserveTransformNodeID(addTransform(rotation((0, 0, 1), 0, (500, 0, 0))).GetID())
    with pytest.raises(InputError, match="Only 0% of the anatomy lies in the CT"):
        anatomyMask(*scene.ct(ctNode), segmentation)
