"""Registrations in the real worker process: progress, result, cancel, and what is answered meanwhile."""

import sys
import time

import numpy as np
import pytest

from Patience import PATIENCE_S
from prostreg.geometry.carm import CArm
from prostreg.images.attenuation import attenuation_from_hu
from prostreg.images.volume import Volume
from prostreg.projector.selection import make_projector
from prostreg.samples.phantom import make_phantom
from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient
from ProSTRegistrationLib.Worker.WorkerSource import LocalWorker

CARM = CArm.from_sdd(1000.0, (3.0, 3.0), (96, 88), principal_point=(50.0, 41.0))
ANTERIOR_POSTERIOR = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 750], [0, 0, 0, 1]])
START = ANTERIOR_POSTERIOR + 6.0 * np.array([[0, 0, 0, 1], [0, 0, 0, -1], [0, 0, 0, 2], [0, 0, 0, 0]])
CONFIG = {"method": "cmaes", "seed": 3}


class Answers:
    """What the client calls back for one request, with the times of the calls."""

    def __init__(self, client, command, **fields):
        self.reply = self.arrays = self.error = None
        self.progress = []
        client.request(
            command, fields.pop("arrays", None), onReply=self.on_reply, onProgress=self.progress.append,
            onError=self.on_error, **fields,
        )  # fmt: skip

    @property
    def done(self):
        return self.reply is not None or self.error is not None

    def on_reply(self, content, arrays):
        self.reply, self.arrays = content, arrays

    def on_error(self, error):
        self.error = error


def pump(client, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"no answer; the worker's log:\n{client.logTail()}"
        client.poll()
        time.sleep(0.002)


def ask(client, command, **fields):
    answers = Answers(client, command, **fields)
    pump(client, lambda: answers.done)
    assert answers.error is None, f"{answers.error}\n{answers.error.details}"
    return answers


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    made = WorkerClient(LocalWorker(sys.executable, tmp_path_factory.mktemp("log")))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def loaded(client):
    """A phantom's spine and an X-ray of it in the worker."""
    phantom = make_phantom(2)
    bone = phantom.ct.with_values(np.where(phantom.labels.values > 0, phantom.ct.values, -1000).astype(np.float32))
    attenuation = Volume(attenuation_from_hu(bone.values), bone.volume_from_index)
    xray = make_projector(attenuation).render(ANTERIOR_POSTERIOR[np.newaxis], CARM)[0]
    affine = bone.volume_from_index.tolist()
    ct = ask(client, "load_ct", arrays={"ct": bone.values}, volume_from_index=affine).reply["ct"]
    mask = (phantom.labels.values > 0).astype(np.uint8)
    anatomy = ask(client, "load_anatomy", arrays={"mask": mask}, ct=ct).reply["anatomy"]
    camera = {"K": CARM.intrinsics.tolist(), "size": list(CARM.size), "camera_from_world": np.eye(4).tolist()}
    view = {**camera, "polarity": "bone-bright"}
    views = ask(client, "load_views", arrays={"pixels0": xray}, views=[view]).reply["views"]
    return {"ct": ct, "anatomy": anatomy, "views": views}


def register(client, loaded, **config):
    return Answers(client, "register", name="phantom", initial=START.tolist(), config={**CONFIG, **config}, **loaded)


def test_progress_and_result(client, loaded):
    answers = register(client, loaded)
    pump(client, lambda: answers.done)
    assert answers.error is None, str(answers.error)
    result = answers.reply
    assert result["name"] == "phantom"
    assert result["stopped"] is None
    assert result["config"]["seed"] == 3
    assert np.allclose(np.array(result["world_from_volume"])[:3, 3], ANTERIOR_POSTERIOR[:3, 3], atol=5.0)
    fractions = [progress["fraction"] for progress in answers.progress]
    assert len(fractions) > 2
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] <= 1
    assert np.shape(answers.progress[0]["world_from_volume"]) == (4, 4)


def test_cancel_ends_with_the_best_so_far(client, loaded):
    answers = register(client, loaded, restarts=8)
    pump(client, lambda: len(answers.progress) >= 2)
    assert ask(client, "cancel").reply["cancelled"]
    seen = len(answers.progress)
    pump(client, lambda: answers.done)
    assert answers.error is None, str(answers.error)
    assert answers.reply["stopped"] == "cancelled"
    assert len(answers.progress) <= seen + 2
    assert not ask(client, "cancel").reply["cancelled"]
    assert ask(client, "status").reply["state"] == "ready"


def test_status_and_renders_are_answered_meanwhile(client, loaded):
    answers = register(client, loaded, restarts=8)
    pump(client, lambda: answers.progress)
    assert ask(client, "status").reply["state"] == "registering"
    fields = {"ct": loaded["ct"], "anatomy": loaded["anatomy"], "view": loaded["views"][0]}
    meanwhile = ask(client, "render", world_from_volume=ANTERIOR_POSTERIOR.tolist(), **fields)
    second = register(client, loaded)
    pump(client, lambda: second.done)
    assert "A registration is running" in str(second.error)
    assert not answers.done
    client.cancel()
    pump(client, lambda: answers.done)
    assert answers.reply["stopped"] == "cancelled"
    alone = ask(client, "render", world_from_volume=ANTERIOR_POSTERIOR.tolist(), **fields)
    assert np.array_equal(meanwhile.arrays["drr"], alone.arrays["drr"])


def test_faults_of_a_registration(client, loaded):
    unknown = register(client, loaded, no_such_setting=1)
    pump(client, lambda: unknown.done)
    assert unknown.error.kind == "input"
    assert "no_such_setting" in str(unknown.error)
    behind = START.copy()
    behind[2, 3] = -750.0
    far = Answers(client, "register", initial=behind.tolist(), config=CONFIG, **loaded)
    pump(client, lambda: far.done)
    assert far.error.kind == "input"
    assert ask(client, "status").reply["state"] == "ready"


def test_worker_ends_in_mid_registration_when_its_client_leaves(loaded, client, tmp_path):
    answers = register(client, loaded, restarts=8)
    pump(client, lambda: answers.progress)
    process = client.source._process
    client._channel.close()
    assert process.wait(PATIENCE_S) == 0
    client.stop()
