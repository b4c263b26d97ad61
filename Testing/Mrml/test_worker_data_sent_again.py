"""What the worker is sent again: whatever changed, and only that; a real worker answers."""

import sys
import time

import numpy as np
import pytest
import slicer

from Patience import PATIENCE_S
from prostreg.geometry.carm import CArm
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas, setIjkToRas
from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient
from ProSTRegistrationLib.Worker.WorkerData import WorkerData
from ProSTRegistrationLib.Worker.WorkerSource import LocalWorker

ALL = ["load_ct", "load_anatomy", "load_views"]


def grey(seed):
    return np.random.default_rng(seed).integers(0, 4000, (1, 120, 160)).astype(np.uint16)


class NotingClient(WorkerClient):
    """The real client, which notes what it was asked to send."""

    def __init__(self, source):
        super().__init__(source)
        self.sent = []

    def request(self, command, arrays=None, **others):
        self.sent.append((command, arrays, others))
        return super().request(command, arrays, **others)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    made = NotingClient(LocalWorker(sys.executable, tmp_path_factory.mktemp("log")))
    yield made
    made.stop()


@pytest.fixture
def ct(addVolume):
    hu = np.full((6, 7, 8), -1000, dtype=np.int16)
    hu[1:5, 2:6, 2:7] = 300
    hu[1, 2, 2], hu[4, 5, 6] = 220, 255
    return addVolume(hu, np.diag([20.0, 20.0, 20.0, 1]))


@pytest.fixture
def xrays(scene, addVolume, obliqueCarm):
    made = []
    for number in (1, 2):
        node = addVolume(grey(number), name=f"Fluoro {number}")
        scene.placeFluoroscopy(node, obliqueCarm)
        made.append(node)
    return made


@pytest.fixture
def labels(addVolume):
    voxels = np.zeros((6, 7, 8), dtype=np.uint8)
    voxels[1:5, 2:6, 2:6] = 1
    voxels[2, 3, 3:5] = 2
    return addVolume(voxels, np.diag([20.0, 20.0, 20.0, 1]), "Labels", "vtkMRMLLabelMapVolumeNode")


@pytest.fixture
def load(scene, client, ct, xrays):
    """Loads the nodes; gives what was sent for it and the ids."""
    data = WorkerData(scene, client)

    def bring(anatomy, views=None):
        client.sent.clear()
        loaded, failed = [], []
        data.load(ct, xrays if views is None else views, anatomy, loaded.append, failed.append)
        deadline = time.monotonic() + PATIENCE_S
        while not loaded and not failed:
            assert time.monotonic() < deadline, client.logTail()
            client.poll()
            time.sleep(0.002)
        assert not failed, failed[0].faults
        return list(client.sent), loaded[0]

    bring.data = data
    return bring


def commands(sent):
    return [command for command, _, _ in sent]


def test_unchanged_nodes_are_sent_once(load, labels):
    sent, first = load(AnatomyChoice(labels))
    assert commands(sent) == ALL
    assert len(set(first.views)) == 2
    sent, second = load(AnatomyChoice(labels))
    assert sent == []
    assert second == first
    load.data.forget()
    sent, _ = load(AnatomyChoice(labels))
    assert commands(sent) == ALL


def test_what_is_forgotten_while_it_is_sent_is_sent_once_more(load, client, ct, xrays, labels):
    loaded, failed = [], []
    client.sent.clear()
    load.data.load(ct, xrays, AnatomyChoice(labels), loaded.append, failed.append)
    load.data.forget()
    deadline = time.monotonic() + PATIENCE_S
    while not loaded and not failed:
        assert time.monotonic() < deadline, client.logTail()
        client.poll()
        time.sleep(0.002)
    assert not failed
    assert commands(client.sent) == ["load_ct", *ALL]


def test_views_are_told_in_the_order_asked_for(load, xrays):
    _, both = load(AnatomyChoice())
    sent, turnedAround = load(AnatomyChoice(), xrays[::-1])
    assert sent == []
    assert turnedAround.views == both.views[::-1]
    _, one = load(AnatomyChoice(), xrays[1:])
    assert one.views == both.views[1:]


def test_an_image_moved_by_its_parent_goes_again_alone_and_with_its_new_place(load, xrays, addTransform, rotation):
    _, first = load(AnatomyChoice())
    parent = addTransform(rotation((0, 0, 1), 0, (0.5, 0, 0)))
    xrays[1].SetAndObserveTransformNodeID(parent.GetID())
    for matrix in (rotation((0, 0, 1), 0, (0.5, 0, 0)), rotation((0, 1, 0), 0.1, (0.5, 0, 0))):
        parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        sent, now = load(AnatomyChoice())
        assert commands(sent) == ["load_views"]
        (camera,) = sent[0][2]["views"]
        np.testing.assert_allclose(camera["camera_from_world"], carmOf(xrays[1]).camera_from_world)
        assert now.views[0] == first.views[0]
        assert now.views[1] not in first.views
    xrays[1].SetAndObserveTransformNodeID(None)
    sent, back = load(AnatomyChoice())
    assert sent == []
    assert back == first


