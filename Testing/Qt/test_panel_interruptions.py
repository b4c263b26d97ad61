"""Scene closed, nodes deleted, the worker killed, in every state of a task: a sentence, and the next try works."""

import json
import os
import signal

import numpy as np
import pytest
import slicer

from Patience import PATIENCE_S
from ProSTRegistrationLib.Jobs import JobState
from ProSTRegistrationLib.Nodes.Attempts import attempts
from ProSTRegistrationLib.Nodes.CArmSettings import applySettings, settingsOf

STATES = ["loading", "registering", "adapting", "live"]


@pytest.fixture
def ready(driver, patient):
    """A panel whose searches would go on for long."""
    panel, ct, xray = patient
    panel.parameters.timeLimitS = 300.0
    panel.parameters.adaptMinutes = 30.0
    for name, value in (("spreadRotationDeg", 5.0), ("spreadShiftMm", 6.0), ("spreadDepthMm", 8.0)):
        setattr(panel.parameters, name, value)
    # One that needs a search: it does not end at the first look.
    pose = panel.scene.ct(ct)[1]
    pose[:3, 3] += (14, -11, 9)
    panel.scene.setPose(ct, pose)
    driver.pump()
    return panel, ct, xray


def bringTo(driver, panel, state):
    """Starts what the state's name says and waits until it is there."""
    if state == "live":
        driver.click(panel.ui.standardViewButton)
        return
    if state == "adapting":
        panel.ui.adaptGroup.collapsed = False
        driver.click(panel.ui.adaptButton)
        driver.pump(lambda: panel.ui.progressBar.value > 0 or "simulating" in panel.ui.progressLabel.text, PATIENCE_S)
        assert panel.logic.state is JobState.ADAPTING
        return
    if state == "loading":
        panel.logic._data.forget()  # all is sent again, which takes a while
        panel.register.register()
        assert panel.logic.state is JobState.LOADING
        return
    driver.click(panel.ui.registerButton)
    driver.pump(lambda: panel.logic.state is not JobState.LOADING, PATIENCE_S)


def finish(driver, panel):
    """A registration from here to its end: the panel and the worker are usable."""
    panel.parameters.timeLimitS = 2.0
    driver.click(panel.ui.registerButton)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    assert attempts(panel.scene, panel.ctNode), panel.ui.progressLabel.text


def again(driver, panel, addVolume, bones, xrayPixels, settings):
    """Loads the same images into an emptied scene."""
    ct = addVolume(bones, "CT again", (2.0, 1.8, 2.5))
    xray = addVolume(xrayPixels, "X-ray again")
    driver.choose(panel.ui.ctSelector, ct)
    driver.choose(panel.ui.fluoroscopySelector, xray)
    applySettings(panel.scene, xray, settings)
    driver.pump()
    driver.click(panel.ui.standardViewButton)


@pytest.mark.parametrize("state", STATES)
def test_scene_closed(driver, facade, ready, addVolume, bones, state):
    panel, _, xray = ready
    pixels, settings = slicer.util.arrayFromVolume(xray).copy(), settingsOf(xray)
    bringTo(driver, panel, state)
    facade.scene.Clear(False)
    driver.pump(0.3)
    assert panel.logic.state is JobState.IDLE
    assert "No CT is chosen" in panel.ui.imagesStatusLabel.text
    assert not driver.isReachable(panel.ui.registerButton)
    again(driver, panel, addVolume, bones, pixels, settings)
    finish(driver, panel)


@pytest.mark.parametrize(("state", "which"), [*((state, "ct") for state in STATES), ("registering", "xray")])
def test_node_deleted(driver, facade, ready, addVolume, bones, state, which):
    panel, ct, xray = ready
    pixels, settings = slicer.util.arrayFromVolume(xray).copy(), settingsOf(xray)
    bringTo(driver, panel, state)
    facade.scene.RemoveNode(ct if which == "ct" else xray)
    driver.pump(lambda: panel.logic.state is JobState.IDLE, PATIENCE_S)
    driver.pump(0.2)
    if state != "live":
        assert "removed from the scene" in panel.ui.progressLabel.text
    # Slicer's node selectors go on to another node when theirs is removed.
    assert panel.ui.imagesStatusLabel.text
    assert not driver.isReachable(panel.ui.registerButton)
    again(driver, panel, addVolume, bones, pixels, settings)
    finish(driver, panel)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills a process as only POSIX can")
