"""Tracking a run in the panel: from an accepted result, with Cancel, browsing, words for each frame, and files."""

import numpy as np
import pytest
import slicer

from Patience import PATIENCE_S
from ProSTRegistrationLib.Nodes.Attempts import addAttempt
from ProSTRegistrationLib.Nodes.CArmSettings import applySettings, settingsOf
from ProSTRegistrationLib.Nodes.RunFrames import frameOf
from ProSTRegistrationLib.Tracking.KeptTrack import keptTrack
from ProSTRegistrationLib.Tracking.TrackBrowsing import trackBrowserOf
from ProSTRegistrationLib.Views.CheckLayout import LAYOUT_ID, PLOTS_LAYOUT_ID

COUNT, FIRST, BLANK = 4, 3, 1


@pytest.fixture
def run(driver, facade, patient, addVolume):
    """The patient's X-ray as the frames of a sequence, the first of them blank; the CT registered in the third."""
    panel, ct, xray = patient
    voxels = slicer.util.arrayFromVolume(xray)
    sequence = facade.scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Run")
    for number in range(1, COUNT + 1):
        frame = addVolume(np.full_like(voxels, 500) if number == BLANK else voxels + number, f"Frame {number}")
        sequence.SetDataNodeAtValue(frame, str(number))
        facade.scene.RemoveNode(frame)
    browser = facade.scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    browser.SetSelectedItemNumber(FIRST - 1)
    facade.applicationLogic.GetModuleLogic("Sequences").UpdateProxyNodesFromSequences(browser)
    driver.choose(panel.ui.fluoroscopySelector, browser.GetProxyNode(sequence))
    driver.pump()
    image = panel.parameters.fluoroscopy
    applySettings(panel.scene, image, settingsOf(xray))
    for name, value in (("spreadRotationDeg", 5.0), ("spreadShiftMm", 6.0), ("spreadDepthMm", 8.0)):
        setattr(panel.parameters, name, value)
    driver.pump()
    panel.headings.fold(0)
    return panel, ct, image, browser


@pytest.fixture
def judged(driver, run):
    """The same as after a registration that was trusted: the CT lies there a few mm beside."""
    panel, ct, image, browser = run
    pose = panel.scene.ct(ct)[1]
    pose[:3, 3] -= (4, -3, 5)
    panel.scene.setPose(ct, pose)
    result = {
        "status": "accepted", "confidence": 0.98, "world_from_volume": pose.tolist(), "seconds": 1.0, "device": "cpu",
        "evidence": {"confirmed": 0.9, "seen": 1.0}, "polarity": [{"used": "bone-dark", "certainty": 1.0}],
    }  # fmt: skip
    inputs = panel.situation().judged.text()
    addAttempt(panel.scene, ct, result, "loaded", "auto", "normal", pose, inputs=inputs, carm="calibrated")
    panel.refresh()
    assert "Trusted" in panel.ui.verdictLabel.text
    return panel, ct, image, browser


def tracked(driver, panel):
    driver.click(panel.ui.acceptButton)
    driver.click(panel.ui.trackButton)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.1)


def test_x_rays_that_are_roughly_related_are_not_tracked_together(driver, judged, monkeypatch):
    panel, *_others = judged
    driver.click(panel.ui.acceptButton)
    assert panel.ui.trackButton.enabled
    monkeypatch.setattr(
        "ProSTRegistrationLib.Panel.TrackGroup.roughRelation",
        lambda parameters: {"rotation_deg": 3.0, "translation_mm": 10.0},
    )
    panel.refresh()
    assert not panel.ui.trackButton.enabled
    assert "only roughly known are not tracked together" in panel.ui.trackLabel.text


