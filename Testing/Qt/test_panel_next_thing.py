"""One button at a time is highlighted: the one to press next."""

from dataclasses import replace

from PySide6 import QtWidgets

from ProSTRegistrationLib.Nodes.Attempts import COLUMNS


def highlighted(panel):
    buttons = panel.ui.imagesSection.parent().findChildren(QtWidgets.QPushButton)
    return [button.objectName for button in buttons if button.styleSheet]


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


def test_after_a_result(driver, registered):
    panel, ct, _xray = registered
    assert highlighted(panel) == ["acceptButton"]
    driver.click(panel.ui.acceptButton)
    assert highlighted(panel) == ["saveButton"]
    driver.click(panel.ui.rejectButton)
    assert highlighted(panel) == []
    driver.click(panel.ui.flipCheckBox)
    assert highlighted(panel) == ["registerButton"]
    driver.click(panel.ui.flipCheckBox)
    table = panel.scene.findOwned(ct, "attempts")
    table.SetCellText(0, COLUMNS.index("Decision"), "")
    table.SetCellText(0, COLUMNS.index("Status"), "uncertain")
    driver.click(panel.ui.acceptButton)
    assert highlighted(panel) == [], "steps to try stand there"


def test_nothing_is_next_while_something_runs(facade):
    from ProSTRegistrationLib.Panel.NextThing import nextThing
    from ProSTRegistrationLib.Panel.Situation import Situation
    from ProSTRegistrationLib.Panel.Validity import Validity

    assert nextThing(replace(Situation(), isBusy=True), False, None, Validity()) == ""
