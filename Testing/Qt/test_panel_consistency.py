"""Things change while others depend on them: what is shown and written belongs together, or the panel says why not."""

import dataclasses

import numpy as np
import pytest
import slicer

from Patience import PATIENCE_S
from ProSTRegistrationLib.Jobs import JobState
from ProSTRegistrationLib.Nodes.Anatomy import contentKey
from ProSTRegistrationLib.Nodes.Attempts import attempts
from ProSTRegistrationLib.Nodes.CArmSettings import applySettings, settingsOf
from ProSTRegistrationLib.Nodes.Landmarks import prepareLandmarkLists
from ProSTRegistrationLib.Worker.WorkerClient import WorkerError


@pytest.fixture
def searching(driver, patient):
    """A panel in the middle of a search that goes on for long."""
    panel, ct, xray = patient
    panel.parameters.timeLimitS = 300.0
    pose = panel.scene.ct(ct)[1]
    pose[:3, 3] += (24, -21, 39)
    panel.scene.setPose(ct, pose)
    driver.click(panel.ui.registerButton)
    driver.pump(lambda: panel.ui.progressBar.value > 0, PATIENCE_S)
    assert panel.logic.isRegistering
    return panel, ct, xray


def drrOf(panel, xray):
    node = panel.scene.findOwned(xray, "drr")
    return None if node is None else slicer.util.arrayFromVolume(node).copy()


def untilDrrRests(driver, panel, xray):
    """Waits until the DRR no longer changes, and returns it."""
    live = panel.logic.live
    driver.pump(lambda: drrOf(panel, xray) is not None and not (live._isBusy or live._fullLeft), PATIENCE_S)
    return drrOf(panel, xray)


def test_nothing_that_a_result_depends_on_can_be_changed_meanwhile(driver, searching):
    panel, _, _ = searching
    ui = panel.ui
    for widget in (
        ui.ctSelector, ui.fluoroscopySelector, ui.placeButton, ui.flipCheckBox, ui.sddSpinBox, ui.depthSlider,
        ui.standardViewButton, ui.handlesCheckBox,
    ):  # fmt: skip
        assert not driver.isReachable(widget), widget.name
    driver.click(ui.registerButton)
    driver.pump(lambda: panel.logic.state is JobState.IDLE, PATIENCE_S)


def test_a_result_of_another_carm_is_refused(driver, searching):
    """Python code, or another module, can move things that the panel locks."""
    panel, ct, xray = searching
    start = panel.scene.ct(ct)[1]
    applySettings(panel.scene, xray, dataclasses.replace(settingsOf(xray), primaryAngleDeg=10.0))
    panel.logic.cancel()
    driver.pump(lambda: panel.logic.state is JobState.IDLE, PATIENCE_S)
    driver.pump(0.1)
    assert "were changed while the registration ran" in panel.ui.progressLabel.text
    assert np.array_equal(panel.scene.ct(ct)[1], start)
    assert attempts(panel.scene, ct) == []


def test_a_scene_that_cannot_take_the_result_keeps_the_start(driver, patient, monkeypatch):
    panel, ct, _xray = patient
    start = panel.scene.ct(ct)[1]

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(panel.scene, "showResult", full)
    driver.click(panel.ui.registerButton)
    driver.pump(lambda: panel.logic.state is JobState.IDLE, PATIENCE_S)
    driver.pump(0.1)
    assert "could not be written into the scene" in panel.ui.progressLabel.text
    assert "no space left" in panel.ui.progressLabel.text
    assert np.allclose(panel.scene.ct(ct)[1], start, atol=1e-9)
    assert driver.isReachable(panel.ui.registerButton)


