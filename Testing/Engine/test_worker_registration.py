"""Registrations in the real worker process: progress, result, cancel, and what is answered meanwhile."""

import sys

import numpy as np
import pytest
from WorkerDriving import answered, begin, pump

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
    ct = answered(client, "load_ct", arrays={"ct": bone.values}, volume_from_index=affine).reply["ct"]
    mask = (phantom.labels.values > 0).astype(np.uint8)
    anatomy = answered(client, "load_anatomy", arrays={"mask": mask}, ct=ct).reply["anatomy"]
    camera = {"K": CARM.intrinsics.tolist(), "size": list(CARM.size), "camera_from_world": np.eye(4).tolist()}
    view = {**camera, "polarity": "bone-bright"}
    views = answered(client, "load_views", arrays={"pixels0": xray}, views=[view]).reply["views"]
    return {"ct": ct, "anatomy": anatomy, "views": views}


@pytest.fixture(scope="module")
def again(client, loaded):
    """The id of the same view with another X-ray, of noise."""
    xray = np.random.default_rng(0).normal(1.0, 0.01, CARM.size[::-1]).astype(np.float32)
    camera = {"K": CARM.intrinsics.tolist(), "size": list(CARM.size), "camera_from_world": np.eye(4).tolist()}
    view = {**camera, "polarity": "bone-bright"}
    return answered(client, "load_views", arrays={"pixels0": xray}, views=[view]).reply["views"]


def register(client, loaded, **config):
    return begin(client, "register", name="phantom", initial=START.tolist(), config={**CONFIG, **config}, **loaded)


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
    assert answered(client, "cancel").reply["cancelled"]
    seen = len(answers.progress)
    pump(client, lambda: answers.done)
    assert answers.error is None, str(answers.error)
    assert answers.reply["stopped"] == "cancelled"
    assert len(answers.progress) <= seen + 2
    assert not answered(client, "cancel").reply["cancelled"]
    assert answered(client, "status").reply["state"] == "ready"


def test_status_and_renders_are_answered_meanwhile(client, loaded):
    answers = register(client, loaded, restarts=8)
    pump(client, lambda: answers.progress)
    assert answered(client, "status").reply["state"] == "registering"
    fields = {"ct": loaded["ct"], "anatomy": loaded["anatomy"], "view": loaded["views"][0]}
    meanwhile = answered(client, "render", world_from_volume=ANTERIOR_POSTERIOR.tolist(), **fields)
    second = register(client, loaded)
    pump(client, lambda: second.done)
    assert "A registration is running" in str(second.error)
    assert not answers.done
    client.cancel()
    pump(client, lambda: answers.done)
    assert answers.reply["stopped"] == "cancelled"
    alone = answered(client, "render", world_from_volume=ANTERIOR_POSTERIOR.tolist(), **fields)
    assert np.array_equal(meanwhile.arrays["drr"], alone.arrays["drr"])


def test_faults_of_a_registration(client, loaded):
    unknown = register(client, loaded, no_such_setting=1)
    pump(client, lambda: unknown.done)
    assert unknown.error.kind == "input"
    assert "no_such_setting" in str(unknown.error)
    behind = START.copy()
    behind[2, 3] = -750.0
    far = begin(client, "register", initial=behind.tolist(), config=CONFIG, **loaded)
    pump(client, lambda: far.done)
    assert far.error.kind == "input"
    assert answered(client, "status").reply["state"] == "ready"


def test_views_that_are_only_roughly_known_are_found_each_by_itself(client, loaded, again):
    twice, relation = {**loaded, "views": loaded["views"] + again}, {"rotation_deg": 2.0, "translation_mm": 5.0}
    answers = register(client, {**twice, "relation": relation})
    pump(client, lambda: answers.done)
    assert answers.error is None, str(answers.error)
    assert [place["view"] for place in answers.reply["relation"]] == [2]
    refused = register(client, {**twice, "relation": {"rotation_deg": 90.0}})
    pump(client, lambda: refused.done)
    assert "rotation_deg" in str(refused.error)


def test_one_picture_is_no_second_view(client, loaded):
    refused = register(client, {**loaded, "views": loaded["views"] * 2})
    pump(client, lambda: refused.done)
    assert "View 2 shows the same picture as view 1" in str(refused.error)


def test_worker_ends_in_mid_registration_when_its_client_leaves(loaded, client, tmp_path):
    answers = register(client, loaded, restarts=8)
    pump(client, lambda: answers.progress)
    process = client.source._process
    client._channel.close()
    assert process.wait(PATIENCE_S) == 0
    client.stop()
