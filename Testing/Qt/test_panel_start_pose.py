"""Step 3: a start pose by hand, in the X-ray itself, and back."""

import numpy as np
import pytest

from Patience import PATIENCE_S
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.DrrOrigin import isMadeOf
from ProSTRegistrationLib.Views.CheckLayout import FLUOROSCOPY_VIEW, viewNode

VIEW_PX = 320


@pytest.fixture
def looking(driver, facade, drawnPatient):
    """A panel with its check views up."""
    panel, ct, xray = drawnPatient
    node = viewNode(facade.scene, FLUOROSCOPY_VIEW)
    facade.views.grab(node, VIEW_PX, VIEW_PX)
    driver.pump(0.1)
    facade.views.grab(node, VIEW_PX, VIEW_PX)
    return panel, ct, xray, node


def pose(panel):
    return panel.scene.ct(panel.ctNode)[1]


def bonePixel(panel):
    carm = carmOf(panel.fluoroscopyNodes[0])
    return carm.project_world((pose(panel) @ [*panel.start.centreMm(), 1])[:3])


def depthMm(panel):
    carm = carmOf(panel.fluoroscopyNodes[0])
    return (carm.camera_from_world @ pose(panel) @ [*panel.start.centreMm(), 1])[2]


def pixelsPerViewPixel(node, xray):
    return node.GetFieldOfView()[0] / node.GetDimensions()[0] / carmOf(xray).detector_spacing_mm[0]


def untilDrrIsOfNow(driver, panel, xray):
    def isOfNow():
        drr = panel.scene.findOwned(xray, "drr")
        return drr is not None and isMadeOf(drr, panel.situation().origins[xray])

    driver.pump(isOfNow, PATIENCE_S)


def test_the_bone_follows_the_mouse_and_the_drr_follows_the_bone(driver, facade, looking):
    panel, _ct, xray, node = looking
    before, turn = bonePixel(panel), pose(panel)[:3, :3]
    facade.views.drag(node, (120, 140), (160, 120))
    driver.pump(0.1)
    assert np.allclose(bonePixel(panel) - before, np.array([40, -20]) * pixelsPerViewPixel(node, xray), atol=0.1)
    assert np.allclose(pose(panel)[:3, :3], turn)
    assert panel.parameters.startedBy == "by hand"
    untilDrrIsOfNow(driver, panel, xray)


def test_control_tilts_with_shift_it_turns_and_its_wheel_goes_along_the_beam(driver, facade, looking):
    panel, _ct, _xray, node = looking
    place, start = bonePixel(panel), pose(panel)
    view = node.GetFieldOfView()
    facade.views.drag(node, (120, 140), (180, 140), keys=("Control",))
    tilted = pose(panel)
    assert np.arccos((np.trace(tilted[:3, :3].T @ start[:3, :3]) - 1) / 2) > 0.1
    facade.views.drag(node, (220, 140), (220, 200), keys=("Control", "Shift"))
    assert not np.allclose(pose(panel), tilted)
    before = depthMm(panel)
    facade.views.wheel(node, (100, 100), 3, keys=("Control",))
    assert depthMm(panel) > before + 10
    facade.views.wheel(node, (100, 100), -3, keys=("Control",))
    assert np.isclose(depthMm(panel), before, atol=1e-6)
    assert np.allclose(bonePixel(panel), place, atol=0.1)
    assert node.GetFieldOfView() == view, "Slicer's zoom by the same wheel keeps still"


@pytest.mark.parametrize("reason", ["box", "registering", "placing"])
def test_a_drag_moves_nothing_where_it_is_not_wanted(driver, facade, looking, reason):
    panel, _ct, _xray, node = looking
    interaction = facade.applicationLogic.GetInteractionNode()
    if reason == "box":
        panel.ui.mouseCheckBox.checked = False
    elif reason == "registering":
        driver.click(panel.ui.registerButton)
    else:
        interaction.SetCurrentInteractionMode(interaction.AdjustWindowLevel)
    before = pose(panel)
    facade.views.drag(node, (120, 140), (160, 120))
    facade.views.drag(node, (120, 140), (160, 120), keys=("Control",))
    assert np.array_equal(pose(panel), before)
    if reason == "registering":
        driver.click(panel.ui.registerButton)
        driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)


def test_a_click_is_no_drag(driver, facade, looking):
    panel, _ct, _xray, node = looking
    before = pose(panel)
    facade.views.drag(node, (120, 140), (121, 140), steps=1)
    assert np.array_equal(pose(panel), before)


def test_a_result_is_not_moved_by_a_hand_that_slips(driver, registered):
    panel, _ct, _xray = registered
    assert not panel.ui.mouseCheckBox.checked


def test_undo_redo_and_back_to_the_start(driver, patient):
    panel, _ct, xray = patient
    ui = panel.ui
    panel.check.showViews()
    loaded = pose(panel)
    assert not driver.isReachable(ui.poseUndoButton)
    driver.click(ui.standardViewButton)
    straight = pose(panel)
    driver.drag(ui.shiftUSlider, 30.0)
    moved = pose(panel)
    driver.click(ui.poseUndoButton)
    assert np.allclose(pose(panel), straight)
    assert panel.parameters.startedBy.startswith("AP")
    untilDrrIsOfNow(driver, panel, xray)
    driver.click(ui.poseUndoButton)
    assert np.allclose(pose(panel), loaded)
    assert not driver.isReachable(ui.poseUndoButton)
    assert all(abs(slider.value) < 0.01 for slider in panel.start._sliders), "they count from that start again"
    driver.click(ui.poseRedoButton)
    driver.click(ui.poseRedoButton)
    assert np.allclose(pose(panel), moved)
    assert not driver.isReachable(ui.poseRedoButton)
    driver.click(ui.poseResetButton)
    assert np.allclose(pose(panel), straight)
    assert not driver.isReachable(ui.poseResetButton)


def test_undo_brings_the_start_back_after_a_result_and_redo_the_result_with_its_verdict(driver, registered):
    panel, _ct, _xray = registered
    ui, found = panel.ui, pose(panel)
    driver.pump(lambda: ui.poseUndoButton.enabled, PATIENCE_S)
    driver.click(ui.poseUndoButton)
    assert not np.allclose(pose(panel), found)
    assert "Not judged" in ui.verdictLabel.text
    driver.click(ui.poseRedoButton)
    assert np.allclose(pose(panel), found)
    assert "Trusted" in ui.verdictLabel.text


def test_an_anatomy_out_of_the_beam_is_said_at_once_and_how_much_is_in_it(driver, patient):
    panel, ct, xray = patient
    label = panel.ui.startStatusLabel
    assert label.text == ""
    carm, away = carmOf(xray), pose(panel)
    for shift, words in (
        ((400.0, 0.0, 0.0), f"outside of the beam of '{xray.GetName()}'"),
        ((65.0, 0.0, 0.0), "of the anatomy is in the picture"),
        ((0.0, 0.0, -2000.0), "behind the X-ray source"),
    ):
        moved = away.copy()
        moved[:3, 3] += carm.camera_from_world[:3, :3].T @ shift
        panel.scene.setPose(ct, moved)
        driver.pump(0.05)
        assert words in label.text
    driver.click(panel.ui.standardViewButton)
    driver.pump(0.05)
    assert label.text == ""
