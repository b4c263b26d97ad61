"""The 3D view: where the camera stands, what is shown in it, handles of the pose; what follows and what survives."""

import numpy as np
import pytest
import slicer

from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import invert_rigid, transform_points
from ProSTRegistrationLib.Nodes.CArmModels import detectorCornersMm, sourceMm
from ProSTRegistrationLib.Nodes.OwnedNodes import OwnedNodesRemover
from ProSTRegistrationLib.Nodes.Scene import Scene
from ProSTRegistrationLib.Views.Overlay import Overlay, OverlayKind
from ProSTRegistrationLib.Views.PoseHandles import showHandles
from ProSTRegistrationLib.Views.SourceView import (
    cameraOf,
    lookAtCArm,
    lookFromSource,
    showDetectorPicture,
    showVolumeRendering,
)

SIZE = (300, 240)


@pytest.fixture
def openView(headless, offscreenViews):
    """Opens a 3D view of a name; returns its node."""

    def open_(name):
        node = slicer.vtkMRMLViewNode()
        node.SetLayoutName(name)
        node.SetSingletonTag(name)
        node.SetBoxVisible(False)
        node.SetAxisLabelsVisible(False)
        node = headless.scene.AddNode(node)
        offscreenViews.addThreeD(node)
        return node

    return open_


@pytest.fixture
def fluoroscopyNode(scene, addVolume, obliqueCarm):
    """A placed image, bright on its left half."""
    pixels = np.full((1, obliqueCarm.height, obliqueCarm.width), 100, np.uint16)
    pixels[..., :80] = 900
    node = addVolume(pixels, name="Fluoro")
    scene.placeFluoroscopy(node, obliqueCarm)
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevel(1000, 500)
    return node


@pytest.fixture
def ctNode(addVolume):
    """A ball of bone around the origin of its frame."""
    k, j, i = np.mgrid[:40, :40, :40]
    hu = np.where(np.sqrt((i - 19.5) ** 2 + (j - 19.5) ** 2 + (k - 19.5) ** 2) < 10, 1500, -1000).astype(np.int16)
    centred = np.eye(4)
    centred[:3, 3] = -19.5
    return addVolume(hu, centred)


def _rendererPoint(cameraNode, places, aspect):
    """World places (n, 3) in the view, -1 to 1 to the right and up."""
    matrix = cameraNode.GetCamera().GetCompositeProjectionTransformMatrix(aspect, -1, 1)
    homogeneous = np.column_stack([places, np.ones(len(places))]) @ slicer.util.arrayFromVTKMatrix(matrix).T
    return homogeneous[:, :2] / homogeneous[:, 3:]


def _carm(beam, up):
    """A centred C-arm whose beam and image's up have these directions in RAS, its isocentre at the origin."""
    beam, up = np.array(beam, dtype=float), np.array(up, dtype=float)
    cameraFromWorld = np.eye(4)
    cameraFromWorld[:3, :3] = [np.cross(-up, beam), -up, beam]
    cameraFromWorld[:3, 3] = 0, 0, 600
    return CArm.from_sdd(1000, (0.8, 0.8), (300, 300), camera_from_world=cameraFromWorld)


@pytest.mark.parametrize("aspect", [1.0, 1.6, 0.6])
def test_detector_fills_the_view_from_the_source(openView, obliqueCarm, aspect):
    camera = cameraOf(openView("CArm"))
    lookFromSource(camera, obliqueCarm, viewAspect=aspect)

    np.testing.assert_allclose(camera.GetPosition(), sourceMm(obliqueCarm))
    corners = _rendererPoint(camera, detectorCornersMm(obliqueCarm), aspect)
    assert 0.9 < np.abs(corners).max() < 1
    # First pixel above left, u to the right, v down.
    assert (np.sign(corners) == [(-1, 1), (1, 1), (1, -1), (-1, -1)]).all()


DIRECTIONS = {
    "from behind": (0, 1, 0),
    "from the left": (1, 0, 0),
    "from the front": (0, -1, 0),
    "from the feet": (0, 0, 1),
}


