"""The legend in the views: what the colours mean, which pose they show, and whether the picture is behind."""

import numpy as np
import pytest

from Patience import PATIENCE_S
from ProSTRegistrationLib.Views.CheckLayout import DRR_VIEW, FLUOROSCOPY_VIEW, viewNode

VIEW_PX = 400


def legend(panel, name=FLUOROSCOPY_VIEW):
    legends = panel.check.views._legends
    return (legends[name]._actor.GetInput() or "") if name in legends else ""


@pytest.fixture
def looking(driver, drawnPatient):
    """A panel with its check views up and a DRR in them."""
    panel, ct, xray = drawnPatient
    driver.pump(lambda: "CT at its start" in legend(panel), PATIENCE_S)
    return panel, ct, xray


def test_the_colours_are_named_for_every_overlay(driver, looking):
    panel, _ct, _xray = looking
    kinds = type(panel.parameters.overlayKind)
    words = {
        kinds.BLEND: "Orange", kinds.CONTOURS: "Green", kinds.CHECKERBOARD: "Tinted", kinds.DIFFERENCE: "blue",
        kinds.FLICKER: "In turn",
    }  # fmt: skip
    for kind in kinds:
        panel.parameters.overlayKind = kind
        driver.pump(0.05)
        assert words[kind] in legend(panel).splitlines()[0]
    assert "Simulated X-ray" in legend(panel, DRR_VIEW)


def test_the_words_are_in_the_picture(driver, facade, looking):
    panel, _ct, _xray = looking
    node = viewNode(facade.scene, FLUOROSCOPY_VIEW)
    shown = facade.views.grab(node, VIEW_PX, VIEW_PX)
    panel.check.views._legends[FLUOROSCOPY_VIEW].show("")
    changed = np.abs(shown.astype(int) - facade.views.grab(node, VIEW_PX, VIEW_PX)).max(axis=2) > 40
    rows, columns = np.nonzero(changed)
    assert len(rows) > 100
    assert rows.max() < VIEW_PX / 4
    assert abs(columns.mean() - VIEW_PX / 2) < VIEW_PX / 10


def test_a_start_a_result_and_a_rejected_one_are_told_apart(driver, registered):
    panel, _ct, _xray = registered
    if not panel.check.views._legends:
        pytest.skip("nothing can be drawn on this machine")
    assert legend(panel).splitlines()[:2] == ["Green: edges of the CT's bone", "CT at result 1: Trusted"]
    driver.click(panel.ui.acceptButton)
    assert "CT at result 1: Trusted, accepted" in legend(panel)
    driver.click(panel.ui.flipCheckBox)
    assert "CT at result 1, not judged" in legend(panel)
    driver.click(panel.ui.flipCheckBox)
    driver.click(panel.ui.rejectButton)
    assert "CT at its start (as loaded)" in legend(panel)


def test_contours_come_with_the_first_result_only(driver, registered):
    panel, _ct, _xray = registered
    kinds = type(panel.parameters.overlayKind)
    assert panel.parameters.overlayKind is kinds.CONTOURS
    panel.parameters.overlayKind = kinds.BLEND
    driver.click(panel.ui.redoButton)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.1)
    assert panel.parameters.overlayKind is kinds.BLEND


def test_a_picture_that_is_behind_says_so_until_the_next_comes(driver, looking, monkeypatch):
    panel, ct, _xray = looking
    assert "updating" not in legend(panel)
    monkeypatch.setattr(panel.logic.live, "follow", lambda *_: None)
    moved = panel.scene.ct(ct)[1]
    moved[:3, 3] += (3.0, 0.0, 0.0)
    panel.scene.setPose(ct, moved)
    driver.pump(lambda: "updating" in legend(panel) and "updating" in legend(panel, DRR_VIEW), PATIENCE_S)
    monkeypatch.undo()
    panel.check.followPose()
    driver.pump(lambda: "updating" not in legend(panel), PATIENCE_S)


def test_keys_for_the_mouse_stand_there_while_it_moves_the_bone(driver, looking):
    panel, _ct, _xray = looking
    assert "Ctrl+drag: tilt" in legend(panel)
    driver.click(panel.ui.mouseCheckBox)
    assert "Ctrl+drag" not in legend(panel)
