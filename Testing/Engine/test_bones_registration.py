"""Two vertebrae that moved against each other, in DRRs of both: each in its place, and the motion between them told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PhantomImages import the_phantom
from PIL import Image

from Patience import PATIENCE_S
from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import transform_points
from prostreg.geometry.rotations import rotation_from_vector
from prostreg.geometry.standard_views import standard_view
from prostreg.images.attenuation import moving_volume
from prostreg.images.xray_preparation import prepare_xray
from prostreg.outputs.bones_outputs import bones_to_dict, write_bones_outputs
from prostreg.outputs.transform_file import read_pose
from prostreg.projector.selection import make_projector
from prostreg.registration.bones import registering_bones
from prostreg.registration.bones.registering_bones import bone_case, register_bones
from prostreg.registration.case import Bone, Case, PlacedBone, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.levels import SURROUNDINGS_HU, Levels
from prostreg.registration.neighbours import told_apart
from prostreg.registration.registering import register
from prostreg.registration.result import Result
from prostreg.registration.start import NO_START, anatomy_centre_mm, anatomy_points_mm
from prostreg.samples.phantom import VERTEBRA_LABELS

PIXELS = 128
TURN_DEG, SHIFT_MM = np.array([7.0, -4.0, 3.0]), np.array([3.0, 2.0, -2.0])
CONFIG = RegistrationConfig(time_limit_s=PATIENCE_S, most_restarts=2, weights="shipped", population=40, generations=20)
SHORT = replace(CONFIG, restarts=1, population=10, generations=5)
"""For what does not depend on where a search ends."""
NEARBY = np.array([0.04, -0.03, 0.05, 3.0, -3.0, 5.0])
ASIDE = rotation_from_vector(np.array([0.0, np.pi / 2, 0.0]))


@pytest.fixture(scope="module", autouse=True)
def no_look_alikes() -> Iterator[None]:
    """Comparisons with other vertebrae have tests of their own, and take their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(told_apart, "look_alikes", lambda *_: [])
        yield


@pytest.fixture(scope="module")
def spine() -> SimpleNamespace:
    """The phantom's L2 and L3 from the front and from the side, L3 moved by a known motion about its centre."""
    phantom = the_phantom()
    masks = [phantom.labels.values == value for value in VERTEBRA_LABELS[1:]]
    alone = [Case("one", phantom.ct, mask) for mask in masks]
    centres = [anatomy_centre_mm(anatomy_points_mm(case)) for case in alone]
    pose = standard_view("AP", centres[0], 620.0)
    motion = np.eye(4)
    motion[:3, :3] = rotation_from_vector(np.deg2rad(TURN_DEG))
    motion[:3, 3] = centres[1] + SHIFT_MM - motion[:3, :3] @ centres[1]
    without = phantom.ct.with_values(np.where(masks[1], SURROUNDINGS_HU, phantom.ct.values).astype(np.float32))
    rest = make_projector(moving_volume(without, np.ones(masks[0].shape, dtype=bool)))
    moved = make_projector(moving_volume(phantom.ct, masks[1], surroundings_hu=SURROUNDINGS_HU))
    aside = np.eye(4)
    place = transform_points(pose, centres[0])
    aside[:3, :3], aside[:3, 3] = ASIDE, place - ASIDE @ place
    views = []
    for camera_from_world in (np.eye(4), aside):
        carm = CArm.from_sdd(1020.0, (298.0 / PIXELS,) * 2, (PIXELS, PIXELS), camera_from_world=camera_from_world)
        image = rest.render((camera_from_world @ pose)[None], carm)[0]
        image = image + moved.render((camera_from_world @ pose @ motion)[None], carm)[0]
        views.append(View(prepare_xray(image, "bone-bright", None), carm))
    truths = [pose, pose @ motion]
    corners = 25.0 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    bones = tuple(
        Bone(name, mask, None, truth, centre + corners)
        for name, mask, truth, centre in zip(("L2", "L3"), masks, truths, centres, strict=True)
    )
    start = PoseChart(pose, np.eye(4), centres[0]).world_from_volume_at(NEARBY)[0]
    case = Case("spine", phantom.ct, masks[0] | masks[1], tuple(views), start, bones=bones)
    return SimpleNamespace(case=case, centres=centres, truths=truths)