def test_another_ct_or_threshold_or_flip_makes_another_drr(driver, patient, addVolume, bones):
    panel, ct, xray = patient
    panel.check.showViews()
    first = untilDrrRests(driver, panel, xray)
    driver.type(panel.ui.boneThresholdSpinBox, 950)
    driver.pump(0.2)
    assert "no bone" in panel.ui.checkStatusLabel.text or drrOf(panel, xray) is None
    driver.type(panel.ui.boneThresholdSpinBox, 200)
    driver.pump(lambda: drrOf(panel, xray) is not None and np.array_equal(drrOf(panel, xray), first), PATIENCE_S)
    other = addVolume(np.ascontiguousarray(bones[::-1]), "Other CT", (2.0, 1.8, 2.5))
    other.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    driver.choose(panel.ui.ctSelector, other)
    driver.pump(lambda: drrOf(panel, xray) is not None and not np.array_equal(drrOf(panel, xray), first), PATIENCE_S)


def test_the_overlay_goes_on_following_after_an_import(driver, facade, patient, tmp_path):
    panel, _ct, xray = patient
    panel.check.showViews()
    untilDrrRests(driver, panel, xray)
    other = slicer.vtkMRMLScene()
    other.AddNewNodeByClass("vtkMRMLTextNode", "Note")
    other.Commit(str(tmp_path / "other.mrml"))
    slicer.util.loadScene(str(tmp_path / "other.mrml"))
    driver.pump(0.2)
    picture = panel.scene.findOwned(xray, "overlay picture")
    before = slicer.util.arrayFromVolume(picture).copy()
    panel.scene.showDrr(xray, np.roll(drrOf(panel, xray)[0], 20, axis=1))
    driver.pump()
    assert not np.array_equal(slicer.util.arrayFromVolume(picture), before)


def test_views_that_wait_to_be_drawn_are_not_in_the_turn_between_two_scenes(driver, patient):
    panel, _ct, xray = patient
    panel.check.showViews()
    untilDrrRests(driver, panel, xray)
    panel.refresh()  # its views are to be drawn in a turn of their own
    parameters = panel.parameters
    panel.setParameters(None)
    driver.pump()
    panel.setParameters(parameters)
    driver.pump()
    assert panel.check.views.isShown


def test_a_painted_segment_is_another_anatomy(facade, addVolume):
    labels = addVolume(np.eye(8, dtype=np.uint8)[np.newaxis].repeat(8, 0), "L", className="vtkMRMLLabelMapVolumeNode")
    node = facade.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Bones")
    slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labels, node)
    before = contentKey(node)
    assert contentKey(node) == before
    segmentId = node.GetSegmentation().GetNthSegmentID(0)
    image = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(segmentId, image)
    image.SetScalarComponentFromDouble(5, 2, 3, 0, 1)
    slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(image, node, segmentId)
    assert contentKey(node) != before


def test_anatomy_under_a_scaling_transform(driver, facade, patient, addVolume):
    panel, _ct, _xray = patient
    labels = addVolume(np.ones((48, 56, 52), dtype=np.uint8), "Labels", (2, 1.8, 2.5), "vtkMRMLLabelMapVolumeNode")
    scaled = facade.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Scaled")
    scaled.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([1.1, 1, 1, 1.0])))
    labels.SetAndObserveTransformNodeID(scaled.GetID())
    driver.choose(panel.ui.anatomySelector, labels)
    assert "scales" in panel.ui.imagesStatusLabel.text
    assert not driver.isReachable(panel.ui.registerButton)
    driver.choose(panel.ui.anatomySelector, None)
    assert driver.isReachable(panel.ui.registerButton)


def test_landmarks_that_do_not_move_with_the_ct_are_refused(driver, facade, patient):
    panel, ct, xray = patient
    loose = facade.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Loaded")
    for place in ((20, 30, 40), (60, 30, 50), (40, 70, 60), (50, 50, 90), (30, 60, 20)):
        loose.AddControlPoint(*place)
    panel.parameters.ctLandmarks = loose
    panel.parameters.xrayLandmarks = marks = prepareLandmarkLists(panel.scene, ct, xray)[1]
    for number in range(4):
        marks.AddControlPoint(10.0 * number, 0.0, 0.0)
    panel.ui.landmarksGroup.collapsed = False
    driver.pump()
    before = panel.scene.ct(ct)[1]
    driver.click(panel.ui.solveLandmarksButton)
    assert "'Loaded' is not under the transform of the CT" in panel.ui.landmarksCountLabel.text
    assert np.array_equal(panel.scene.ct(ct)[1], before)


