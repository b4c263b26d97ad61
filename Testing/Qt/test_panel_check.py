"""Step 5: what is shown belongs to where the CT is, or says that it does not."""

import csv

import numpy as np
import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from Patience import PATIENCE_S
from prostreg.outputs.bone_lines import bone_lines
from ProSTRegistrationLib.Nodes.Attempts import attempts
from ProSTRegistrationLib.Views import BoneContours
from ProSTRegistrationLib.Views.CheckLayout import LAYOUT_ID
from SlicerFacade.Shortcuts import APPLICATION_SHORTCUTS


def drrOf(panel, xray):
    node = panel.scene.findOwned(xray, "drr")
    return None if node is None else slicer.util.arrayFromVolume(node).copy()


def test_a_ct_that_was_moved_is_not_called_trusted(driver, registered):
    panel, ct, _ = registered
    found = panel.scene.ct(ct)[1]
    driver.drag(panel.ui.depthSlider, panel.ui.depthSlider.value + 40.0)
    assert "Not judged" in panel.ui.verdictLabel.text
    assert "Trusted" not in panel.ui.verdictLabel.text
    panel.ui.attemptsTable.cellClicked.emit(0, 0)
    driver.pump()
    assert np.allclose(panel.scene.ct(ct)[1], found)
    assert "Trusted" in panel.ui.verdictLabel.text


def test_the_attempts_are_saved_as_a_file_of_ones_choice(driver, facade, registered, tmp_path):
    panel, ct, _ = registered
    driver.needReachable(panel.ui.saveAttemptsButton)
    facade.dialogs.answerNext(str(tmp_path / "mine"))
    driver.click(panel.ui.saveAttemptsButton)
    assert facade.mainWindow.statusBar().currentMessage() == f"Saved: {tmp_path / 'mine.csv'}"
    with (tmp_path / "mine.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["Status"], row["Attempt"]) == ("accepted", "1")
    assert float(row["world_from_volume 2,4 (mm)"]) == panel.scene.ct(ct)[1][1, 3]
    assert 0 < float(row["Similarity"]) <= 1
    facade.dialogs.answerNext(str(tmp_path / "mine.csv" / "no folder.csv"))
    driver.click(panel.ui.saveAttemptsButton)
    assert "The attempts could not be saved" in panel.ui.checkStatusLabel.text
    facade.dialogs.answerNext("")
    driver.click(panel.ui.saveAttemptsButton)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


def test_the_overlay_follows_whoever_makes_the_drr(driver, registered):
    panel, _, xray = registered
    panel.parameters.overlayKind = type(panel.parameters.overlayKind).BLEND
    driver.pump()
    picture = panel.scene.findOwned(xray, "overlay picture")
    before = slicer.util.arrayFromVolume(picture).copy()
    panel.scene.showDrr(xray, np.roll(drrOf(panel, xray)[0], 20, axis=1))
    driver.pump()
    after = slicer.util.arrayFromVolume(picture)
    assert np.array_equal(after[0][:, 20:], before[0][:, :-20])


def test_a_drr_is_drawn_once(driver, registered, monkeypatch):
    """Drawing takes as long as a frame, and MRML tells a DRR of another size twice."""
    panel, _, xray = registered
    drawn = []
    monkeypatch.setattr(BoneContours, "bone_lines", lambda drr: (drawn.append(np.array(drr)), bone_lines(drr))[1])
    drr = np.roll(drrOf(panel, xray)[0], 20, axis=1)[::2, ::2]
    panel.scene.showDrr(xray, drr, downsampling=2)
    driver.pump()
    assert len(drawn) == 1
    assert np.array_equal(drawn[0], drr)


def test_without_live_drr_no_picture_of_another_pose_stays(driver, registered):
    panel, _, xray = registered
    driver.click(panel.ui.liveDrrCheckBox)
    assert drrOf(panel, xray) is not None
    driver.drag(panel.ui.shiftUSlider, panel.ui.shiftUSlider.value + 25.0)
    assert drrOf(panel, xray) is None
    driver.click(panel.ui.liveDrrCheckBox)
    driver.pump(lambda: drrOf(panel, xray) is not None, PATIENCE_S)


def test_after_a_failure_the_drr_is_that_of_the_start(driver, patient, addVolume):
    panel, ct, _ = patient
    rng = np.random.default_rng(0)
    noise = addVolume(rng.integers(0, 4000, (1, 112, 112)).astype(np.uint16), "Noise")
    driver.choose(panel.ui.fluoroscopySelector, noise)
    driver.click(panel.ui.placeButton)
    driver.click(panel.ui.standardViewButton)
    shown = panel.logic.live.shown
    driver.pump(lambda: panel.logic.live.shown >= shown + 2, PATIENCE_S)
    start, drr = panel.scene.ct(ct)[1], drrOf(panel, noise)
    panel.parameters.timeLimitS = 1.0
    driver.click(panel.ui.registerButton)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.1)
    assert attempts(panel.scene, ct)[-1]["Status"] == "failed"
    assert "Failed" in panel.ui.verdictLabel.text
    assert np.array_equal(panel.scene.ct(ct)[1], start)
    driver.pump(lambda: drrOf(panel, noise).shape == drr.shape and np.array_equal(drrOf(panel, noise), drr), PATIENCE_S)


