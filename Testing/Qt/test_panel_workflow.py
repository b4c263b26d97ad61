"""The whole way through the panel, as a person goes it: real Qt, real MRML, the real worker process."""

import numpy as np
import pytest

from Patience import PATIENCE_S
from prostreg.geometry.frames import transform_points
from ProSTRegistrationLib.Nodes.Attempts import attempts
from ProSTRegistrationLib.Nodes.Landmarks import REFERENCE_LANDMARKS_ROLE, landmarkPointsMm, referencePose
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas as rasFromIjk
from ProSTRegistrationLib.Views.CheckLayout import FLUOROSCOPY_VIEW, LAYOUT_ID, viewNode


@pytest.fixture
def loaded(driver, panelWidget):
    """The panel with the phantom sample loaded by its button; (widget object, panel)."""
    driver.click(panelWidget.ui.phantomButton)
    driver.pump(lambda: panelWidget.panel.ctNode is not None, PATIENCE_S)
    return panelWidget, panelWidget.panel


def pose(panel):
    return panel.scene.ct(panel.ctNode)[1]


def untilIdle(driver, panel):
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.05)


def test_two_clicks_from_nothing_to_a_trusted_pose_and_back(driver, facade, loaded):
    widget, panel = loaded
    ui, start = widget.ui, pose(panel)
    assert facade.layoutManager.layout == LAYOUT_ID
    driver.click(ui.registerButton)
    assert ui.registerButton.text == "Cancel"
    untilIdle(driver, panel)
    driver.pump(lambda: ui.acceptButton.enabled)
    assert "Trusted" in ui.verdictLabel.text, ui.progressLabel.text
    row = attempts(panel.scene, panel.ctNode)[-1]
    assert float(row["mTRE mm"]) < 3.0
    assert row["Start"] == "sample"
    assert "sample's own pose" in ui.detailsLabel.text
    found = pose(panel)
    assert not np.allclose(found, start)
    driver.click(ui.acceptButton)
    assert attempts(panel.scene, panel.ctNode)[-1]["Decision"] == "accepted"
    assert ui.attemptsTable.item(0, 1).text() == "Trusted\naccepted"
    driver.click(ui.rejectButton)
    assert np.allclose(pose(panel), start, atol=1e-9)
    driver.needReachable(ui.attemptsTable)
    ui.attemptsTable.cellClicked.emit(0, 0)
    driver.pump()
    assert np.allclose(pose(panel), found, atol=1e-9)


def test_cancel_leaves_the_start_pose_and_the_next_run_works(driver, loaded):
    widget, panel = loaded
    ui = widget.ui
    # From the side nothing convinces, so that the search is still on when it is cancelled.
    driver.choose(ui.standardViewComboBox, "Left lateral (beam leaves at the left)")
    driver.click(ui.standardViewButton)
    start = pose(panel)
    driver.click(ui.registerButton)
    driver.pump(lambda: ui.progressBar.value > 0, PATIENCE_S)
    driver.click(ui.registerButton)
    untilIdle(driver, panel)
    assert "start pose is unchanged" in ui.progressLabel.text
    assert np.array_equal(pose(panel), start)
    assert attempts(panel.scene, panel.ctNode) == []
    assert ui.registerButton.enabled
    assert ui.registerButton.text == "Register"


def test_standard_view_sliders_and_live_drr(driver, loaded):
    widget, panel = loaded
    ui = widget.ui
    driver.choose(ui.standardViewComboBox, "AP (beam enters at the front)")
    driver.click(ui.standardViewButton)
    straight = pose(panel)
    assert all(abs(slider.value) < 0.01 for slider in panel.start._sliders)
    before = panel.logic.live.shown
    driver.drag(ui.shiftUSlider, 30.0)
    driver.pump(lambda: panel.logic.live.shown > before)
    carm = panel.scene.fluoroscopy(panel.fluoroscopyNodes[0])[1]
    centre = panel.start.centreMm()
    moved = [carm.project_world((matrix @ [*centre, 1])[:3]) for matrix in (straight, pose(panel))]
    depth = panel.scene.fluoroscopy(panel.fluoroscopyNodes[0])[1].camera_from_world @ straight @ [*centre, 1]
    assert np.allclose(moved[1] - moved[0], [30.0 / depth[2] * carm.intrinsics[0, 0], 0.0], atol=0.5)
    panel.scene.setPose(panel.ctNode, straight)
    driver.pump(lambda: abs(ui.shiftUSlider.value) < 0.3)


