"""Two vertebrae that moved against each other, registered in the real worker process."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from prostreg.geometry.carm import CArm
from prostreg.geometry.rotations import rotation_from_vector
from prostreg.geometry.standard_views import standard_view
from prostreg.images.attenuation import moving_volume
from prostreg.projector.selection import make_projector
from prostreg.registration.bones.bones_of_file import MOST_BONES
from prostreg.registration.case import Case
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.samples.phantom import VERTEBRA_LABELS, make_phantom

CARM = CArm.from_sdd(1020.0, (3.1, 3.1), (96, 96))
TURN_DEG, SHIFT_MM = np.array([0.0, 0.0, 8.0]), np.array([3.0, 0.0, -2.0])
CONFIG = {"method": "cmaes", "seed": 3, "population": 30, "generations": 20, "restarts": 1}
SPREADS = {"spread_rotation_deg": 8.0, "spread_shift_mm": 8.0, "spread_depth_mm": 12.0}


@pytest.fixture(scope="module")
def spine(start_worker: Callable[[], Any]) -> SimpleNamespace:
    """L2 and L3 of the phantom in a worker, L3 moved by a known motion about its centre in the X-ray."""
    worker, phantom = start_worker(), make_phantom(0)
    masks = [phantom.labels.values == value for value in VERTEBRA_LABELS[1:3]]
    centres = [anatomy_centre_mm(anatomy_points_mm(Case("one", phantom.ct, mask))) for mask in masks]
    pose = standard_view("AP", centres[0], 620.0)
    motion = np.eye(4)
    motion[:3, :3] = rotation_from_vector(np.deg2rad(TURN_DEG))
    motion[:3, 3] = centres[1] + SHIFT_MM - motion[:3, :3] @ centres[1]
    poses = [pose, pose @ motion]
    drrs = [
        make_projector(moving_volume(phantom.ct, mask)).render(place[None], CARM)[0]
        for mask, place in zip(masks, poses, strict=True)
    ]
    ct = worker.reply("load_ct", {"ct": phantom.ct.values}, volume_from_index=phantom.ct.volume_from_index.tolist())
    anatomies = [worker.reply("load_anatomy", {"mask": mask}, ct=ct["ct"])["anatomy"] for mask in masks]
    view = worker.load_view(CARM, drrs[0] + drrs[1])
    fields = {"ct": ct["ct"], "views": [view], "initial": pose.tolist(), "config": {**CONFIG, **SPREADS}}
    named = [{"name": name, "anatomy": anatomy} for name, anatomy in zip(("L2", "L3"), anatomies, strict=True)]
    return SimpleNamespace(worker=worker, fields=fields, named=named, poses=poses, drrs=drrs, ct=ct["ct"], view=view)


def test_each_bone_is_answered_with_its_pose_verdict_and_motion(spine):
    asked = spine.worker.begin("register_bones", name="spine", bones=spine.named, **spine.fields)
    answer = spine.worker.end(asked)
    assert answer.error is None, str(answer.error)
    reply = answer.reply
    assert [bone["name"] for bone in reply["bones"]] == ["L2", "L3"]
    for bone, truth in zip(reply["bones"], spine.poses, strict=True):
        found = np.array(bone["result"]["world_from_volume"])
        assert bone["status"] == bone["result"]["status"]
        assert bone["result"]["expected_error"]["across_mm"] > 0
        # Across the beam: the depth of one vertebra in one coarse image is another matter.
        np.testing.assert_allclose((found - truth)[:2, 3], 0.0, atol=3.0)
    worst = {bone["status"] for bone in reply["bones"]}
    assert reply["status"] == next(status for status in ("failed", "uncertain", "accepted") if status in worst)
    (motion,) = reply["relative_motion"]
    assert (motion["bone"], motion["against"]) == ("L3", "L2")
    assert motion["rotation_ras_deg"][2] == pytest.approx(TURN_DEG[2], abs=8.0)
    fractions = [progress["fraction"] for progress in answer.progress]
    assert fractions == sorted(fractions)
    assert {progress["bone"] for progress in answer.progress} == {"L2", "L3", ""}
    for progress in answer.progress:
        assert progress["message"].startswith(f"{progress['bone'] or 'all bones'}: ")


def test_a_cancel_ends_it_with_the_bones_that_were_not_reached(spine):
    asked = spine.worker.begin("register_bones", bones=spine.named, **spine.fields)
    spine.worker.pump(lambda: asked.progress)
    assert spine.worker.reply("status")["state"] == "registering"
    assert spine.worker.reply("cancel")["cancelled"]
    reply = spine.worker.end(asked).reply
    assert reply["stopped"] == "cancelled"
    results = [bone["result"] for bone in reply["bones"]]
    assert [result and result["stopped"] for result in sorted(results, key=bool)] == [None, "cancelled"]
    assert (reply["status"], reply["relative_motion"]) == ("failed", [])


def test_a_drr_of_several_bones_shows_each_at_its_own_pose(spine):
    placed = [
        {"anatomy": named["anatomy"], "world_from_volume": pose.tolist()}
        for named, pose in zip(spine.named, spine.poses, strict=True)
    ]
    asked = spine.worker.begin("render", ct=spine.ct, view=spine.view, bones=placed)
    drr = spine.worker.end(asked).arrays["drr"]
    np.testing.assert_allclose(drr, spine.drrs[0] + spine.drrs[1], atol=1e-4)


def test_faults_are_told_in_words(spine):
    def faults(bones):
        error = spine.worker.error("register_bones", bones=bones, **spine.fields)
        assert error.kind == "input"
        return "\n".join(error.faults)

    first, second = spine.named
    assert f"give 1 to {MOST_BONES}" in faults([])
    assert f"give 1 to {MOST_BONES}" in faults([{**first, "name": str(n)} for n in range(MOST_BONES + 1)])
    assert 'Two bones have the name "L2"' in faults([first, {**second, "name": "L2"}])
    assert '"L2" and "L3" share 100% of the smaller one' in faults([first, {**first, "name": "L3"}])
    assert "anatomy" in faults([{"name": "L2"}])
