"""One button at a time is highlighted: the one to press next."""

from dataclasses import replace

import numpy as np
import slicer
from PySide6 import QtWidgets

from ProSTRegistrationLib.Nodes.Attempts import COLUMNS


def highlightedButtons(panel):
    buttons = panel.ui.imagesSection.parent().findChildren(QtWidgets.QPushButton)
    return [button for button in buttons if button.styleSheet]


def highlighted(panel):
    return [button.objectName for button in highlightedButtons(panel)]


def test_from_a_cold_start_to_a_registration(driver, panelWidget, addVolume, bones):
    panel = panelWidget.panel
    assert highlighted(panel) == ["phantomButton"]
    driver.choose(panel.ui.ctSelector, addVolume(bones, "CT", (2.0, 1.8, 2.5)))
    assert highlighted(panel) == [], "an X-ray is to be chosen, as the step says"
    assert "No X-ray is chosen" in panel.ui.imagesStatusLabel.text
    driver.choose(panel.ui.fluoroscopySelector, addVolume(bones[:1].astype("uint16"), "X-ray"))
    assert highlighted(panel) == ["placeButton"]
    driver.click(panel.ui.placeButton)
    assert highlighted(panel) == ["registerButton"]
    assert [section.collapsed for section in (panel.ui.imagesSection, panel.ui.carmSection, panel.ui.startSection)] == [
        True, True, False,
    ]  # fmt: skip
    panel.headings.fold(0)
    driver.pump()
    driver.type(panel.ui.sddSpinBox, "1100")
    assert highlighted(panel) == ["placeButton"]


def test_the_highlight_has_the_colour_that_is_meant(driver, panelWidget):
    """Some styles of Qt mix a background with a lighter one, on which the words could not be read."""
    button = panelWidget.ui.phantomButton
    picture = driver.grab(button)
    colours = [picture.pixelColor(8, row).name() for row in range(4, picture.height() - 4)]
    assert set(colours) == {"#1558b0"}


def test_what_is_missing_is_said_once(driver, panelWidget):
    ui = panelWidget.ui
    assert "No CT is chosen" in ui.imagesStatusLabel.text
    assert ui.carmStatusLabel.text == ui.startStatusLabel.text == ""
    assert "Choose the images" in ui.registerStatusLabel.text, "why Register is grey"
    assert ui.checkStatusLabel.text == ""


def test_after_a_result(driver, registered):
    panel, ct, _xray = registered
    assert highlighted(panel) == ["acceptButton"]
    driver.click(panel.ui.acceptButton)
    assert highlighted(panel) == ["saveButton"]
    driver.click(panel.ui.rejectButton)
    assert highlighted(panel) == []
    assert panel.ui.nextStepsBox.visible, "a button goes to the start"
    driver.click(panel.ui.flipCheckBox)
    assert highlighted(panel) == ["registerButton"]
    driver.click(panel.ui.flipCheckBox)
    table = panel.scene.findOwned(ct, "attempts")
    table.SetCellText(0, COLUMNS.index("Decision"), "")
    table.SetCellText(0, COLUMNS.index("Status"), "uncertain")
    driver.click(panel.ui.acceptButton)
    first = panel.ui.nextStepsBox.findChildren(QtWidgets.QPushButton)[0]
    assert highlightedButtons(panel) == [first]
    driver.type(panel.ui.sddSpinBox, "1100")
    assert highlighted(panel) == ["placeButton"]


def test_a_start_that_the_xray_does_not_show_is_mended_before_a_search(driver, patient):
    panel, ct, _xray = patient
    pose = panel.scene.ct(ct)[1]
    pose[:3, 3] += 400.0
    panel.scene.setPose(ct, pose)
    driver.pump()
    assert highlighted(panel) == ["standardViewButton"]
    driver.click(panel.ui.searchEverywhereCheckBox)
    assert highlighted(panel) == ["registerButton"], "such a search needs no start"
    driver.click(panel.ui.searchEverywhereCheckBox)
    driver.click(panel.ui.standardViewButton)
    assert highlighted(panel) == ["registerButton"]


def test_an_image_that_is_no_xray_yet_is_made_one(driver, patient, addVolume):
    panel, _ct, xray = patient
    pixels = slicer.util.arrayFromVolume(xray)
    driver.choose(panel.ui.fluoroscopySelector, addVolume(np.repeat(pixels, 3, axis=0), "Run"))
    assert highlighted(panel) == ["frameButton"]
    coloured = np.repeat(pixels[..., np.newaxis] // 16, 3, axis=-1).astype(np.uint8)
    driver.choose(panel.ui.fluoroscopySelector, addVolume(coloured, "Colour", className="vtkMRMLVectorVolumeNode"))
    assert highlighted(panel) == ["greyButton"]


def test_nothing_is_next_while_something_runs(facade):
    from ProSTRegistrationLib.Situation import Situation
    from ProSTRegistrationLib.Validity import Validity
    from ProSTRegistrationLib.WhatNext import nextThing

    assert nextThing(replace(Situation(), isBusy=True), False, "registerButton", None, Validity()) == ""
