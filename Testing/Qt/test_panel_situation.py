"""The panel's situation: one for each refresh, the same for every step, and what it allows."""

import dataclasses

import numpy as np
import pytest
import slicer

from ProSTRegistrationLib.Nodes.CArmSettings import applySettings, settingsOf
from ProSTRegistrationLib.Nodes.DrrOrigin import originOf


def test_a_refresh_reads_the_situation_once_and_hands_the_same_to_every_step(patient, monkeypatch):
    panel, _, _ = patient
    handed, read = [], []
    reading = panel._reader.read
    monkeypatch.setattr(panel._reader, "read", lambda *args: read.append(args) or reading(*args))
    for step in panel.steps:
        monkeypatch.setattr(step, "refresh", handed.append)
    panel.refresh()
    assert len(read) == 1
    assert len(handed) == 5
    assert all(situation is handed[0] for situation in handed)
    with pytest.raises(dataclasses.FrozenInstanceError):
        handed[0].isBusy = True


def test_what_a_situation_says(driver, patient, addVolume):
    panel, ct, xray = patient
    ready = panel.situation()
    assert (ready.ct, ready.images, ready.shownImage) == (ct, (xray,), xray)
    assert ready.hasImages
    assert ready.isReady
    assert ready.isFree
    assert np.array_equal(ready.pose, panel.scene.ct(ct)[1])
    assert ready.origins == {xray: originOf(ct, xray, panel.anatomy, ready.pose)}
    second = addVolume(slicer.util.arrayFromVolume(xray).copy(), "Side")
    panel.parameters.secondView = second
    driver.pump()
    unplaced = panel.situation()
    assert unplaced.images == (xray, second)
    assert unplaced.unplaced == (second,)
    assert unplaced.hasImages
    assert not unplaced.isReady
    assert (unplaced.pose, unplaced.origins) == (None, {})
    assert not driver.isReachable(panel.ui.registerButton)
    applySettings(panel.scene, second, settingsOf(xray))
    driver.pump()
    driver.choose(panel.ui.carmImageComboBox, "Side")
    assert panel.situation().shownImage is second
    panel.parameters.secondView = None
    driver.pump()
    assert panel.situation().shownImage is xray
    panel.parameters.ct = None
    driver.pump()
    empty = panel.situation()
    assert not empty.hasImages
    assert "No CT is chosen" in empty.faults[0]
    assert not empty.isFree
