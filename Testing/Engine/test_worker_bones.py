"""Two bones that moved against each other, registered in the real worker process."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from SyntheticBones import SPACING_MM, bonesHu, twoBones

from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.attenuation import moving_volume
from prostreg.images.volume import Volume
from prostreg.projector.selection import make_projector
from prostreg.registration.bones.bones_of_file import MOST_BONES
from prostreg.registration.case import Case
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.worker.bones_request import told_apart

CARM = CArm.from_sdd(1000.0, (2.8, 2.8), (64, 64))
SHIFT_MM = (4.0, 0.0, -3.0)
"""Of the second bone in the CT's frame, across the beam."""
CONFIG = {
    "method": "cmaes", "seed": 3, "population": 12, "generations": 8, "restarts": 1,
    "spread_rotation_deg": 3.0, "spread_shift_mm": 5.0, "spread_depth_mm": 4.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def pair(start_worker: Callable[[], Any]) -> SimpleNamespace:
    """Two bones in a worker, the second shifted in the X-ray."""
    worker, ct = start_worker(), Volume(bonesHu().astype(np.float32), np.diag([*SPACING_MM, 1.0]))
    masks = [twoBones() == value for value in (1, 2)]
    pose = standard_view("AP", anatomy_centre_mm(anatomy_points_mm(Case("both", ct, masks[0] | masks[1]))), 620.0)
    motion = np.eye(4)
    motion[:3, 3] = SHIFT_MM
    poses = [pose, pose @ motion]
    drrs = [
        make_projector(moving_volume(ct, mask)).render(place[None], CARM)[0]
        for mask, place in zip(masks, poses, strict=True)
    ]
    loaded = worker.reply("load_ct", {"ct": ct.values}, volume_from_index=ct.volume_from_index.tolist())["ct"]
    anatomies = [worker.reply("load_anatomy", {"mask": mask}, ct=loaded)["anatomy"] for mask in masks]
    view = worker.load_view(CARM, drrs[0] + drrs[1])
    fields = {"ct": loaded, "views": [view], "initial": pose.tolist(), "config": CONFIG}
    named = [{"name": name, "anatomy": anatomy} for name, anatomy in zip(("hip", "thigh"), anatomies, strict=True)]
    return SimpleNamespace(worker=worker, fields=fields, named=named, poses=poses, drrs=drrs, ct=loaded, view=view)


def ct_middle_mm() -> np.ndarray:
    return np.array(twoBones().shape[::-1]) * SPACING_MM / 2


def test_each_bone_is_answered_with_its_pose_verdict_and_motion(pair):
    asked = pair.worker.begin("register_bones", bones=pair.named, **pair.fields)
    answer = pair.worker.end(asked)
    assert answer.error is None, str(answer.error)
    reply = answer.reply
    assert [bone["name"] for bone in reply["bones"]] == ["hip", "thigh"]
    for bone, truth in zip(reply["bones"], pair.poses, strict=True):
        found = np.array(bone["result"]["world_from_volume"])
        assert bone["status"] == bone["result"]["status"]
        assert bone["result"]["expected_error"]["across_mm"] > 0
        # Across the beam: the depth of one bone in one coarse image is another matter.
        middle = np.append(ct_middle_mm(), 1.0)
        np.testing.assert_allclose(((found - truth) @ middle)[:2], 0.0, atol=2.0)
    worst = {bone["status"] for bone in reply["bones"]}
    assert reply["status"] == next(status for status in ("failed", "uncertain", "accepted") if status in worst)
    (motion,) = reply["relative_motion"]
    assert (motion["bone"], motion["against"]) == ("thigh", "hip")
    np.testing.assert_allclose(np.array(motion["translation_ras_mm"])[[0, 2]], np.array(SHIFT_MM)[[0, 2]], atol=2.0)
    fractions = [progress["fraction"] for progress in answer.progress]
    assert fractions == sorted(fractions)
    assert {progress["bone"] for progress in answer.progress} == {"hip", "thigh", ""}
    for progress in answer.progress:
        assert progress["message"].startswith(f"{progress['bone'] or 'all bones'}: ")


def test_a_cancel_ends_it_with_the_bones_that_were_not_reached(pair):
    asked = pair.worker.begin("register_bones", bones=pair.named, **pair.fields)
    pair.worker.pump(lambda: asked.progress)
    assert pair.worker.reply("status")["state"] == "registering"
    assert pair.worker.reply("cancel")["cancelled"]
    reply = pair.worker.end(asked).reply
    assert reply["stopped"] == "cancelled"
    results = [bone["result"] for bone in reply["bones"]]
    assert [result and result["stopped"] for result in sorted(results, key=bool)] == [None, "cancelled"]
    assert (reply["status"], reply["relative_motion"]) == ("failed", [])


def test_a_drr_of_several_bones_shows_each_at_its_own_pose(pair):
    placed = [
        {"anatomy": named["anatomy"], "world_from_volume": pose.tolist()}
        for named, pose in zip(pair.named, pair.poses, strict=True)
    ]
    asked = pair.worker.begin("render", ct=pair.ct, view=pair.view, bones=placed)
    arrays = pair.worker.end(asked).arrays
    np.testing.assert_allclose(arrays["drr"], pair.drrs[0] + pair.drrs[1], atol=1e-4)
    np.testing.assert_allclose(arrays["bone_drrs"], pair.drrs, atol=1e-4)
    alone = pair.worker.begin("render", ct=pair.ct, view=pair.view, bones=placed[:1])
    assert list(pair.worker.end(alone).arrays) == ["drr"]


def test_faults_are_told_in_words(pair):
    def faults(bones):
        error = pair.worker.error("register_bones", bones=bones, **pair.fields)
        assert error.kind == "input"
        return "\n".join(error.faults)

    first, second = pair.named
    assert f"give 1 to {MOST_BONES}" in faults([])
    assert f"give 1 to {MOST_BONES}" in faults([{**first, "name": str(n)} for n in range(MOST_BONES + 1)])
    assert 'Two bones have the name "hip"' in faults([first, {**second, "name": "hip"}])
    assert '"hip" and "thigh" share 100% of the smaller one' in faults([first, {**first, "name": "thigh"}])
    assert "anatomy" in faults([{"name": "hip"}])


def test_what_labels_share_at_their_border_is_the_earlier_ones() -> None:
    first, second = np.zeros((2, 1, 1, 200), dtype=bool)
    first[..., :100], second[..., 98:] = True, True
    bones, whole = told_apart([("a", first), ("b", second)])
    assert [int(bone.anatomy.sum()) for bone in bones] == [100, 100]
    assert whole.all()
