"""Real MRML for the tests of this folder, as the package slicer-core provides it."""

import sys
import warnings

import numpy as np
import pytest

with warnings.catch_warnings():
    # slicer-core's own modules warn while they are imported; that is not ours to mend.
    warnings.simplefilter("ignore")
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from prostreg.geometry.carm import CArm
from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
from ProSTRegistrationLib.Nodes.KeptTexts import cells
from ProSTRegistrationLib.Nodes.Scene import Scene
from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient
from ProSTRegistrationLib.Worker.WorkerSource import LocalWorker
from SlicerFacade.OffscreenViews import NoOpenGL, OffscreenViews


@pytest.fixture
def headless(capfd):
    """A scene with its logics; what MRML and VTK complain about during the test makes it fail."""
    with HeadlessScene() as made:
        yield made
    assert capfd.readouterr().err == ""


@pytest.fixture
def load(headless):
    """Loads an X-ray from its file, as Slicer's Add Data does."""

    def loaded(path):
        node = headless.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Fluoro")
        storage = headless.scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
        storage.SetFileName(str(path))
        assert storage.ReadData(node)
        node.SetAndObserveStorageNodeID(storage.GetID())
        return node

    return loaded


@pytest.fixture
def scene(headless):
    """Our view of that scene."""
    return Scene(headless.scene)


@pytest.fixture
def tableContent():
    """Reads the table of a result as a dict of texts."""
    return lambda tableNode: {row["Quantity"]: row["Value"] for row in cells(tableNode)}


@pytest.fixture
def offscreenViews(headless):
    """Draws views of that scene; the test is skipped where nothing can be drawn."""
    try:
        made = OffscreenViews(headless.applicationLogic, headless.scene)
    except NoOpenGL as error:
        pytest.skip(str(error))
    yield made
    made.close()


@pytest.fixture
def rotation():
    """Makes a rotation (4, 4) from an axis and an angle in degrees (Rodrigues' formula)."""

    def make(axis, degrees, translation=(0, 0, 0)):
        x, y, z = np.asarray(axis) / np.linalg.norm(axis)
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        angle = np.deg2rad(degrees)
        matrix = np.eye(4)
        matrix[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
        matrix[:3, 3] = translation
        return matrix

    return make


@pytest.fixture
def obliqueCarm(rotation):
    """An oblique camera with fx != fy and its principal point off centre."""
    return CArm.from_sdd(
        1020.0,
        (0.30, 0.45),
        (160, 120),
        principal_point=(60.5, 71.25),
        camera_from_world=rotation((1, -2, 0.5), 70, (15, -40, 640)),
    )


@pytest.fixture
def addVolume(headless):
    """Adds a volume node with voxels [k, j, i] and an IJK-to-RAS matrix."""

    def add(voxels, rasFromIjk=None, name="CT", className="vtkMRMLScalarVolumeNode"):
        node = headless.scene.AddNewNodeByClass(className, name)
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.eye(4) if rasFromIjk is None else rasFromIjk))
        slicer.util.updateVolumeFromArray(node, voxels)
        node.CreateDefaultDisplayNodes()
        return node

    return add


@pytest.fixture
def addTransform(headless):
    """Adds a linear transform node with a matrix to its parent."""

    def add(matrix, name="Parent", parent=None):
        node = headless.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
        node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.asarray(matrix, dtype=float)))
        node.SetAndObserveTransformNodeID(parent.GetID() if parent else None)
        return node

    return add


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A worker process that the tests of a file share."""
    made = WorkerClient(LocalWorker(sys.executable, tmp_path_factory.mktemp("log")))
    yield made
    made.stop()
