"""The result comes to the person: where Register was pressed, with what to do next, whatever it is."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6 import QtCore

from Patience import PATIENCE_S
from prostreg.geometry.carm import CArm
from prostreg.images.label_fit import LabelFit
from prostreg.registration.acceptance import judge
from prostreg.registration.carm.carm_check import doubted
from prostreg.registration.evidence import Evidence, MirrorFit
from prostreg.registration.readings import PolarityUsed, polarity_reasons
from prostreg.registration.result import CArmFit, ExpectedError
from ProSTRegistrationLib.Nodes.Attempts import COLUMNS

LAPTOP = (1366, 768)
POOR = Evidence(confirmed=0.05, patches=100.0, seen=0.9, runner_up=0.0, agreement=0.0, restarts=2.0, surprise=1.0)
GOOD = replace(POOR, confirmed=0.7)
FIT = CArmFit(1020.0, 1020.0, 8.0, (127.5, 127.5), (127.5, 127.5), (3.0, 3.0))
EXACT = ExpectedError(np.zeros(3), np.zeros(3), 0.5, 1.0)
CARM = CArm.from_sdd(1020.0, (1.0, 1.0), (256, 256))


class TestOrder:
    """By the engine's own reasons: another wording there has to be followed here."""

    @pytest.fixture
    def steps(self, facade):
        from ProSTRegistrationLib.Situation import Situation
        from ProSTRegistrationLib.WhatNext import nextSteps

        def made(verdict, carm="calibrated", start="AP", views=1):
            attempt = {"status": verdict.status, "reasons": verdict.reasons, "carm": carm, "start": start}
            return nextSteps(attempt, Situation(images=("X-ray",) * views))

        return made

    def test_a_mirrored_image_is_flipped_first(self, steps):
        assert steps(judge(GOOD, MirrorFit(score=0.9, margin=9.0)), "preset")[:2] == ["flip", "carm"]

    def test_a_contradicted_carm_is_looked_at_first(self, steps):
        assert steps(doubted(judge(GOOD), replace(FIT, sdd_mm=1200.0), EXACT, CARM))[0] == "carm"

    def test_labels_beside_the_bone_are_looked_at_first(self, steps):
        fit = LabelFit(here=20.0, best=400.0, offset_mm=(0.0, 0.0, 25.0))
        for doubt in (fit.advice(), LabelFit(0.1, 1e6, (0.0, 0.0, 0.0)).doubt()):
            assert steps(judge(GOOD, doubts=(doubt,)))[0] == "anatomy"

    def test_an_anatomy_beside_the_image_needs_another_start(self, steps):
        assert steps(judge(replace(POOR, patches=0.0)))[0] == "start"
        assert steps(judge(replace(GOOD, seen=0.3)))[0] == "start"

    def test_a_stopped_run_needs_more_time(self, steps):
        for evidence in (GOOD, POOR):
            assert steps(judge(evidence, is_checked=False))[0] == "longer"

    def test_a_failure_without_a_sign_begins_with_a_guessed_carm_and_the_start(self, steps):
        assert steps(judge(POOR), "preset")[:4] == ["carm", "start", "everywhere", "flip"]
        assert steps(judge(POOR))[:3] == ["start", "everywhere", "flip"]
        assert steps(judge(POOR), start="everywhere")[:2] == ["start", "flip"]
        assert "flip" not in steps(judge(POOR), views=2)

    @pytest.mark.parametrize(("isGiven", "named"), [(True, ["polarity"]), (False, ["polarity", "outline"])])
    def test_the_polarity_comes_after_likelier_causes(self, steps, isGiven, named):
        used = PolarityUsed("bone-dark", isGiven, certainty=0.6, is_likelier=True)
        failed, uncertain = (
            replace(verdict, reasons=(*verdict.reasons, *polarity_reasons((used,), is_accepted=False)))
            for verdict in (judge(POOR), doubted(judge(GOOD), FIT, replace(EXACT, along_mm=9.0), CARM))
        )
        assert steps(failed)[: 3 + len(named)] == ["start", "everywhere", "flip", *named]
        assert steps(uncertain)[: 1 + len(named)] == ["view", *named]
        assert steps(judge(replace(POOR, patches=0.0)))[0] == "start"

    def test_an_open_depth_needs_another_direction_while_one_can_be_added(self, steps):
        verdict = doubted(judge(GOOD), FIT, replace(EXACT, along_mm=9.0), CARM)
        assert steps(verdict)[0] == "view"
        assert "view" not in steps(verdict, views=3)


