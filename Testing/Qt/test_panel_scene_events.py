"""Scenes and volumes that come while the panel is open, in the order of events that Slicer has."""

import logging

import numpy as np
import pytest
import slicer

from Patience import PATIENCE_S
from ProSTRegistrationLib.Nodes.Landmarks import prepareLandmarkLists
from ProSTRegistrationLib.Views.CheckLayout import CARM_VIEW, DRR_VIEW, FLUOROSCOPY_VIEW, LAYOUT_ID, viewNode


@pytest.fixture
def otherScene(facade, addVolume, tmp_path):
    """The file of a scene with a volume, made before anything else was."""
    volume = addVolume(np.zeros((4, 5, 6), dtype=np.int16), "Other")
    path = tmp_path / "other.mrb"
    assert slicer.util.saveScene(str(path))
    facade.scene.RemoveNode(volume)
    return path


@pytest.fixture
def checking(driver, patient):
    """A panel with the check layout up and a DRR in it."""
    panel, _ct, xray = patient
    panel.check.showViews()
    driver.pump(lambda: panel.scene.findOwned(xray, "drr") is not None, PATIENCE_S)
    driver.pump(0.1)
    return patient


def choicesOf(panel):
    names = ("ct", "anatomy", "anatomyParts", "fluoroscopy", "secondView", "thirdView", "ctLandmarks", "xrayLandmarks")
    return {name: getattr(panel.parameters, name) for name in names}


def shownIn(name):
    return slicer.app.layoutManager().sliceWidget(name).sliceLogic().GetSliceCompositeNode().GetBackgroundVolumeID()


def assertQuiet(panel, caplog):
    assert "defect" not in panel.ui.checkStatusLabel.text
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_adding_a_scene_keeps_all_choices(driver, otherScene, patient, addVolume):
    panel, ct, xray = patient
    labels = addVolume(np.ones((48, 56, 52), dtype=np.uint8), "Labels", (2, 1.8, 2.5), "vtkMRMLLabelMapVolumeNode")
    labels.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    driver.choose(panel.ui.anatomySelector, labels)
    panel.parameters.secondView = addVolume(slicer.util.arrayFromVolume(xray).copy(), "Side")
    panel.parameters.ctLandmarks, panel.parameters.xrayLandmarks = prepareLandmarkLists(panel.scene, ct, xray)
    driver.pump()
    before = choicesOf(panel)
    slicer.util.loadScene(str(otherScene))
    driver.pump()
    assert slicer.util.getNode("Other") is not None
    assert choicesOf(panel) == before
    assert panel.ui.ctSelector.currentNode() is ct
    assert panel.ui.fluoroscopySelector.currentNode() is xray


def test_a_scene_that_brings_another_layout_ends_the_check(driver, otherScene, checking, caplog):
    panel, _ct, xray = checking
    slicer.util.loadScene(str(otherScene))
    driver.pump(0.2)
    assert slicer.app.layoutManager().layout != LAYOUT_ID
    assert not panel.ui.checkViewsButton.checked
    driver.click(panel.ui.checkViewsButton)
    driver.pump(0.1)
    assert slicer.app.layoutManager().layout == LAYOUT_ID
    assert shownIn(FLUOROSCOPY_VIEW) == xray.GetID()
    assertQuiet(panel, caplog)


def test_the_button_of_the_check_follows_the_layout(driver, checking):
    panel, _ct, _xray = checking
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    driver.pump()
    assert not panel.ui.checkViewsButton.checked
    assert slicer.app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


def test_a_scene_saved_with_the_check_layout_opens_without_a_word(driver, facade, checking, tmp_path, caplog):
    panel, _ct, xray = checking
    name = xray.GetName()
    assert slicer.util.saveScene(str(tmp_path / "check.mrb"))
    facade.scene.Clear(False)
    driver.pump()
    for view in (FLUOROSCOPY_VIEW, DRR_VIEW, CARM_VIEW):
        # As in an application that was just started.
        facade.scene.RemoveNode(viewNode(facade.scene, view))
    caplog.clear()
    slicer.util.loadScene(str(tmp_path / "check.mrb"))
    assertQuiet(panel, caplog)
    driver.pump(0.2)
    assertQuiet(panel, caplog)
    assert panel.parameters.fluoroscopy.GetName() == name
    assert panel.ui.checkViewsButton.checked
    assert shownIn(FLUOROSCOPY_VIEW) == panel.parameters.fluoroscopy.GetID()


def test_nothing_looks_into_a_scene_that_is_half_loaded(driver, facade, otherScene, patient, monkeypatch):
    panel, _ct, _xray = patient
    batches, refresh, poll = [], panel.images.refresh, panel.logic.poll

    def refreshed(situation):
        batches.append(facade.scene.IsBatchProcessing())
        refresh(situation)

    def polled():
        batches.append(facade.scene.IsBatchProcessing())
        poll()

    monkeypatch.setattr(panel.images, "refresh", refreshed)
    monkeypatch.setattr(panel.logic, "poll", polled)
    driver.pump(0.1)
    panel.refreshSoon()
    slicer.util.loadScene(str(otherScene))
    assert True not in batches
    batches.clear()
    driver.pump(0.1)
    assert False in batches


def test_what_changed_in_a_batch_is_shown_when_it_has_ended(driver, facade, patient):
    panel, ct, _xray = patient
    facade.scene.StartState(facade.scene.BatchProcessState)
    panel.parameters.ct = None
    driver.pump(0.1)
    facade.scene.EndState(facade.scene.BatchProcessState)
    driver.pump()
    assert "No CT is chosen" in panel.ui.imagesStatusLabel.text
    driver.choose(panel.ui.ctSelector, ct)
    assert panel.ui.imagesStatusLabel.text == ""


def test_an_xray_can_be_chosen_without_the_dicom_module(driver, panelWidget, addVolume, bones, monkeypatch, caplog):
    """Slicer's DICOM module makes slicer.dicomDatabase, and can be switched off."""
    monkeypatch.delattr(slicer, "dicomDatabase")
    panel = panelWidget.panel
    driver.choose(panel.ui.ctSelector, addVolume(bones, "CT", (2.0, 1.8, 2.5)))
    driver.choose(panel.ui.fluoroscopySelector, addVolume(np.ones((1, 90, 80), dtype=np.uint16), "X-ray"))
    assert "values of a usual C-arm" in panel.ui.carmStatusLabel.text
    assertQuiet(panel, caplog)
