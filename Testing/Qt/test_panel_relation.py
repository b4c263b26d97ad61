"""Views whose relation is only roughly known: offered for several X-rays, sent to the engine, part of the verdict."""

import numpy as np
import pytest
import slicer

from Patience import PATIENCE_S
from ProSTRegistrationLib.Nodes.Attempts import attempt
from ProSTRegistrationLib.Nodes.CArmNode import carmOf, drawnCarmOf
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


def result(pose, status="accepted", cameras=()):
    places = [{"view": 2, "status": "accepted", "rotation_deg": 2.14, "translation_mm": 8.0}]
    return {
        "status": status, "confidence": 0.98, "world_from_volume": pose.tolist(), "seconds": 1.0, "device": "cpu",
        "relation": places, "reasons": ["fits well"], "camera_from_volume": [camera.tolist() for camera in cameras],
    }  # fmt: skip


@pytest.mark.parametrize(("status", "isDrawn"), [("uncertain", True), ("failed", False)])
def test_a_result_says_how_far_a_further_c_arm_stood_from_where_it_was_said_to(twoViews, status, isDrawn):
    from ProSTRegistrationLib.AttemptUnderWay import AttemptUnderWay

    panel, ct = twoViews
    pose, situation = panel.scene.ct(ct)[1], panel.situation()
    under = AttemptUnderWay.begun(panel.scene, panel.parameters, situation)
    number = under.ended(panel.scene, situation, result(pose, status))
    (said,) = (reason for reason in attempt(panel.scene, ct, number)["reasons"] if "view 2" in reason)
    assert "stood 2.1 degrees and 8.0 mm from where it was said to" in said
    assert ("drawn where it was found" in said) == isDrawn


def sourceOf(panel, node):
    """The tip of the cone that is drawn for an image's source."""
    return slicer.util.arrayFromModelPoints(panel.scene.findOwned(node, "source"))[0].copy()


def test_further_c_arms_are_drawn_where_they_were_found_while_the_verdict_counts(driver, twoViews):
    panel, ct = twoViews
    panel.parameters.isRelationRough = True
    driver.pump(0.1)
    first, second = panel.fluoroscopyNodes
    told = [sourceOf(panel, node) for node in (first, second)]
    pose, before = panel.scene.ct(ct)[1], carmOf(second)
    found = before.camera_from_world.copy()
    found[:3, 3] += 8.0
    elsewhere = -found[:3, :3].T @ found[:3, 3]
    made = result(pose, cameras=(carmOf(first).camera_from_world @ pose, found @ pose))
    panel.check.beginAttempt()
    panel.check.endAttempt(made)
    driver.pump(0.3)
    np.testing.assert_allclose(sourceOf(panel, second), elsewhere, atol=1e-3)
    np.testing.assert_allclose(sourceOf(panel, first), told[0])
    np.testing.assert_array_equal(carmOf(second).camera_from_world, before.camera_from_world)
    np.testing.assert_allclose(drawnCarmOf(second).camera_from_world, found)
    moved = pose.copy()
    moved[:3, 3] += 5
    panel.scene.setPose(ct, moved)
    panel.refresh()
    np.testing.assert_allclose(sourceOf(panel, second), told[1])
    panel.check.show(panel.check.shown())
    panel.refresh()
    np.testing.assert_allclose(sourceOf(panel, second), elsewhere, atol=1e-3)
    panel.parameters.secondView = None
    driver.pump(0.1)
    np.testing.assert_allclose(sourceOf(panel, second), told[1])