def test_an_image_with_other_pixels_or_another_c_arm_goes_again_alone(load, scene, xrays, obliqueCarm):
    _, first = load(AnatomyChoice())
    slicer.util.updateVolumeFromArray(xrays[0], grey(9))
    sent, repainted = load(AnatomyChoice())
    assert commands(sent) == ["load_views"]
    assert list(sent[0][1]) == ["pixels0"]
    assert (sent[0][1]["pixels0"] == grey(9)[0]).all()
    assert repainted.views[1] == first.views[1]
    for spacing in ((0.31, 0.45), (0.30, 0.46)):
        scene.placeFluoroscopy(
            xrays[1],
            CArm.from_sdd(1020.0, spacing, (160, 120), (60.5, 71.25), obliqueCarm.camera_from_world),
        )
        sent, refocused = load(AnatomyChoice())
        assert commands(sent) == ["load_views"]
        assert sent[0][2]["views"][0]["spacing_mm"] == pytest.approx(spacing)
        assert refocused.views[0] == repainted.views[0]


@pytest.mark.parametrize("change", ["voxels", "spacing", "origin"])
def test_another_ct_goes_again_with_the_anatomy_that_depends_on_it(load, ct, change):
    _, first = load(AnatomyChoice())
    if change == "voxels":
        slicer.util.updateVolumeFromArray(ct, slicer.util.arrayFromVolume(ct) + np.int16(1))
    else:
        matrix = ijkToRas(ct)
        matrix[(2, 2) if change == "spacing" else (0, 3)] += 0.5
        setIjkToRas(ct, matrix)
    sent, now = load(AnatomyChoice())
    assert commands(sent) == ["load_ct", "load_anatomy"]
    assert sent[0][2]["volume_from_index"] == ijkToRas(ct).tolist()
    assert sent[1][2]["ct"] == now.ct != first.ct
    assert now.views == first.views


def test_a_ct_that_is_only_moved_is_not_sent_again(load, scene, ct, labels, rotation):
    _, first = load(AnatomyChoice())
    scene.setPose(ct, rotation((1, 2, 3), 10, (5, 6, 7)))
    sent, now = load(AnatomyChoice())
    assert sent == []
    assert now == first


def test_labels_that_move_against_the_ct_go_again_and_those_that_move_with_it_do_not(
    load, scene, ct, labels, addTransform, rotation
):
    _, first = load(AnatomyChoice(labels))
    scene.setPose(ct, rotation((1, 2, 3), 10, (5, 6, 7)), [labels])
    sent, _ = load(AnatomyChoice(labels))
    assert sent == []
    parent = addTransform(rotation((0, 0, 1), 0, (25, 0, 0)), parent=labels.GetParentTransformNode())
    labels.SetAndObserveTransformNodeID(parent.GetID())
    sent, now = load(AnatomyChoice(labels))
    assert commands(sent) == ["load_anatomy"]
    assert now.anatomy != first.anatomy
    assert (now.ct, now.views) == (first.ct, first.views)


def test_every_other_choice_of_anatomy_is_sent_alone_and_once(load, labels):
    choices = [
        AnatomyChoice(), AnatomyChoice(thresholdHu=250.0), AnatomyChoice(thresholdHu=260.0), AnatomyChoice(labels),
        AnatomyChoice(labels, labelValues=(1,)), AnatomyChoice(labels, labelValues=(2,)),
    ]  # fmt: skip
    asked = [load(choice) for choice in choices]
    assert [commands(sent) for sent, _ in asked] == [ALL] + [["load_anatomy"]] * (len(choices) - 1)
    assert len({ids.anatomy for _, ids in asked}) == len(choices)
    assert [sent[-1][2].get("threshold_hu") for sent, _ in asked[1:]] == [250.0, 260.0, None, None, None]
    assert all(load(choice)[0] == [] for choice in choices)


def test_repainted_labels_are_sent_again_alone(load, labels):
    _, first = load(AnatomyChoice(labels))
    voxels = slicer.util.arrayFromVolume(labels).copy()
    voxels[1, 2, 2] = 0
    slicer.util.updateVolumeFromArray(labels, voxels)
    sent, now = load(AnatomyChoice(labels))
    assert commands(sent) == ["load_anatomy"]
    assert now.anatomy != first.anatomy


def test_a_new_worker_is_sent_everything(load, client):
    load(AnatomyChoice())
    client.restart()
    sent, _ = load(AnatomyChoice())
    assert commands(sent) == ALL
