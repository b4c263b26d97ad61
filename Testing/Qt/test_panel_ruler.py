"""Step 5: the ruler in the X-ray that is shown."""

import numpy as np
import pytest
import slicer

from prostreg.geometry.frames import transform_points
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas
from ProSTRegistrationLib.Views.ViewTurn import ViewTurn, viewTurnOf

DETECTOR_MM = 80.0
"""50 pixels of 1.6 mm."""


@pytest.fixture
def shown(driver, patient):
    """The panel with its views up, the CT and the X-ray."""
    panel, ct, xray = patient
    panel.check.showViews()
    driver.pump(0.1)
    return panel, ct, xray


def measure(driver, panel, xray, *pixels):
    """Presses the button and clicks in the picture; the ruler."""
    driver.click(panel.ui.rulerButton)
    ruler = slicer.mrmlScene.GetNodeByID(slicer.app.applicationLogic().GetSelectionNode().GetActivePlaceNodeID())
    for u, v in pixels:
        ruler.AddControlPointWorld(list(transform_points(ijkToRas(xray), (u, v, 0))))
    driver.pump(0.1)
    return ruler


def test_the_words_for_a_length_shrink_it_to_the_depth_of_the_anatomy(facade):
    from ProSTRegistrationLib.Panel.ViewTools import rulerWords

    assert rulerWords(50.0, 700.0, 1000.0) == "35 mm at the anatomy (50 mm on the detector)"
    assert rulerWords(50.0, None, 1000.0) == "50 mm on the detector"
    assert rulerWords(float("nan"), 700.0, 1000.0) == ""


def test_a_ruler_tells_its_length_and_follows_line_and_pose(driver, facade, shown):
    panel, ct, xray = shown
    interaction = facade.applicationLogic.GetInteractionNode()
    driver.click(panel.ui.rulerButton)
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    assert not interaction.GetPlaceModePersistence()
    driver.click(panel.ui.rulerButton)
    ruler = measure(driver, panel, xray, (20, 20), (50, 60))
    assert interaction.GetCurrentInteractionMode() != interaction.Place
    assert panel.ui.rulerButton.checked
    depth = panel.start.depthMm(panel.situation())
    text = f"{DETECTOR_MM * depth / 1000.0:.0f} mm at the anatomy (80 mm on the detector)"
    assert depth == pytest.approx(700.0, abs=20.0)
    assert ruler.GetNthControlPointLabel(1) == text
    nearer = panel.situation().pose.copy()
    nearer[:3, 3] += 0.5 * panel.scene.fluoroscopy(xray)[1].camera_from_world[2, :3] * 100.0
    panel.scene.setPose(ct, nearer)
    driver.pump(0.1)
    assert ruler.GetNthControlPointLabel(1) == text.replace(text[:2], f"{DETECTOR_MM * (depth + 50.0) / 1000.0:.0f}", 1)
    ruler.SetNthControlPointPositionWorld(1, list(transform_points(ijkToRas(xray), (35, 40, 0))))
    assert ruler.GetNthControlPointLabel(1).endswith("(40 mm on the detector)")
    away = nearer.copy()
    away[:3, 3] += 5000.0
    panel.scene.setPose(ct, away)
    driver.pump(0.1)
    assert ruler.GetNthControlPointLabel(1) == "40 mm on the detector"


def test_it_goes_with_a_second_click_and_hides_with_the_views(driver, shown):
    panel, _ct, xray = shown
    ruler = measure(driver, panel, xray, (20, 20), (50, 60))
    assert ruler.GetDisplayNode().GetVisibility()
    driver.click(panel.ui.checkViewsButton)
    driver.pump(0.1)
    assert not ruler.GetDisplayNode().GetVisibility()
    assert not panel.ui.rulerButton.enabled
    driver.click(panel.ui.checkViewsButton)
    driver.pump(0.1)
    assert ruler.GetDisplayNode().GetVisibility()
    judged = panel.situation().judged
    driver.click(panel.ui.rulerButton)
    driver.pump(0.1)
    assert not panel.scene.holds(ruler)
    assert not panel.ui.rulerButton.checked
    assert panel.situation().judged == judged


def test_a_ruler_of_one_end_goes_with_place_mode(driver, facade, shown):
    panel, _ct, xray = shown
    ruler = measure(driver, panel, xray, (20, 20))
    facade.applicationLogic.GetInteractionNode().SwitchToViewTransformMode()
    driver.pump(0.1)
    assert not panel.scene.holds(ruler)
    assert not panel.ui.rulerButton.checked


def test_ruler_and_turn_stay_with_their_x_ray(driver, shown, addVolume):
    panel, _ct, xray = shown
    ui = panel.ui
    ruler = measure(driver, panel, xray, (20, 20), (50, 60))
    text = ruler.GetNthControlPointLabel(1)
    for button in (ui.mirrorViewButton, ui.turnViewButton, ui.flipCheckBox):
        driver.click(button)
        driver.pump(0.1)
        assert ruler.GetNthControlPointLabel(1) == text
    ends = carmOf(xray).project_world([ruler.GetNthControlPointPositionWorld(end) for end in (0, 1)])
    np.testing.assert_allclose(ends, [(111 - 20, 20), (111 - 50, 60)], atol=1e-3)
    turn = viewTurnOf(xray)
    assert turn == ViewTurn(3, isMirrored=True)
    other = addVolume(slicer.util.arrayFromVolume(xray).copy(), "Other")
    for node, isShown in ((other, False), (xray, True)):
        driver.choose(ui.fluoroscopySelector, node)
        driver.pump(0.1)
        assert ruler.GetDisplayNode().GetVisibility() == isShown
        assert ui.mirrorViewButton.checked is isShown
        assert ui.rulerButton.checked is isShown
    driver.leave()
    assert not ruler.GetDisplayNode().GetVisibility()
    driver.enter("ProSTRegistration")
    driver.pump(0.1)
    assert ruler.GetDisplayNode().GetVisibility()
    assert viewTurnOf(xray) == turn
    slicer.mrmlScene.RemoveNode(xray)
    driver.pump(0.1)
    assert not panel.scene.holds(ruler)
    assert not ui.rulerButton.enabled
