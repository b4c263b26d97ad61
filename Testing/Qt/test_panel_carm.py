"""Step 2: where the C-arm's values come from is kept with them, and named wherever a result is."""

import numpy as np
import pytest

from Patience import PATIENCE_S
from ProSTRegistrationLib.Nodes.Attempts import attempts
from ProSTRegistrationLib.Nodes.CArmNode import carmOf


@pytest.fixture
def fresh(driver, patient, addVolume):
    """A panel whose X-ray tells nothing of its C-arm and was not placed yet; (panel, xray)."""
    panel, _ct, _ = patient
    noise = np.random.default_rng(0).integers(0, 4000, (1, 112, 112)).astype(np.uint16)
    xray = addVolume(noise, "Photo")
    driver.choose(panel.ui.fluoroscopySelector, xray)
    return panel, xray


def placedAs(driver, panel, xray):
    driver.click(panel.ui.placeButton)
    return carmOf(xray).accuracy


def test_values_of_a_usual_carm_count_as_guessed_and_typed_ones_as_told(driver, fresh):
    panel, xray = fresh
    ui = panel.ui
    assert placedAs(driver, panel, xray) == "preset"
    driver.type(ui.primaryAngleSpinBox, "5")
    assert placedAs(driver, panel, xray) == "preset"
    driver.type(ui.sddSpinBox, "1010")
    assert ui.accuracyComboBox.currentText.startswith("This C-arm's own")
    assert placedAs(driver, panel, xray) == "calibrated"
    driver.choose(ui.presetComboBox, "Mobile C-arm, 12 inch intensifier, 1024 px")
    assert placedAs(driver, panel, xray) == "preset"


def test_what_a_usual_carm_has_can_be_confirmed_and_changes_what_is_judged(driver, fresh):
    panel, xray = fresh
    placedAs(driver, panel, xray)
    judged = panel.situation().judged
    driver.choose(panel.ui.accuracyComboBox, "This C-arm's own: told or measured")
    assert placedAs(driver, panel, xray) == "calibrated"
    assert judged.differences(panel.situation().judged) == ["carms"]


def test_a_guessed_carm_is_named_in_verdict_and_table(driver, fresh):
    panel, xray = fresh
    placedAs(driver, panel, xray)
    panel.parameters.timeLimitS = 1.0
    driver.click(panel.ui.registerButton)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.1)
    assert attempts(panel.scene, panel.ctNode)[-1]["C-arm"] == "preset"
    assert "guessed, not confirmed" in panel.ui.verdictLabel.text
    headings = [panel.ui.attemptsTable.horizontalHeaderItem(column).text() for column in range(10)]
    assert panel.ui.attemptsTable.item(0, headings.index("C-arm")).text() == "guessed"