def test_attempts_can_be_compared_and_gone_back_to(driver, registered):
    panel, ct, _ = registered
    first = panel.scene.ct(ct)[1]
    driver.click(panel.ui.redoButton)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.1)
    assert [row["Attempt"] for row in attempts(panel.scene, ct)] == ["1", "2"]
    assert panel.parameters.seed == 1
    driver.click(panel.ui.rejectButton)
    assert [row["Decision"] for row in attempts(panel.scene, ct)] == ["none", "rejected"]
    panel.ui.attemptsTable.cellClicked.emit(0, 0)
    driver.pump()
    assert np.allclose(panel.scene.ct(ct)[1], first)
    driver.click(panel.ui.acceptButton)
    assert [row["Decision"] for row in attempts(panel.scene, ct)] == ["accepted", "rejected"]


def test_leaving_the_check_brings_the_layout_back(driver, facade, registered):
    panel, _, _ = registered
    assert facade.layoutManager.layout == LAYOUT_ID
    driver.click(panel.ui.checkViewsButton)
    assert facade.layoutManager.layout != LAYOUT_ID
    driver.click(panel.ui.checkViewsButton)
    assert facade.layoutManager.layout == LAYOUT_ID
    driver.leave()
    assert facade.layoutManager.layout != LAYOUT_ID


def test_no_key_of_the_panel_is_one_of_the_applications(facade, panelWidget):
    taken = {QtGui.QKeySequence(key).toString() for keys in APPLICATION_SHORTCUTS.values() for key in keys}
    shortcuts = facade.mainWindow.findChildren(QtGui.QShortcut)
    keys = [key.toString() for shortcut in shortcuts for key in list(shortcut.keys())]
    assert len(keys) == len(set(keys)) == 10
    assert not taken & set(keys)


def test_the_overlays_strength_changes_by_keys(driver, patient):
    panel, _ct, _xray = patient
    panel.check.showViews()
    driver.press("Alt+PgUp")
    assert panel.parameters.overlayOpacity == 60.0
    driver.press("Alt+PgDown")
    driver.press("Alt+PgDown")
    assert panel.parameters.overlayOpacity == 40.0


class ShownAndHidden(QtCore.QObject):
    """Counts how often widgets are shown or hidden."""

    ownState = ("count",)
    count = 0

    def eventFilter(self, watched, event):
        self.count += event.type() in (QtCore.QEvent.ShowToParent, QtCore.QEvent.HideToParent)
        return False


def test_a_refresh_shows_and_hides_nothing_anew(driver, patient):
    """A folded section of CTK hides again what is shown in it, and each time the panel is laid out."""
    panel, _ct, _xray = patient
    ui = panel.ui
    for section in (ui.imagesSection, ui.carmSection, ui.startSection, ui.registerSection, ui.checkSection):
        section.collapsed = True
    driver.pump()
    counter = ShownAndHidden()
    for widget in ui.imagesSection.window().findChildren(QtWidgets.QWidget):
        widget.installEventFilter(counter)
    for _ in range(3):
        panel.refresh()
    assert counter.count == 0


def test_waiting_for_a_drr_does_not_refresh_without_end(driver, patient, monkeypatch):
    panel, _ct, _xray = patient
    panel.parameters.liveDrr = False
    panel.check.showViews()
    driver.pump(0.2)
    assert "The DRR comes with" in panel.ui.checkStatusLabel.text
    refreshes, refresh = [], panel.check.refresh
    monkeypatch.setattr(panel.check, "refresh", lambda situation: (refreshes.append(1), refresh(situation)))
    driver.pump(0.2)
    assert refreshes == []