@pytest.fixture(scope="module")
def found(spine: SimpleNamespace) -> SimpleNamespace:
    """What a registration of both found, and the progress that it told."""
    events = []
    return SimpleNamespace(result=register_bones(spine.case, CONFIG, events.append), events=events)


def test_each_bone_is_found_in_its_own_place_and_accepted(found):
    assert [bone.bone.name for bone in found.result.bones] == ["L2", "L3"]
    for bone in found.result.bones:
        assert bone.result.mtre_mm < 0.5
        assert bone.result.status == "accepted"
    assert found.result.status == "accepted"
    assert found.result.stopped is None


def test_the_motion_between_them_is_told_about_the_patients_axes(found):
    (motion,) = found.result.motions
    assert (motion.bone, motion.against) == ("L3", "L2")
    np.testing.assert_allclose(motion.rotation_ras_deg, TURN_DEG, atol=0.5)
    np.testing.assert_allclose(motion.translation_ras_mm, SHIFT_MM, atol=0.5)
    assert motion.rotation_deg == pytest.approx(np.linalg.norm(TURN_DEG), abs=0.5)
    assert motion.sentence().startswith("L3 against L2: turned by ")
    assert found.result.warnings == ()


def test_a_verdict_after_the_refinement_keeps_what_is_known_of_the_search(spine, found):
    """What a GPU did and where the search began are told after it too, and its time counts."""
    bone, note = found.result.bones[0], "The GPU was given up during the registration"
    starts = f"{NO_START}AP; the best pose was found from AP"
    searched = replace(
        bone.result, seconds=1000.0, warnings=(note,), projector="fused-cuda", reasons=("of the pose", starts)
    )
    (view, _) = spine.case.views
    case = bone_case(replace(spine.case, views=(replace(view, notes=("a note",)),)), bone.bone)
    searched = replace(searched, polarities=searched.polarities[:1])
    judged = told_apart.judged_told_apart(case, searched, bone.result.world_from_volume, CONFIG)
    assert judged.seconds > 1000.0
    assert judged.warnings == (note, "a note")
    assert judged.projector == "fused-cuda"
    assert judged.reasons[-1] == starts
    assert "of the pose" not in judged.reasons


def test_progress_names_the_bones_and_never_falls(found):
    fractions = [event.fraction for event in found.events]
    assert fractions == sorted(fractions)
    assert fractions[-1] <= 1
    assert {event.message.split(":")[0] for event in found.events} == {"L2", "L3", "all bones"}


def test_the_refinement_raises_the_score_of_all(found):
    together = found.result.together
    assert together.score_after >= together.score_before
    assert together.rounds >= 1


def test_a_folder_for_each_bone_and_one_file_for_all(spine, found, tmp_path):
    write_bones_outputs(tmp_path / "spine", spine.case, found.result)
    written = json.loads((tmp_path / "spine" / "bones.json").read_text(encoding="utf-8"))
    assert written == bones_to_dict(found.result)
    assert [bone["folder"] for bone in written["bones"]] == ["L2", "L3"]
    for bone in written["bones"]:
        folder = tmp_path / "spine" / bone["folder"]
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        assert (result["status"], result["world_from_volume"]) == (bone["status"], bone["world_from_volume"])
        np.testing.assert_allclose(read_pose(folder / "world_from_volume.tfm"), bone["world_from_volume"], atol=1e-9)
        assert (folder / "overlay.png").is_file()
        assert (folder / "drr_2.nrrd").is_file()
    (motion,) = written["relative_motion"]
    assert motion["rotation_deg"] == pytest.approx(np.linalg.norm(motion["rotation_ras_deg"]))
    with Image.open(tmp_path / "spine" / "bones.png") as picture:
        assert picture.width > 1500