def test_all_is_there_again_after_save_and_reload(driver, facade, loaded, tmp_path):
    widget, panel = loaded
    ui = widget.ui
    driver.choose(ui.qualityComboBox, "Quick: up to 20 s")
    driver.click(ui.registerButton)
    untilIdle(driver, panel)
    driver.click(ui.acceptButton)
    kept, rows = pose(panel), attempts(panel.scene, panel.ctNode)
    sdd = ui.sddSpinBox.value
    assert facade.headless.save(tmp_path / "scene.mrb")
    facade.scene.Clear(False)
    driver.pump(0.1)
    assert panel.ctNode is None
    assert not ui.registerButton.enabled
    assert facade.headless.load(tmp_path / "scene.mrb")
    driver.pump(lambda: panel.ctNode is not None)
    driver.pump(0.2)
    assert np.allclose(pose(panel), kept, atol=1e-6)
    assert attempts(panel.scene, panel.ctNode) == rows
    assert "Trusted" in ui.verdictLabel.text
    assert ui.sddSpinBox.value == pytest.approx(sdd)
    assert ui.qualityComboBox.currentText == "Quick: up to 20 s"
    assert ui.registerButton.enabled
    driver.click(ui.registerButton)
    untilIdle(driver, panel)
    assert len(attempts(panel.scene, panel.ctNode)) == 2


def test_overlay_kinds_by_keys(driver, loaded):
    widget, panel = loaded
    driver.pump(lambda: panel.logic.live.shown > 0, PATIENCE_S)
    view = viewNode(panel.scene.mrmlScene, FLUOROSCOPY_VIEW)
    assert view is not None
    seen = []
    for number in range(1, 6):
        driver.press(f"Alt+{number}")
        driver.pump(0.05)
        seen.append(widget.ui.overlayComboBox.currentText)
        assert widget.ui.checkStatusLabel.text.startswith("Register first")
    assert len(set(seen)) == 5
    assert seen[1] == "Contours of the bone"


def test_landmarks_give_the_start_pose(driver, loaded):
    widget, panel = loaded
    ui = widget.ui
    ui.landmarksGroup.collapsed = False
    driver.click(ui.ctLandmarksButton)
    driver.click(ui.xrayLandmarksButton)
    driver.click(ui.xrayLandmarksButton)
    truth = referencePose(panel.scene, panel.ctNode)
    carm = panel.scene.fluoroscopy(panel.fluoroscopyNodes[0])[1]
    ctList, xrayList = panel.parameters.ctLandmarks, panel.parameters.xrayLandmarks
    known = landmarkPointsMm(panel.ctNode, panel.scene.findOwned(panel.ctNode, REFERENCE_LANDMARKS_ROLE))
    for number, point in enumerate(known[[0, 3, 5, 9, 12, 17]]):
        ctList.AddControlPointWorld(list(transform_points(pose(panel), point)))
        pixel = carm.project_world(transform_points(truth, point))
        world = transform_points(rasFromIjk(panel.fluoroscopyNodes[0]), (*pixel, 0))
        xrayList.AddControlPointWorld(list(world), ctList.GetNthControlPointLabel(number))
    driver.pump()
    driver.click(ui.solveLandmarksButton)
    assert "Landmarks agree" in ui.landmarksCountLabel.text
    assert np.allclose(pose(panel), truth, atol=0.05)
    assert ui.landmarksTable.rowCount == 6
    assert panel.parameters.startedBy == "landmarks"
