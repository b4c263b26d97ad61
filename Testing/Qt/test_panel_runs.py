"""A run in the panel: its frame is chosen by a number, pictures and DRR follow, and a verdict is about one frame."""

import numpy as np
import pytest
import slicer

from Patience import PATIENCE_S
from ProSTRegistrationLib.Nodes.RunFrames import frameOf, runOf


@pytest.fixture
def run(driver, facade, patient, addVolume):
    """The patient's X-ray as the frames of a sequence, each a little brighter."""
    panel, ct, xray = patient
    sequence = facade.scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Run")
    for number in range(4):
        frame = addVolume(slicer.util.arrayFromVolume(xray) + number, f"Frame {number}")
        sequence.SetDataNodeAtValue(frame, str(number))
        facade.scene.RemoveNode(frame)
    browser = facade.scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    browser.SetSelectedItemNumber(2)
    facade.applicationLogic.GetModuleLogic("Sequences").UpdateProxyNodesFromSequences(browser)
    return panel, ct, xray, browser.GetProxyNode(sequence)


def test_a_run_gives_way_to_one_frame_and_another_takes_its_place(driver, run):
    panel, _, xray, proxy = run
    pixels = slicer.util.arrayFromVolume(xray)
    driver.choose(panel.ui.fluoroscopySelector, proxy)
    driver.pump()
    image = panel.parameters.fluoroscopy
    assert (runOf(image), frameOf(image)) == (proxy, 2)
    assert np.array_equal(slicer.util.arrayFromVolume(image), pixels + 2)
    assert (panel.ui.frameSpinBox.value, panel.ui.frameSpinBox.maximum) == (3, 4)
    assert not panel.ui.frameButton.visible
    driver.type(panel.ui.frameSpinBox, 4)
    driver.pump()
    assert panel.parameters.fluoroscopy is image
    assert frameOf(image) == 3
    assert np.array_equal(slicer.util.arrayFromVolume(image), pixels + 3)
    driver.choose(panel.ui.fluoroscopySelector, xray)
    assert not panel.ui.frameSpinBox.visible
    driver.choose(panel.ui.fluoroscopySelector, proxy)  # again: the frame that was chosen
    driver.pump()
    assert panel.parameters.fluoroscopy is image
    assert panel.ui.frameSpinBox.value == 4


def test_further_views_can_be_runs_too(driver, run):
    panel, _, _, proxy = run
    panel.parameters.secondView = proxy
    driver.pump()
    assert runOf(panel.parameters.secondView) is proxy


def test_drr_and_pictures_stay_when_the_frame_changes(driver, run):
    panel, ct, _, proxy = run
    driver.choose(panel.ui.fluoroscopySelector, proxy)
    driver.pump()
    image = panel.parameters.fluoroscopy
    driver.click(panel.ui.placeButton)
    panel.headings.fold(0)
    pose = panel.scene.ct(ct)[1]
    driver.pump(lambda: panel.scene.findOwned(image, "drr") is not None, PATIENCE_S)
    driver.type(panel.ui.frameSpinBox, 1)
    driver.pump(0.2)
    assert frameOf(image) == 0
    assert panel.scene.findOwned(image, "drr") is not None
    assert np.array_equal(panel.scene.ct(ct)[1], pose)
    assert panel.situation().unplaced == ()