@pytest.mark.parametrize("beam", DIRECTIONS.values(), ids=DIRECTIONS)
def test_view_from_outside_shows_all_of_the_carm(openView, beam):
    carm = _carm(beam, (0, 0, 1) if beam[2] == 0 else (0, 1, 0))
    camera = cameraOf(openView("CArm"))

    lookAtCArm(camera, carm)

    places = _rendererPoint(camera, np.vstack([detectorCornersMm(carm), sourceMm(carm)]), 1.0)
    assert np.abs(places).max() < 1
    assert np.ptp(places, axis=0).max() > 1
    # The detector is seen as an area and its distance from the source as a length.
    sides = places[[1, 3]] - places[0]
    assert abs(np.linalg.det(sides)) > 0.03
    assert np.linalg.norm(places[:4].mean(axis=0) - places[4]) > 0.5


def test_nothing_hides_the_detector_from_the_source(openView, fluoroscopyNode, obliqueCarm, offscreenViews):
    view = openView("CArm")
    lookFromSource(cameraOf(view), obliqueCarm)
    showDetectorPicture(fluoroscopyNode, view, True)

    middle = offscreenViews.grab(view, *SIZE)[SIZE[1] // 2].astype(int)

    columns = np.arange(SIZE[0])
    left, right = middle[(columns > 70) & (columns < 130)], middle[(columns > 170) & (columns < 230)]
    assert left.min() > 215
    assert right.max() < 40


def test_detector_picture_follows_window_pixels_and_parent(
    openView, fluoroscopyNode, obliqueCarm, offscreenViews, addTransform, rotation
):
    view = openView("CArm")
    showDetectorPicture(fluoroscopyNode, view, True)
    lookFromSource(cameraOf(view), obliqueCarm)
    assert offscreenViews.grab(view, *SIZE)[120, 100].min() > 215

    fluoroscopyNode.GetDisplayNode().SetWindowLevel(1000, 900)
    assert 110 < offscreenViews.grab(view, *SIZE)[120, 100].mean() < 145
    slicer.util.updateVolumeFromArray(fluoroscopyNode, np.full((1, 120, 160), 400, np.uint16))
    assert offscreenViews.grab(view, *SIZE)[120, 100].mean() < 20

    fluoroscopyNode.SetAndObserveTransformNodeID(addTransform(rotation((0, 1, 0), 90, (400, 0, 0))).GetID())
    showDetectorPicture(fluoroscopyNode, view, True)
    assert offscreenViews.grab(view, *SIZE)[120, 100].mean() > 60


def test_bone_is_shown_in_its_view_alone_and_moves_with_the_ct(openView, scene, ctNode, offscreenViews):
    view, other = openView("CArm"), openView("1")
    for node in (view, other):
        camera = cameraOf(node)
        camera.SetPosition(0, 0, 200)
        camera.SetFocalPoint(0, 0, 0)
        camera.SetViewUp(0, 1, 0)
        camera.ResetClippingRange()
    empty = {node: offscreenViews.grab(node, *SIZE).astype(int) for node in (view, other)}

    def middleOfBone(node):
        changed = np.abs(offscreenViews.grab(node, *SIZE) - empty[node]).max(axis=-1) > 20
        return np.argwhere(changed).mean(axis=0) if changed.any() else None

    showVolumeRendering(ctNode, view, True)
    np.testing.assert_allclose(middleOfBone(view), (119.5, 149.5), atol=1.5)
    assert middleOfBone(other) is None
    shifted = np.eye(4)
    shifted[:3, 3] = 15, 5, 0
    scene.setPose(ctNode, shifted)
    moved = middleOfBone(view)
    assert moved[1] > 165
    assert moved[0] < 115

    showVolumeRendering(ctNode, view, False)
    assert middleOfBone(view) is None
    showVolumeRendering(ctNode, view, True)
    np.testing.assert_allclose(middleOfBone(view), moved, atol=0.5)
    assert ctNode.GetNumberOfDisplayNodes() == 2


def test_hiding_bone_that_was_never_shown_makes_nothing(headless, openView, ctNode):
    view = openView("CArm")
    before = headless.scene.GetNumberOfNodes()
    showVolumeRendering(ctNode, view, False)
    assert headless.scene.GetNumberOfNodes() == before


def test_handles_turn_about_the_centre_of_the_anatomy(openView, scene, ctNode, offscreenViews, rotation):
    pose = rotation((1, 2, 3), 35, (20, -10, 5))
    transformNode = scene.setPose(ctNode, pose)
    view = openView("CArm")
    camera = cameraOf(view)
    centre = transform_points(pose, (4.0, -3.0, 6.0))
    camera.SetPosition(*np.add(centre, (0, 0, 200)))
    camera.SetFocalPoint(*centre)
    camera.SetViewUp(0, 1, 0)
    camera.ResetClippingRange()
    empty = offscreenViews.grab(view, *SIZE).astype(int)

    showHandles(transformNode, (4.0, -3.0, 6.0), True)
    handles = np.abs(offscreenViews.grab(view, *SIZE) - empty).max(axis=-1) > 20
    assert handles[115:125, 145:155].any()
    assert handles.sum() > 300
    offscreenViews.drag(view, (SIZE[0] // 2, SIZE[1] // 2), (SIZE[0] // 2 + 30, SIZE[1] // 2))
    moved = scene.ct(ctNode)[1]
    np.testing.assert_allclose(moved[:3, :3], pose[:3, :3], atol=1e-6)
    assert (moved[:3, 3] - pose[:3, 3])[0] > 5

    showHandles(transformNode, (4.0, -3.0, 6.0), False)
    assert not (np.abs(offscreenViews.grab(view, *SIZE) - empty).max(axis=-1) > 20).any()
    assert not transformNode.GetDisplayNode().GetEditorScalingEnabled()


def test_reloaded_scene_shows_it_again(
    headless, openView, scene, ctNode, fluoroscopyNode, obliqueCarm, offscreenViews, tmp_path
):
    view = openView("CArm")
    scene.setPose(ctNode, _atPixel(obliqueCarm))
    lookFromSource(cameraOf(view), obliqueCarm)
    showVolumeRendering(ctNode, view, True)
    showDetectorPicture(fluoroscopyNode, view, True)
    before = offscreenViews.grab(view, *SIZE).astype(int)
    assert headless.save(tmp_path / "scene.mrb")
    headless.scene.Clear(False)
    assert headless.load(tmp_path / "scene.mrb")

    reloadedCt, reloaded = (headless.scene.GetFirstNodeByName(name) for name in ("CT", "Fluoro"))
    showVolumeRendering(reloadedCt, view, True)
    showDetectorPicture(reloaded, view, True)

    assert np.abs(offscreenViews.grab(view, *SIZE) - before).mean() < 1
    assert headless.scene.GetNumberOfNodesByClass("vtkMRMLModelNode") == 4
    assert headless.scene.GetNumberOfNodesByClass("vtkMRMLVolumePropertyNode") == 1


def _atPixel(carm):
    pose = np.eye(4)
    pose[:3, 3] = transform_points(invert_rigid(carm.camera_from_world), (4, -3, 640))
    return pose


@pytest.fixture
def remover(headless):
    """Takes away what belonged to deleted nodes."""
    made = OwnedNodesRemover(headless.scene)
    yield made
    made.stop()


def test_what_was_made_for_a_node_goes_with_it(
    headless, remover, openView, scene, ctNode, fluoroscopyNode, obliqueCarm, addVolume
):
    view = openView("CArm")
    other = addVolume(np.ones((1, obliqueCarm.height, obliqueCarm.width), np.uint16), name="Other")
    scene.placeFluoroscopy(other, obliqueCarm)
    kept = set(scene.ownedNodes(other))
    scene.showDrr(fluoroscopyNode, np.ones((120, 160), np.float32))
    showDetectorPicture(fluoroscopyNode, view, True)
    showVolumeRendering(ctNode, view, True)
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLScene(headless.scene)
    logic.AddSliceNode("Fluoroscopy")
    overlay = Overlay(scene)
    for kind in OverlayKind:
        overlay.show(kind, fluoroscopyNode, logic)
    owned = [*scene.ownedNodes(fluoroscopyNode), *scene.ownedNodes(ctNode)]
    assert len(owned) >= 9

    headless.scene.RemoveNode(fluoroscopyNode)
    headless.scene.RemoveNode(ctNode)

    assert not any(scene.holds(node) for node in owned)
    assert set(scene.ownedNodes(other)) == kept
    headless.scene.Clear(False)
    remover.stop()
    assert Scene(headless.scene).ownedNodes(other) == []


def test_nothing_is_taken_away_after_the_end(headless, remover, scene, fluoroscopyNode):
    owned = scene.ownedNodes(fluoroscopyNode)
    remover.stop()
    headless.scene.RemoveNode(fluoroscopyNode)
    assert all(scene.holds(node) for node in owned)
