"""Registrations from nodes to nodes, on real MRML with the real worker process."""

import os
import signal
import sys

import numpy as np
import pytest
import slicer
from SyntheticBones import bonesHu
from WorkerDriving import pump_logic

from Patience import PATIENCE_S
from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import invert_rigid, transform_points
from prostreg.images.attenuation import attenuation_from_hu
from prostreg.images.volume import Volume
from prostreg.projector.selection import make_projector
from ProSTRegistrationLib import LiveDrr
from ProSTRegistrationLib.Jobs import JobState
from ProSTRegistrationLib.Logic import Logic
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas
from ProSTRegistrationLib.Worker.WorkerData import BONE_BY_THRESHOLD

SPREADS = {"spread_rotation_deg": 5.0, "spread_shift_mm": 6.0, "spread_depth_mm": 8.0}
QUICK = {"method": "cmaes", "seed": 1, "time_limit_s": PATIENCE_S, **SPREADS}
LONG = {**QUICK, "restarts": 64}


@pytest.fixture
def logic(headless, client):
    return Logic(headless.scene, client)


class Outcome:
    """What a registration calls back."""

    def __init__(self):
        self.progress, self.result, self.error = [], None, None

    def callbacks(self):
        def done(result):
            self.result = result

        def failed(error):
            self.error = error

        return {"onProgress": self.progress.append, "onDone": done, "onError": failed}

    @property
    def isDone(self):
        return self.result is not None or self.error is not None


@pytest.fixture(scope="module")
def bones():
    """A CT (HU, int16) without any symmetry."""
    return bonesHu()


CARM = CArm.from_sdd(1000.0, (1.6, 1.6), (112, 112), principal_point=(58.0, 53.0))


@pytest.fixture
def patient(scene, addVolume, rotation, bones):
    """A CT near its true pose and an X-ray of it at the true pose; (ctNode, xrayNode, truth)."""
    carm = CArm(CARM.intrinsics, CARM.size, rotation((1, 2, 0), 50, (0, 20, 30)), CARM.spacing_mm)
    rasFromIjk = np.diag([2.0, 1.8, 2.5, 1.0])
    rasFromIjk[:3, 3] = (-52, -50, -60)
    truth = invert_rigid(carm.camera_from_world) @ rotation((1, 0.2, 0), 80, (4, -6, 700))
    volume = Volume(attenuation_from_hu(bones.astype(np.float32)), rasFromIjk)
    drr = make_projector(volume).render((carm.camera_from_world @ truth)[np.newaxis], carm)[0]
    grey = (4000 * np.exp(-drr)).astype(np.uint16)
    ctNode = addVolume(bones, rasFromIjk)
    xray = addVolume(grey[np.newaxis], name="Fluoro")
    scene.placeFluoroscopy(xray, carm)
    scene.setPose(ctNode, truth @ rotation((1, 1, 0), 4, (3, -4, 5)))
    return ctNode, xray, truth


def state(ctNode, mrmlScene):
    """What must not change when a registration does not succeed."""
    transform = ctNode.GetParentTransformNode()
    return slicer.util.arrayFromTransformMatrix(transform).tolist(), mrmlScene.GetNumberOfNodes()


def test_registration_moves_the_ct_and_shows_drr_and_numbers(logic, scene, patient, tableContent):
    ctNode, xray, truth = patient
    start = scene.ct(ctNode)[1]
    outcome = Outcome()
    logic.register(ctNode, [xray], config=QUICK, **outcome.callbacks())
    assert logic.state is JobState.LOADING
    pump_logic(logic, lambda: outcome.isDone)
    assert outcome.error is None, str(outcome.error)
    assert logic.state is JobState.IDLE
    volume, found = scene.ct(ctNode)
    assert np.allclose(found, outcome.result["world_from_volume"], atol=1e-9)
    corners = transform_points(volume.volume_from_index, [(12, 12, 12), (40, 12, 30), (20, 40, 12), (30, 30, 36)])

    def error(pose):
        return np.linalg.norm(transform_points(pose, corners) - transform_points(truth, corners), axis=1).mean()

    assert error(found) < error(start) / 2
    assert outcome.progress
    assert {"stage", "fraction", "score", "world_from_volume", "message"} <= outcome.progress[-1].keys()
    drrNode, tableNode = (scene.mrmlScene.GetFirstNodeByName(name) for name in ("Fluoro DRR", "CT registration"))
    assert tableContent(tableNode)["Status"] == outcome.result["status"]
    drr = slicer.util.arrayFromVolume(drrNode)[0]
    assert drr.shape == (112, 112)
    assert np.corrcoef(drr.ravel(), -np.log(slicer.util.arrayFromVolume(xray)[0] / 4000.0 + 1e-3).ravel())[0, 1] > 0.5
    assert np.allclose(ijkToRas(drrNode), ijkToRas(xray))