def test_a_case_of_one_bone_is_the_ordinary_case(spine):
    (view, _) = spine.case.views
    one = replace(spine.case, views=(view,), bones=spine.case.bones[:1])
    ordinary = register(bone_case(one, one.bones[0], one.initial_world_from_volume), SHORT)
    found = register_bones(one, SHORT)
    (bone,) = found.bones
    np.testing.assert_array_equal(bone.result.world_from_volume, ordinary.world_from_volume)
    assert bone.result.evidence == ordinary.evidence
    assert (found.status, found.motions, found.together) == (ordinary.status, (), None)


def test_what_was_found_before_a_stop_is_kept(spine, found, monkeypatch):
    """The larger L3 comes first; its search is told beforehand."""
    events, (_, of_l3) = [], found.result.bones

    def register_l2(case: Case, *others: Any) -> Result:
        return of_l3.result if case.name.endswith("L3") else register(case, *others)

    monkeypatch.setattr(registering_bones, "register", register_l2)
    found = register_bones(spine.case, SHORT, events.append, lambda: bool(events))
    first, second = found.bones
    assert {event.message.split(":")[0] for event in events} == {"L2"}
    assert first.result.stopped == "cancelled"
    assert second.result is of_l3.result
    assert (found.stopped, found.together) == ("cancelled", None)
    assert found.status != "accepted"


def test_a_bone_whose_turn_never_came_is_written_as_such(spine, tmp_path):
    events, case = [], replace(spine.case, views=spine.case.views[:1])
    found = register_bones(case, SHORT, events.append, lambda: bool(events))
    assert [bone.result is None for bone in found.bones] == [True, False]
    assert (found.status, found.stopped) == ("failed", "cancelled")
    write_bones_outputs(tmp_path / "spine", case, found)
    written = json.loads((tmp_path / "spine" / "bones.json").read_text(encoding="utf-8"))
    assert written["bones"][0] == {"name": "L2", "folder": None, "status": None}
    assert not (tmp_path / "spine" / "L2").exists()
    assert (tmp_path / "spine" / "L3" / "result.json").is_file()


def test_line_integrals_of_bones_add_and_only_the_sought_one_moves(spine):
    bone, other = spine.case.bones
    place = PlacedBone(other.anatomy, other.truth_world_from_volume)
    pose, (centre, _) = bone.truth_world_from_volume, spine.centres

    def middle(mask, others):
        case = bone_case(spine.case, replace(bone, anatomy=mask), pose, others)
        return Levels(case, pose, anatomy_points_mm(bone_case(spine.case, bone)), centre, 30.0, CONFIG).middle

    alone, both = middle(bone.anatomy, ()), middle(bone.anatomy, (place,))
    of_other = alone.with_others([(middle(other.anatomy, ()).projector, place.world_from_volume)])
    for image, image_alone, same in zip(*(o.images(pose[None]) for o in (both, alone, of_other)), strict=True):
        assert float((image - image_alone).max()) > 0.1
        np.testing.assert_allclose(same, image, atol=0.02)
    assert both.scores(pose[None])[0] > alone.scores(pose[None])[0]
    chart, step = PoseChart(pose, np.eye(4), centre), 0.05
    parameters = np.array([0.02, -0.01, 0.02, 1.0, -1.0, 2.0])
    _, gradient = both.score_and_gradient(chart, parameters)
    ahead, behind = (
        both.scores(chart.world_from_volume_at(parameters + sign * step * np.eye(6)[3][None])) for sign in (1, -1)
    )
    assert gradient[3] == pytest.approx(float((ahead - behind)[0]) / (2 * step), rel=0.1)


def test_several_bones_are_not_registered_as_one(spine):
    with pytest.raises(InputError, match="finds the pose of each"):
        register(spine.case, CONFIG)
    with pytest.raises(InputError, match="has no bones"):
        register_bones(replace(spine.case, bones=()), CONFIG)
