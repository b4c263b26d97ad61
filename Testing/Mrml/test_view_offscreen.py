"""Views without the application draw what MRML says."""

import numpy as np
import slicer
import vtk


def _sliceLogic(headless, name="Red"):
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLScene(headless.scene)
    logic.AddSliceNode(name).SetOrientation("Axial")
    return logic


def _viewNode(headless):
    node = slicer.vtkMRMLViewNode()
    node.SetLayoutName("1")
    node.SetBoxVisible(False)
    node.SetAxisLabelsVisible(False)
    return headless.scene.AddNode(node)


def _quarterBright():
    """Bright where x > 0 and y > 0, in RAS mm."""
    voxels = np.zeros((1, 40, 40), dtype=np.uint8)
    voxels[0, 20:, 20:] = 100
    centred = np.eye(4)
    centred[:2, 3] = -19.5
    return voxels, centred


def test_slice_view_shows_image_the_right_way_up(headless, offscreenViews, addVolume):
    logic = _sliceLogic(headless)
    logic.GetSliceCompositeNode().SetBackgroundVolumeID(addVolume(*_quarterBright()).GetID())
    offscreenViews.addSlice(logic)
    logic.GetSliceNode().SetFieldOfView(50, 50, 1)

    picture = offscreenViews.grab(logic.GetSliceNode(), 100, 50)

    assert picture.shape == (50, 100, 3)
    bright = np.argwhere(picture[..., 0] > 128).mean(axis=0)
    # Axial: patient's left (x < 0) on the right-hand side, front up. So x > 0, y > 0 is above and left of the middle.
    np.testing.assert_allclose(bright, (24.5 - 10, 49.5 - 10), atol=1.1)


def test_three_d_view_shows_model_where_its_camera_sees_it(headless, offscreenViews):
    viewNode = _viewNode(headless)
    offscreenViews.addThreeD(viewNode)
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(10, 20, 0)
    sphere.SetRadius(2)
    model = headless.scene.AddNewNodeByClass("vtkMRMLModelNode", "Bead")
    sphere.Update()
    model.SetAndObservePolyData(sphere.GetOutput())
    model.CreateDefaultDisplayNodes()
    model.GetDisplayNode().SetColor(1, 0, 0)
    camera = offscreenViews.cameraNode(viewNode)
    camera.SetPosition(0, 0, 100)
    camera.SetFocalPoint(0, 0, 0)
    camera.SetViewUp(0, 1, 0)
    camera.SetViewAngle(2 * np.degrees(np.arctan(0.5)))
    camera.ResetClippingRange()

    picture = offscreenViews.grab(viewNode, 200, 100).astype(int)

    red = np.argwhere(picture[..., 0] - picture[..., 2] > 60).mean(axis=0)
    np.testing.assert_allclose(red, (49.5 - 20, 99.5 + 10), atol=1)


def test_point_is_dragged_in_slice_view(headless, offscreenViews, addVolume):
    logic = _sliceLogic(headless)
    logic.GetSliceCompositeNode().SetBackgroundVolumeID(addVolume(*_quarterBright()).GetID())
    offscreenViews.addSlice(logic)
    logic.GetSliceNode().SetFieldOfView(100, 100, 1)
    points = headless.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Points")
    points.CreateDefaultDisplayNodes()
    points.AddControlPoint(0, 0, 0)
    offscreenViews.grab(logic.GetSliceNode(), 101, 101)

    offscreenViews.drag(logic.GetSliceNode(), (50, 50), (80, 40))

    np.testing.assert_allclose(points.GetNthControlPointPosition(0), (-30, 10, 0), atol=2)


def test_closed_scene_leaves_open_views_usable(headless, offscreenViews, addVolume):
    logic, viewNode = _sliceLogic(headless), _viewNode(headless)
    offscreenViews.addSlice(logic)
    viewNode.SetSingletonTag("1")
    offscreenViews.addThreeD(viewNode)
    logic.GetSliceCompositeNode().SetBackgroundVolumeID(addVolume(*_quarterBright()).GetID())
    assert offscreenViews.grab(logic.GetSliceNode(), 60, 60).max() > 128

    headless.scene.Clear(False)

    assert offscreenViews.grab(logic.GetSliceNode(), 60, 60).max() < 128
    offscreenViews.grab(viewNode, 60, 60)