def isInSight(facade, widget):
    """Whether all of a widget is within the panel's viewport, without scrolling."""
    viewport = facade.mainWindow.panel().viewport()
    corner = widget.mapTo(viewport, QtCore.QPoint(0, 0))
    return widget.isVisible() and viewport.rect.contains(QtCore.QRect(corner, widget.size))


def test_verdict_and_decisions_are_in_sight_on_a_laptop_without_scrolling(driver, facade, patient):
    panel, _ct, _xray = patient
    ui = panel.ui
    facade.mainWindow.resize(*LAPTOP)
    for name, value in (("spreadRotationDeg", 5.0), ("spreadShiftMm", 6.0), ("spreadDepthMm", 8.0)):
        setattr(panel.parameters, name, value)
    driver.click(ui.registerButton)
    driver.pump(0.1)
    assert isInSight(facade, ui.registerButton)
    assert isInSight(facade, ui.progressLabel)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.1)
    for widget in (ui.verdictLabel, ui.acceptButton, ui.rejectButton, ui.redoButton):
        assert isInSight(facade, widget), widget.name
    assert [section.text for section in (ui.imagesSection, ui.carmSection, ui.startSection)] == [
        "1. Images: CT, X-ray", "2. C-arm: SDD 1000 mm, as told", "3. Start pose: as loaded",
    ]  # fmt: skip
    driver.click(ui.carmSection)
    assert ui.carmSection.text == "2. C-arm"
    panel.parameters.fluoroscopy = None
    driver.pump(0.05)
    assert not ui.imagesSection.collapsed, "what is missing is in sight"


def test_an_accepted_pose_says_where_it_is_and_a_rejected_one_what_is_shown(driver, facade, registered):
    panel, ct, _ = registered
    ui = panel.ui
    assert not driver.isReachable(ui.saveButton)
    driver.click(ui.acceptButton)
    transform = ct.GetParentTransformNode().GetName()
    assert f"'{transform}'" in ui.keptLabel.text
    assert ct.GetName() in ui.keptLabel.text
    driver.click(ui.saveButton)
    assert facade.ioManager.savesOffered == 1
    driver.click(ui.rejectButton)
    assert "Rejected" in ui.verdictLabel.text
    assert "back where attempt 1 began" in ui.verdictLabel.text
    assert ui.detailsLabel.text == ui.keptLabel.text == ""
    driver.click(ui.acceptButton)
    assert "Trusted" in ui.verdictLabel.text


def test_accept_and_reject_are_live_only_while_there_is_something_to_keep_or_to_take_back(driver, registered):
    panel, ct, _ = registered
    ui = panel.ui

    def live():
        return [button.text for button in (ui.acceptButton, ui.rejectButton, ui.redoButton) if button.enabled]

    assert live() == ["Accept", "Reject", "Again"]
    driver.click(ui.acceptButton)
    assert live() == ["Reject", "Again"], "it is kept already"
    driver.click(ui.rejectButton)
    assert live() == ["Show this pose", "Again"], "it is taken back already"
    driver.click(ui.flipCheckBox)
    assert live() == ["Again"], "it is about another image"
    driver.click(ui.flipCheckBox)
    table = panel.scene.findOwned(ct, "attempts")
    for column, text in (("Status", "failed"), ("Decision", "none")):
        table.SetCellText(0, COLUMNS.index(column), text)
    panel.refresh()
    assert live() == ["Show this pose", "Again"], "a failure has not moved the CT"
    driver.click(ui.acceptButton)
    assert live() == ["Accept", "Reject", "Again"]


def test_what_to_try_next_goes_there(driver, facade, registered):
    panel, ct, _ = registered
    ui = panel.ui
    assert not driver.isReachable(ui.nextStepsBox)
    table = panel.scene.findOwned(ct, "attempts")
    reasons = "the X-ray looks mirrored"
    for column, text in (("Status", "uncertain"), ("Reasons", reasons), ("C-arm", "preset")):
        table.SetCellText(0, COLUMNS.index(column), text)
    panel.headings.fold(3)
    panel.refresh()
    flip, carm = ui.nextStepsBox.findChildren(type(ui.acceptButton))[:2]
    assert flip.text.startswith("1. Flip")
    for button, widget in ((flip, ui.flipCheckBox), (carm, ui.sddSpinBox)):
        ui.carmSection.collapsed = True
        driver.click(button)
        driver.pump(0.05)
        assert isInSight(facade, widget)
    driver.click(ui.flipCheckBox)
    assert not driver.isReachable(ui.nextStepsBox), "the advice was about another image"