def test_cancel_leaves_the_pose(logic, headless, patient):
    ctNode, xray, _ = patient
    before, outcome = state(ctNode, headless.scene), Outcome()
    logic.register(ctNode, [xray], config=LONG, **outcome.callbacks())
    with pytest.raises(InputError, match="is running"):
        logic.register(ctNode, [xray])
    pump_logic(logic, lambda: outcome.progress)
    logic.cancel()
    pump_logic(logic, lambda: outcome.isDone)
    assert outcome.result["stopped"] == "cancelled"
    assert state(ctNode, headless.scene) == before


def test_cancel_before_it_began(logic, headless, patient):
    ctNode, xray, _ = patient
    before, outcome = state(ctNode, headless.scene), Outcome()
    logic.register(ctNode, [xray], config=LONG, **outcome.callbacks())
    logic.cancel()
    assert outcome.error.kind == "stopped"
    assert logic.state is JobState.IDLE
    assert state(ctNode, headless.scene) == before


def test_worker_that_dies_leaves_the_pose_and_the_next_run_works(logic, headless, patient):
    ctNode, xray, _ = patient
    before, outcome, process = state(ctNode, headless.scene), Outcome(), []
    logic.client.request("status", onReply=lambda content, _: process.append(content["process"]))
    pump_logic(logic, lambda: process)
    logic.register(ctNode, [xray], config=LONG, **outcome.callbacks())
    pump_logic(logic, lambda: outcome.progress)
    os.kill(process[0], signal.SIGTERM)
    pump_logic(logic, lambda: outcome.isDone)
    assert outcome.error.kind == "lost"
    assert state(ctNode, headless.scene) == before
    again = Outcome()
    logic.register(ctNode, [xray], config=LONG, **again.callbacks())
    pump_logic(logic, lambda: again.progress)
    logic.cancel()
    pump_logic(logic, lambda: again.isDone)
    assert again.error is None, str(again.error)


def test_nodes_removed_in_mid_run(logic, headless, patient):
    ctNode, xray, _ = patient
    outcome = Outcome()
    logic.register(ctNode, [xray], config=LONG, **outcome.callbacks())
    pump_logic(logic, lambda: outcome.progress)
    headless.scene.Clear(False)
    pump_logic(logic, lambda: outcome.isDone)
    assert "removed from the scene" in str(outcome.error)
    assert logic.state is JobState.IDLE
    idle = []
    logic.client.request("status", onReply=lambda content, _: idle.append(content))
    pump_logic(logic, lambda: idle)
    assert headless.scene.GetFirstNodeByName("Fluoro DRR") is None


def test_bad_settings_are_told_and_leave_the_pose(logic, headless, patient):
    ctNode, xray, _ = patient
    before, outcome = state(ctNode, headless.scene), Outcome()
    logic.register(ctNode, [xray], config={"no_such_setting": 1}, **outcome.callbacks())
    pump_logic(logic, lambda: outcome.isDone)
    assert outcome.error.kind == "input"
    assert "no_such_setting" in str(outcome.error)
    assert state(ctNode, headless.scene) == before


def test_all_faults_of_the_nodes_come_at_once(logic, headless, patient, addVolume):
    loose = addVolume(np.zeros((1, 4, 4), dtype=np.uint8), name="Loose")
    empty = headless.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Nothing")
    with pytest.raises(InputError) as caught:
        logic.register(patient[0], [loose], AnatomyChoice(empty))
    assert [("'Loose' has no C-arm" in fault, "'Nothing'" in fault) for fault in caught.value.faults] == [
        (True, False),
        (False, True),
    ]
    assert logic.state is JobState.IDLE


