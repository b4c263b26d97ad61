"""world_from_volume.tfm as 3D Slicer itself loads it."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from prostreg.outputs.transform_file import read_pose, write_transform

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.fixture
def pose():
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("zyx", [80, -25, 170], degrees=True).as_matrix()
    matrix[:3, 3] = [12.5, -340.25, 655.125]
    return matrix


@pytest.fixture
def scene():
    scene = slicer.vtkMRMLScene()
    yield scene
    scene.Clear(1)


def loadTransform(scene, path):
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    storage = scene.AddNewNodeByClass("vtkMRMLTransformStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    return node


def test_slicer_loads_exactly_the_pose(tmp_path, scene, pose):
    write_transform(tmp_path / "world_from_volume.tfm", pose)
    node = loadTransform(scene, tmp_path / "world_from_volume.tfm")
    assert node.IsLinear()
    np.testing.assert_allclose(slicer.util.arrayFromTransformMatrix(node), pose, atol=1e-9)


def test_a_volume_under_the_node_lies_at_the_pose(tmp_path, scene, pose):
    write_transform(tmp_path / "world_from_volume.tfm", pose)
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    volume.SetAndObserveTransformNodeID(loadTransform(scene, tmp_path / "world_from_volume.tfm").GetID())
    world = np.zeros(3)
    volume.TransformPointToWorld([10.0, 20.0, 30.0], world)
    np.testing.assert_allclose(world, pose[:3, :3] @ [10, 20, 30] + pose[:3, 3], atol=1e-9)


@pytest.mark.parametrize("ending", ["tfm", "h5", "txt"])
def test_what_slicer_saves_is_read_as_the_same_pose(tmp_path, scene, pose, ending):
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    slicer.util.updateTransformMatrixFromArray(node, pose)
    node.SetCenterOfTransformation(30.0, -20.0, 150.0)
    storage = scene.AddNewNodeByClass("vtkMRMLTransformStorageNode")
    storage.SetFileName(str(tmp_path / f"saved.{ending}"))
    assert storage.WriteData(node)
    np.testing.assert_allclose(read_pose(tmp_path / f"saved.{ending}"), pose, atol=1e-9)