def test_lists_of_another_xray_are_no_longer_chosen(driver, patient, addVolume):
    panel, ct, xray = patient
    panel.parameters.ctLandmarks, panel.parameters.xrayLandmarks = prepareLandmarkLists(panel.scene, ct, xray)
    driver.pump()
    other = addVolume(slicer.util.arrayFromVolume(xray).copy(), "Other")
    driver.choose(panel.ui.fluoroscopySelector, other)
    assert panel.parameters.xrayLandmarks is None
    assert panel.parameters.ctLandmarks is not None


def test_what_went_wrong_with_the_live_drr_stays_on_the_screen(driver, patient):
    panel, _, xray = patient
    panel.check.showViews()
    untilDrrRests(driver, panel, xray)
    panel.check._liveFailed(WorkerError("defect", ["The worker has a defect."]))
    driver.pump(0.3)
    assert "The worker has a defect." in panel.ui.checkStatusLabel.text
    assert drrOf(panel, xray) is None
    driver.click(panel.ui.standardViewButton)
    driver.pump(lambda: drrOf(panel, xray) is not None, PATIENCE_S)
    driver.pump(0.1)
    assert "defect" not in panel.ui.checkStatusLabel.text


def test_a_slider_moves_only_its_own_axis_even_beyond_the_others_range(driver, patient):
    panel, ct, _ = patient
    driver.click(panel.ui.standardViewButton)
    far = panel.start._poseSliders().poseAt([260.0, 0.123, -310.0, 0.0, 0.0, 0.0])
    panel.scene.setPose(ct, far)
    driver.pump()
    panel.ui.inPlaneSlider.value = 0.5
    driver.pump()
    values = panel.start._poseSliders().valuesOf(panel.scene.ct(ct)[1])
    assert np.allclose(values, [260.0, 0.123, -310.0, 0.0, 0.0, 0.5], atol=1e-6)


def test_a_ct_that_somebody_placed_stays_where_it_is(driver, facade, patient, addVolume, bones):
    panel, _, _xray = patient
    other = addVolume(bones, "Placed by hand", (2.0, 1.8, 2.5))
    own = facade.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Mine")
    own.SetMatrixTransformToParent(
        slicer.util.vtkMatrixFromArray(np.array([[1, 0, 0, -50], [0, 1, 0, -45], [0, 0, 1, -40], [0, 0, 0, 1.0]]))
    )
    other.SetAndObserveTransformNodeID(own.GetID())
    driver.choose(panel.ui.ctSelector, other)
    before = panel.scene.ct(other)[1]
    driver.click(panel.ui.placeButton)
    assert np.array_equal(panel.scene.ct(other)[1], before)


def test_handles_go_with_the_ct_that_is_chosen(driver, patient, addVolume, bones):
    panel, ct, _ = patient
    driver.click(panel.ui.handlesCheckBox)
    display = panel.scene.poseTransform(ct).GetDisplayNode()
    assert display.GetEditorVisibility()
    driver.choose(panel.ui.ctSelector, addVolume(bones, "Other", (2.0, 1.8, 2.5)))
    driver.pump()
    assert not display.GetEditorVisibility()
    driver.leave()
    assert not any(
        node.GetDisplayNode() and node.GetDisplayNode().GetEditorVisibility()
        for node in slicer.util.getNodesByClass("vtkMRMLLinearTransformNode")
    )


def test_rows_that_people_broke_do_not_break_the_panel(driver, patient):
    panel, ct, _ = patient
    driver.click(panel.ui.registerButton)
    driver.pump(lambda: panel.logic.state is JobState.IDLE, PATIENCE_S)
    panel.scene.findOwned(ct, "attempts").AddEmptyRow()
    panel.refresh()
    driver.pump(0.1)
    assert panel.ui.attemptsTable.rowCount == 1