@pytest.mark.parametrize("state", ["registering", "adapting"])
def test_worker_killed(driver, ready, state):
    panel, ct, _ = ready
    process = []
    panel.logic.client.request("status", onReply=lambda content, _: process.append(content["process"]))
    driver.pump(lambda: process, PATIENCE_S)
    bringTo(driver, panel, state)
    start = panel.scene.ct(ct)[1]
    os.kill(process[0], signal.SIGKILL)
    driver.pump(lambda: panel.logic.state is JobState.IDLE, PATIENCE_S)
    driver.pump(0.05)
    assert "The worker process stopped working" in panel.ui.progressLabel.text
    assert "starts again" in panel.ui.progressLabel.text
    assert np.array_equal(panel.scene.ct(ct)[1], start)
    finish(driver, panel)


@pytest.mark.parametrize("state", STATES[:3])
def test_cancelled(driver, ready, state):
    panel, ct, _ = ready
    bringTo(driver, panel, state)
    start = panel.scene.ct(ct)[1]
    driver.click(panel.ui.adaptButton if state == "adapting" else panel.ui.registerButton)
    driver.pump(lambda: panel.logic.state is JobState.IDLE, PATIENCE_S)
    driver.pump(0.05)
    assert "Cancelled" in panel.ui.progressLabel.text
    assert np.array_equal(panel.scene.ct(ct)[1], start)
    finish(driver, panel)


def test_module_left_and_entered_during_a_registration(driver, ready):
    panel, ct, _ = ready
    panel.parameters.timeLimitS = 6.0
    bringTo(driver, panel, "registering")
    driver.leave()
    driver.pump(1.0)
    driver.enter("ProSTRegistration")
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.2)
    assert len(attempts(panel.scene, ct)) == 1
    assert driver.isReachable(panel.ui.registerButton)


def test_module_reloaded_during_a_registration(driver, facade, ready, panelWidget):
    panel, ct, _ = ready
    bringTo(driver, panel, "registering")
    panelWidget.onReload()
    driver.pump(0.3)
    fresh = facade.moduleManager.module("ProSTRegistration").widgetRepresentation().self().panel
    assert fresh is not panel
    assert fresh.ctNode is ct
    assert fresh.logic.state.value == JobState.IDLE.value
    assert not fresh.logic.isBusy
    finish(driver, fresh)


def test_cancel_answers_at_once_and_is_pressed_once(driver, ready):
    panel, ct, _ = ready
    ui, start = panel.ui, panel.scene.ct(ct)[1]
    driver.click(ui.registerButton)
    assert ui.progressBar.maximum == 0, "busy until the first news"
    driver.pump(lambda: ui.progressBar.maximum > 0, PATIENCE_S)
    assert "similarity" not in ui.progressLabel.text
    driver.click(ui.registerButton)
    if panel.logic.isBusy:
        assert (ui.registerButton.text, ui.registerButton.enabled) == ("Cancelling…", False)
        assert not driver.isReachable(ui.stopButton)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.1)
    assert "Cancelled" in ui.progressLabel.text
    assert (ui.registerButton.text, ui.registerButton.enabled) == ("Register", True)
    assert np.array_equal(panel.scene.ct(ct)[1], start)
    assert attempts(panel.scene, ct) == []


def test_a_search_can_be_stopped_and_what_it_shows_be_kept(driver, ready):
    panel, ct, _ = ready
    ui, start = panel.ui, panel.scene.ct(ct)[1]
    driver.click(ui.registerButton)
    driver.pump(lambda: "Searching" in ui.progressLabel.text and driver.isReachable(ui.stopButton), PATIENCE_S)
    driver.click(ui.stopButton)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.1)
    (row,) = attempts(panel.scene, ct)
    assert np.allclose(panel.scene.ct(ct)[1], np.array(json.loads(row["Pose"])))
    assert not np.allclose(panel.scene.ct(ct)[1], start)
    assert "kept" in ui.progressLabel.text
    assert not driver.isReachable(ui.stopButton)
    driver.click(ui.rejectButton)
    assert np.allclose(panel.scene.ct(ct)[1], start)