def follow(logic, scene, ctNode, xray):
    logic.live.follow(ctNode, [xray], BONE_BY_THRESHOLD, scene.ct(ctNode)[1])


def test_live_drr_follows_the_ct_and_is_full_size_when_it_rests(logic, scene, patient, rotation, monkeypatch):
    ctNode, xray, truth = patient
    monkeypatch.setattr(LiveDrr, "PREVIEW_PIXELS", 56)
    shapes, poses = [], []
    drrNode = scene.showDrr(xray, np.zeros((112, 112)))
    drrNode.AddObserver(
        drrNode.ImageDataModifiedEvent, lambda *_: shapes.append(slicer.util.arrayFromVolume(drrNode).shape)
    )
    for step in range(12):
        scene.setPose(ctNode, truth @ rotation((0, 0, 1), 0, (step, 0, 0)))
        poses.append(scene.ct(ctNode)[1])
        follow(logic, scene, ctNode, xray)
    pump_logic(logic, lambda: (1, 56, 56) in shapes and shapes[-1] == (1, 112, 112))
    # One was under way when the others came; of these only the last was rendered.
    assert logic.live.shown <= 3
    last = np.array(slicer.util.arrayFromVolume(scene.mrmlScene.GetFirstNodeByName("Fluoro DRR"))[0])
    direct = []  # the same picture, asked for at the last pose without the live DRR's detours
    logic._data.load(
        ctNode,
        [xray],
        BONE_BY_THRESHOLD,
        lambda ids: logic.client.request(
            "render",
            onReply=lambda _, arrays: direct.append(arrays["drr"]),
            ct=ids.ct,
            anatomy=ids.anatomy,
            view=ids.views[0],
            world_from_volume=poses[-1].tolist(),
        ),
        lambda error: pytest.fail(str(error)),
    )
    pump_logic(logic, lambda: direct)
    assert np.array_equal(last, direct[0])


def test_live_drr_goes_on_during_a_registration(logic, scene, patient):
    ctNode, xray, _ = patient
    outcome = Outcome()
    logic.register(ctNode, [xray], config=LONG, **outcome.callbacks())
    pump_logic(logic, lambda: outcome.progress)
    follow(logic, scene, ctNode, xray)
    pump_logic(logic, lambda: logic.live.shown)
    assert not outcome.isDone
    logic.cancel()
    pump_logic(logic, lambda: outcome.isDone)


def test_live_drr_tells_what_keeps_it_from_working(logic, scene, patient, addVolume):
    ctNode, _, _ = patient
    loose, errors = addVolume(np.zeros((1, 64, 64), dtype=np.uint8), name="Loose"), []
    logic.live.follow(ctNode, [loose], BONE_BY_THRESHOLD, np.eye(4), onError=errors.append)
    assert "'Loose' has no C-arm" in str(errors[0])
    logic.poll()
    assert len(errors) == 1


def test_unchanged_nodes_are_not_sent_again(logic, scene, patient):
    ctNode, xray, _ = patient
    sent, request = [], logic.client.request

    def spy(command, *args, **kwargs):
        sent.append(command)
        return request(command, *args, **kwargs)

    logic.client.request = spy
    try:
        for _ in range(2):
            shown = logic.live.shown
            follow(logic, scene, ctNode, xray)
            pump_logic(logic, lambda shown=shown: logic.live.shown == shown + 2)
        assert sent == ["load_ct", "load_anatomy", "load_views", *4 * ["render"]]
        sent.clear()
        slicer.util.arrayFromVolume(ctNode)[0, 0, 0] = 5
        slicer.util.arrayFromVolumeModified(ctNode)
        shown = logic.live.shown
        follow(logic, scene, ctNode, xray)
        pump_logic(logic, lambda: logic.live.shown == shown + 2)
        assert sent == ["load_ct", "load_anatomy", "render", "render"]
    finally:
        del logic.client.request


@pytest.mark.skipif(sys.platform == "win32", reason="Windows gives a class of priority instead")
def test_the_application_comes_first_when_cores_are_busy(logic):
    process = []
    logic.client.request("status", onReply=lambda content, _: process.append(content["process"]))
    pump_logic(logic, lambda: process)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, process[0]) == min(19, own + 5)
