"""Step 1: what is outlined in the X-ray that is shown is left out of the comparison."""

import slicer

from prostreg.geometry.frames import transform_points
from ProSTRegistrationLib.Nodes.FluoroscopyImage import outlinesOf
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas

CORNERS = ((10.0, 10.0), (30.0, 10.0), (30.0, 25.0))


def draw(driver, panel, xray, corners):
    """Presses the button, clicks in the picture, and presses it again."""
    driver.click(panel.ui.outlineButton)
    placed = slicer.app.applicationLogic().GetSelectionNode().GetActivePlaceNodeID()
    outline = slicer.mrmlScene.GetNodeByID(placed)
    for u, v in corners:
        outline.AddControlPointWorld(list(transform_points(ijkToRas(xray), (u, v, 0))))
    driver.click(panel.ui.outlineButton)
    driver.pump(0.05)


def test_outlines_are_drawn_counted_and_removed(driver, facade, patient):
    panel, _ct, xray = patient
    ui, interaction = panel.ui, facade.applicationLogic.GetInteractionNode()
    assert not driver.isReachable(ui.removeOutlinesButton)
    draw(driver, panel, xray, CORNERS)
    assert interaction.GetCurrentInteractionMode() != interaction.Place
    assert "Outlined in 'X-ray' and left out: 1" in ui.outlinesLabel.text
    draw(driver, panel, xray, CORNERS)
    assert "left out: 2" in ui.outlinesLabel.text
    driver.click(ui.removeOutlinesButton)
    driver.pump(0.05)
    assert outlinesOf(xray) == []
    assert ui.outlinesLabel.text == ""
    assert not driver.isReachable(ui.removeOutlinesButton)


def test_an_outline_that_encloses_nothing_goes(driver, patient):
    panel, _ct, xray = patient
    draw(driver, panel, xray, CORNERS[:2])
    assert outlinesOf(xray) == []


def test_an_outline_ends_with_slicers_place_mode_and_with_the_module(driver, facade, patient):
    panel, _ct, _xray = patient
    interaction = facade.applicationLogic.GetInteractionNode()
    driver.click(panel.ui.outlineButton)
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    interaction.SwitchToViewTransformMode()
    driver.pump()
    assert not panel.ui.outlineButton.checked
    driver.click(panel.ui.outlineButton)
    panel.leave()
    assert not panel.ui.outlineButton.checked
    assert interaction.GetCurrentInteractionMode() != interaction.Place


def test_marking_landmarks_ends_an_outline(driver, patient):
    panel, _ct, xray = patient
    panel.ui.landmarksGroup.collapsed = False
    driver.pump()
    driver.click(panel.ui.outlineButton)
    driver.click(panel.ui.xrayLandmarksButton)
    driver.pump()
    assert not panel.ui.outlineButton.checked
    assert panel.ui.xrayLandmarksButton.checked
    assert outlinesOf(xray) == []
