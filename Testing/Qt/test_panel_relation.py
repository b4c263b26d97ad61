"""Views whose relation is only roughly known: offered for several X-rays, sent to the engine, part of the verdict."""

import pytest
import slicer

from Patience import PATIENCE_S
from ProSTRegistrationLib.Nodes.Attempts import attempt
from ProSTRegistrationLib.Nodes.CArmSettings import applySettings, settingsOf
from ProSTRegistrationLib.RegistrationJob import RegistrationJob
from ProSTRegistrationLib.Selection import roughRelation


@pytest.fixture
def twoViews(driver, patient, addVolume):
    """A panel with a second placed X-ray, and the group of views open."""
    panel, ct, xray = patient
    second = addVolume(slicer.util.arrayFromVolume(xray).copy(), "Second")
    applySettings(panel.scene, second, settingsOf(xray))
    panel.headings.fold(0)
    panel.ui.imagesSection.collapsed = False
    panel.ui.moreViewsGroup.collapsed = False
    driver.pump()
    assert not driver.isReachable(panel.ui.relationCheckBox)
    panel.parameters.secondView = second
    driver.pump(0.1)
    return panel, ct


def test_it_is_offered_with_its_numbers_and_changes_what_is_judged(driver, twoViews):
    panel, _ct = twoViews
    ui, known = panel.ui, panel.situation().judged
    assert driver.isReachable(ui.relationCheckBox)
    assert not driver.isReachable(ui.roughTurnSpinBox)
    assert roughRelation(panel.parameters) is None
    driver.click(ui.relationCheckBox)
    driver.pump(0.1)
    assert driver.isReachable(ui.roughTurnSpinBox)
    assert roughRelation(panel.parameters) == {"rotation_deg": 3.0, "translation_mm": 10.0}
    rough = panel.situation().judged
    assert known.differences(rough) == ["settings"]
    panel.parameters.roughShiftMm = 25.0
    assert rough.differences(panel.situation().judged) == ["settings"]
    panel.parameters.secondView = None
    driver.pump(0.1)
    assert not driver.isReachable(ui.relationCheckBox)
    assert roughRelation(panel.parameters) is None


def test_the_worker_is_told(driver, twoViews, monkeypatch):
    panel, _ct = twoViews
    asked = []
    monkeypatch.setattr(RegistrationJob, "_ask", lambda job, ids, *command, **told: asked.append((command, told)))
    panel.parameters.isRelationRough = True
    driver.pump(0.1)
    driver.click(panel.ui.registerButton)
    driver.pump(lambda: bool(asked), PATIENCE_S)
    assert asked[0][0] == ("register",)
    assert asked[0][1]["relation"] == {"rotation_deg": 3.0, "translation_mm": 10.0}
    panel.logic.abandon()


def test_a_result_says_how_far_a_further_c_arm_stood_from_where_it_was_said_to(twoViews):
    from ProSTRegistrationLib.AttemptUnderWay import AttemptUnderWay

    panel, ct = twoViews
    pose = panel.scene.ct(ct)[1]
    places = [{"view": 2, "status": "accepted", "rotation_deg": 2.14, "translation_mm": 8.0}]
    result = {
        "status": "accepted", "confidence": 0.98, "world_from_volume": pose.tolist(), "seconds": 1.0, "device": "cpu",
        "relation": places, "reasons": ["fits well"],
    }  # fmt: skip
    situation = panel.situation()
    number = AttemptUnderWay.begun(panel.scene, panel.parameters, situation).ended(panel.scene, situation, result)
    assert any("stood 2.1 degrees and 8.0 mm" in reason for reason in attempt(panel.scene, ct, number)["reasons"])
