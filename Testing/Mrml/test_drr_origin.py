"""A DRR's origin: another text for every single thing that may make it look different, the same for all else."""

import numpy as np
import pytest
import slicer

from prostreg.geometry.carm import CArm
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.DrrOrigin import isMadeOf, keepOrigin, originOf
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas, setIjkToRas

POSE = np.eye(4)
POSE[:3, 3] = 10.0, -20.0, 30.0


@pytest.fixture
def ct(addVolume):
    return addVolume(np.zeros((4, 5, 6), dtype=np.int16))


@pytest.fixture
def xray(scene, addVolume, obliqueCarm):
    node = addVolume(np.zeros((1, 120, 160), dtype=np.uint16), name="Fluoro")
    scene.placeFluoroscopy(node, obliqueCarm)
    return node


@pytest.fixture
def labels(addVolume):
    return addVolume(np.ones((4, 5, 6), dtype=np.uint8), name="Labels", className="vtkMRMLLabelMapVolumeNode")


def moved(pose, axis, distanceMm):
    shifted = pose.copy()
    shifted[axis, 3] += distanceMm
    return shifted


def turned(pose, axis, degrees):
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(4)
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return pose @ matrix


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_another_pose_by_a_hundredth_of_a_millimetre_or_a_tenth_of_a_degree(ct, xray, axis):
    origin = originOf(ct, xray, AnatomyChoice(), POSE)
    assert originOf(ct, xray, AnatomyChoice(), POSE.copy()) == origin
    assert originOf(ct, xray, AnatomyChoice(), moved(POSE, axis, 0.01)) != origin
    assert originOf(ct, xray, AnatomyChoice(), turned(POSE, axis, 0.1)) != origin
    # What arithmetic leaves behind the last digits is no other pose, nor is a zero with a sign.
    assert originOf(ct, xray, AnatomyChoice(), POSE + 1e-9) == origin
    assert originOf(ct, xray, AnatomyChoice(), POSE - 1e-9) == origin


def test_another_anatomy(ct, xray, labels, addVolume):
    other = addVolume(np.ones((4, 5, 6), dtype=np.uint8), name="Others", className="vtkMRMLLabelMapVolumeNode")
    choices = [
        AnatomyChoice(), AnatomyChoice(thresholdHu=200.0), AnatomyChoice(thresholdHu=201.0), AnatomyChoice(labels),
        AnatomyChoice(labels, labelValues=(1,)), AnatomyChoice(labels, labelValues=(2,)), AnatomyChoice(other),
        AnatomyChoice(labels, segmentIds=("a",)), AnatomyChoice(labels, segmentIds=("b",)),
    ]  # fmt: skip
    assert len({originOf(ct, xray, choice, POSE) for choice in choices}) == len(choices)


@pytest.mark.parametrize("which", ["ct", "xray", "labels"])
def test_other_voxels(request, ct, xray, labels, which):
    origin = originOf(ct, xray, AnatomyChoice(labels), POSE)
    node = request.getfixturevalue(which)
    voxels = slicer.util.arrayFromVolume(node).copy()
    voxels[0, 1, 2] = 7
    slicer.util.updateVolumeFromArray(node, voxels)
    assert originOf(ct, xray, AnatomyChoice(labels), POSE) != origin


def test_a_ct_that_lies_elsewhere_or_has_another_spacing_in_its_node(ct, xray):
    origin = originOf(ct, xray, AnatomyChoice(), POSE)
    matrix = ijkToRas(ct)
    setIjkToRas(ct, moved(matrix, 1, 0.01))
    assert originOf(ct, xray, AnatomyChoice(), POSE) != origin
    setIjkToRas(ct, matrix @ np.diag([1, 1, 1.1, 1]))
    assert originOf(ct, xray, AnatomyChoice(), POSE) != origin
    setIjkToRas(ct, matrix)
    assert originOf(ct, xray, AnatomyChoice(), POSE) == origin


@pytest.mark.parametrize(
    "change",
    [
        {"sdd_mm": 1020.5}, {"spacing_mm": (0.301, 0.45)}, {"spacing_mm": (0.30, 0.451)},
        {"principal_point": (60.6, 71.25)}, {"principal_point": (60.5, 71.35)},
    ],
)  # fmt: skip
def test_another_camera(scene, ct, xray, obliqueCarm, change):
    origin = originOf(ct, xray, AnatomyChoice(), POSE)
    values = {
        "sdd_mm": 1020.0, "spacing_mm": (0.30, 0.45), "size": (160, 120), "principal_point": (60.5, 71.25),
        "camera_from_world": obliqueCarm.camera_from_world,
    }  # fmt: skip
    scene.placeFluoroscopy(xray, CArm.from_sdd(**{**values, **change}))
    assert originOf(ct, xray, AnatomyChoice(), POSE) != origin
    scene.placeFluoroscopy(xray, CArm.from_sdd(**values))
    assert originOf(ct, xray, AnatomyChoice(), POSE) == origin


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_c_arm_that_stands_elsewhere_by_its_own_place_or_by_its_parent(scene, ct, xray, addTransform, axis):
    carm = carmOf(xray)
    origin = originOf(ct, xray, AnatomyChoice(), POSE)
    parent = addTransform(moved(np.eye(4), axis, 0.5))
    xray.SetAndObserveTransformNodeID(parent.GetID())
    byParent = originOf(ct, xray, AnatomyChoice(), POSE)
    xray.SetAndObserveTransformNodeID(None)
    assert originOf(ct, xray, AnatomyChoice(), POSE) == origin
    scene.placeFluoroscopy(xray, CArm(carm.intrinsics, carm.size, moved(carm.camera_from_world, axis, 0.5)))
    assert len({origin, byParent, originOf(ct, xray, AnatomyChoice(), POSE)}) == 3


def test_a_drr_keeps_its_own_origin_and_no_other(ct, xray, addVolume):
    origin = originOf(ct, xray, AnatomyChoice(), POSE)
    drr = addVolume(np.zeros((1, 3, 3), dtype=np.float32), name="DRR")
    assert not isMadeOf(drr, origin)
    keepOrigin(drr, origin)
    assert isMadeOf(drr, origin)
    assert not isMadeOf(drr, originOf(ct, xray, AnatomyChoice(), moved(POSE, 0, 1.0)))
