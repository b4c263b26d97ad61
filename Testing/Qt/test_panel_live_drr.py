"""The live DRR: what one movement of the hand asks of the worker, and what it computes here."""

from dataclasses import replace

import numpy as np
import pytest
import slicer

from Patience import PATIENCE_S
from prostreg.geometry.carm import CArm
from ProSTRegistrationLib.Nodes.CArmSettings import applySettings, settingsOf

FINER = 6
"""As many pixels of the large X-ray on one of the small one: a preview is smaller than a full picture then."""


class Asked:
    """The DRRs that were asked of the worker, each as (pose, downsampling)."""

    def __init__(self, client, monkeypatch):
        self.drrs = []
        request = client.request

        def noted(command, *args, **fields):
            if command == "render":
                self.drrs.append((np.array(fields["world_from_volume"]), fields["downsampling"]))
            return request(command, *args, **fields)

        monkeypatch.setattr(client, "request", noted)

    @property
    def sizes(self):
        """Downsampling of each."""
        return [downsampling for _, downsampling in self.drrs]


@pytest.fixture
def resting(driver, patient, addVolume, monkeypatch):
    """A panel with a large X-ray whose check is shown and whose DRR has come; (panel, ct, xray, Asked)."""
    panel, ct, small = patient
    pixels = slicer.util.arrayFromVolume(small)[0]
    large = addVolume(np.kron(pixels, np.ones((FINER, FINER), dtype=pixels.dtype))[np.newaxis], "Large X-ray")
    settings = settingsOf(small)
    driver.choose(panel.ui.fluoroscopySelector, large)
    pixelMm = tuple(size / FINER for size in settings.pixelSizeMm)
    applySettings(panel.scene, large, type(settings)(settings.sddMm, settings.sodMm, pixelMm))
    driver.pump()
    asked = Asked(panel.logic.client, monkeypatch)
    panel.check.showViews()
    untilItRests(driver, panel, asked)
    asked.drrs.clear()
    return panel, ct, large, asked


def untilItRests(driver, panel, asked):
    """Waits until a full picture has come and nothing more is asked for."""
    driver.pump(lambda: 1 in asked.sizes and not panel.logic.client.hasPending, PATIENCE_S)
    driver.pump(0.5)


def test_a_step_of_a_slider_asks_once_at_the_new_pose_and_once_more_at_rest(driver, resting):
    panel, ct, _xray, asked = resting
    before = panel.scene.ct(ct)[1]
    shown = panel.logic.live.shown
    panel.ui.shiftUSlider.value += 20.0
    driver.pump(lambda: panel.logic.live.shown > shown, PATIENCE_S)
    now = panel.scene.ct(ct)[1]
    assert not np.allclose(now, before)
    assert [np.allclose(pose, now) for pose, _ in asked.drrs] == [True]
    assert asked.sizes[0] > 1
    untilItRests(driver, panel, asked)
    assert [np.allclose(pose, now) for pose, _ in asked.drrs] == [True, True]
    assert asked.sizes[1] == 1


def test_steps_one_after_the_other_ask_for_one_preview_each(driver, resting):
    panel, ct, _xray, asked = resting
    poses = []
    for _ in range(4):
        shown = panel.logic.live.shown
        panel.ui.depthSlider.value += 7.0
        poses.append(panel.scene.ct(ct)[1])
        driver.pump(lambda shown=shown: panel.logic.live.shown > shown, PATIENCE_S)
    untilItRests(driver, panel, asked)
    previews = [pose for pose, downsampling in asked.drrs if downsampling > 1]
    assert len(previews) == 4
    assert np.allclose(previews, poses)


def test_a_carm_is_built_once_for_each_change_and_not_for_each_step(driver, resting, monkeypatch):
    panel, _ct, xray, asked = resting
    built = []
    check = CArm.__post_init__
    monkeypatch.setattr(CArm, "__post_init__", lambda carm: (built.append(carm.size), check(carm))[1])
    panel.ui.shiftVSlider.value += 12.0
    untilItRests(driver, panel, asked)
    assert built == []
    asked.drrs.clear()
    panel.ui.primaryAngleSpinBox.value = 4.0
    driver.click(panel.ui.placeButton)
    untilItRests(driver, panel, asked)
    assert settingsOf(xray).primaryAngleDeg == 4.0
    # What was typed, its place on the node, the settings read back, the DRR in two sizes.
    assert 0 < len(built) <= 10


def test_of_best_poses_that_come_at_once_the_last_is_followed_and_the_scene_is_looked_at_once(
    driver, resting, monkeypatch
):
    panel, ct, _xray, asked = resting
    looks, read = [], panel._reader.read

    def registering(*arguments):
        looks.append(arguments)
        return replace(read(*arguments), isBusy=True, isRegistering=True)

    monkeypatch.setattr(panel._reader, "read", registering)
    pose = panel.scene.ct(ct)[1]
    for _ in range(5):
        pose[0, 3] += 1.0
        panel.check.showBestSoFar({"world_from_volume": pose.tolist()})
    driver.pump(lambda: asked.drrs, PATIENCE_S)
    assert len(looks) == 1
    assert [np.allclose(drawn, pose) for drawn, _ in asked.drrs] == [True]


def test_what_is_put_off_is_done_once_and_a_waiting_timer_comes_between(driver, patient):
    import qt

    panel, came = patient[0], []
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.connect("timeout()", lambda: came.append("timer"))

    def first():
        came.append("first")
        timer.start(0)

    def second():
        came.append("second")

    for action in (first, second, first):
        panel.later(action)
    driver.pump()
    assert came == ["first", "timer", "second"]