def test_a_run_is_tracked_from_an_accepted_result_and_browsed(driver, facade, run, tmp_path):
    panel, ct, image, browser = run
    ui = panel.ui
    driver.click(ui.registerButton)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.1)
    assert "Trusted" in ui.verdictLabel.text, ui.progressLabel.text
    assert not ui.trackButton.enabled
    assert "Accept a result" in ui.trackLabel.text
    driver.click(ui.acceptButton)
    assert ui.trackButton.enabled
    pose = panel.scene.ct(ct)[1]
    driver.click(ui.trackButton)
    assert ui.trackButton.text == "Cancel"
    assert not ui.registerButton.enabled
    driver.pump(lambda: " of 4 done" in ui.progressLabel.text, PATIENCE_S)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.1)
    assert f"From frame {FIRST}: 3 of 4 frames tracked. Lost: frame {BLANK}." in ui.trackLabel.text
    assert "Trusted" in ui.verdictLabel.text  # of the frame that was registered
    np.testing.assert_allclose(panel.scene.ct(ct)[1], pose, atol=1e-3)

    panel.headings.fold(0)
    driver.type(ui.frameSpinBox, 2)  # in the panel
    driver.pump(0.1)
    assert browser.GetSelectedItemNumber() == 1
    assert "Tracked" in ui.trackFrameLabel.text
    assert "Frame 2 of 4" in ui.trackFrameLabel.text
    assert not ui.verdictLabel.visible
    assert not ui.acceptButton.visible
    browser.SetSelectedItemNumber(BLANK - 1)  # with Slicer's own toolbar
    driver.pump(0.1)
    assert frameOf(image) == BLANK - 1
    assert "Lost" in ui.trackFrameLabel.text
    assert "Tracked" not in ui.trackFrameLabel.text
    assert "The CT is put aside" in ui.trackFrameLabel.text
    assert f"To find the bone in frame {BLANK}" in ui.startStatusLabel.text
    assert "put aside" not in ui.startStatusLabel.text, "once is enough"
    assert "'Show the CT so'" in ui.startStatusLabel.text
    assert "outside" not in ui.startStatusLabel.text
    assert ui.nextStepsBox.visible, "a button goes there"
    assert np.abs(panel.scene.ct(ct)[1] - pose).max() > 1000
    driver.drag(ui.trackFrameSlider, FIRST)
    driver.pump(0.1)
    assert browser.GetSelectedItemNumber() == FIRST - 1
    assert "Trusted" in ui.verdictLabel.text
    assert ui.trackButton.enabled

    facade.dialogs.answerNext(str(tmp_path / "run"))
    driver.click(ui.saveTrackButton)
    assert len((tmp_path / "run.csv").read_text().splitlines()) == COUNT + 1


def test_plots_take_the_place_of_the_c_arm_and_give_it_back(driver, facade, judged):
    panel, _, image, _ = judged
    ui, layout = panel.ui, slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    assert not driver.isReachable(ui.trackPlotsButton)
    tracked(driver, panel)
    driver.click(ui.trackPlotsButton)
    assert layout.GetViewArrangement() == PLOTS_LAYOUT_ID
    views = [facade.scene.GetSingletonNode(name, "vtkMRMLPlotViewNode") for name in ("Turns", "Shifts")]
    charts = [view.GetPlotChartNode().GetName() for view in views]
    assert charts == [f"{image.GetName()} turns", f"{image.GetName()} shifts"]
    assert ui.trackPlotsButton.checked
    assert ui.checkViewsButton.checked  # X-ray and DRR are shown as before
    driver.click(ui.trackPlotsButton)
    assert layout.GetViewArrangement() == LAYOUT_ID
    assert not ui.trackPlotsButton.checked
    driver.click(ui.trackPlotsButton)
    driver.click(ui.checkViewsButton)
    assert layout.GetViewArrangement() not in (LAYOUT_ID, PLOTS_LAYOUT_ID)


def test_a_track_of_other_inputs_is_grey_and_a_moved_ct_is_said(driver, judged):
    panel, ct, image, _ = judged
    ui = panel.ui
    tracked(driver, panel)
    driver.type(ui.frameSpinBox, 2)
    driver.pump(0.1)
    assert "Tracked" in ui.trackFrameLabel.text
    moved = panel.scene.ct(ct)[1].copy()
    moved[0, 3] += 5.0
    panel.scene.setPose(ct, moved)
    driver.pump(0.1)
    assert "not where the track puts it" in ui.trackFrameLabel.text
    driver.type(ui.sddSpinBox, 1010.0)
    driver.click(ui.placeButton)
    driver.pump(0.1)
    assert "Not judged" in ui.trackFrameLabel.text
    assert "The C-arm was changed after the run was tracked" in ui.trackFrameLabel.text
    assert keptTrack(panel.scene, image) is not None


def test_cancel_changes_nothing_and_stop_keeps_the_frames_so_far(driver, judged):
    panel, ct, image, _ = judged
    ui = panel.ui
    driver.click(ui.acceptButton)
    pose = panel.scene.ct(ct)[1]
    driver.click(ui.trackButton)
    driver.click(ui.trackButton)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.1)
    assert "Cancelled; nothing was changed" in ui.progressLabel.text
    assert keptTrack(panel.scene, image) is None
    assert trackBrowserOf(panel.scene, image) is None
    np.testing.assert_array_equal(panel.scene.ct(ct)[1], pose)
    driver.click(ui.trackButton)
    driver.pump(lambda: ui.stopButton.enabled, PATIENCE_S)
    driver.click(ui.stopButton)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.1)
    assert "frames were not looked at" in ui.trackLabel.text or "3 of 4 frames tracked" in ui.trackLabel.text
    assert keptTrack(panel.scene, image).frame(FIRST).status == "tracked"
