"""Step 1: a person may tell which way round the greys of the X-ray that is shown are."""

import slicer

from ProSTRegistrationLib.Nodes.CArmSettings import applySettings, settingsOf
from ProSTRegistrationLib.Nodes.FluoroscopyImage import polarityOf


def test_the_choice_is_kept_with_the_xray_that_is_shown(driver, patient, addVolume):
    panel, _ct, first = patient
    box = panel.ui.polarityComboBox
    assert box.currentText == "Find out"
    driver.choose(box, "Bright")
    assert polarityOf(first) == "bone-bright"
    second = addVolume(slicer.util.arrayFromVolume(first).copy(), "Side")
    applySettings(panel.scene, second, settingsOf(first))
    panel.ui.moreViewsGroup.collapsed = False
    driver.pump()
    driver.choose(panel.ui.secondViewSelector, second)
    driver.choose(panel.ui.carmImageComboBox, "Side")
    assert box.currentText == "Find out"
    driver.choose(box, "Dark")
    assert (polarityOf(first), polarityOf(second)) == ("bone-bright", "bone-dark")
    driver.choose(box, "Find out")
    assert polarityOf(second) == "auto"
