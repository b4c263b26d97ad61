"""Views whose C-arms are only roughly known against each other: closed forms, decisions, and a phantom end to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from prostreg.cli.main import main
from prostreg.evaluation.protocol import read_protocol
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import invert_rigid
from prostreg.geometry.rotations import rotation_from_vector
from prostreg.registration.carm.known_pose import COMPARED, KnownPose
from prostreg.registration.case import Case, RoughRelation
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register
from prostreg.registration.relation import each_view
from prostreg.registration.relation.each_view import register_each_view, seen_as_found
from prostreg.registration.relation.fused import MOST_SIGMAS, fused_pose
from prostreg.registration.result import Result

AHEAD = np.array([[-1.0, 0, 0, 0], [0, 0, -1, 0], [0, -1, 0, 620], [0, 0, 0, 1]])
FROM_THE_SIDE = np.array([[0.0, 0, 1, -620], [0, 1, 0, 0], [-1, 0, 0, 620], [0, 0, 0, 1]])
"""Camera from world of a second C-arm that looks across, at the same isocentre."""

ROUGH = RoughRelation(rotation_deg=2.0, translation_mm=6.0)


def shifted(x_mm: float = 0.0, z_mm: float = 0.0) -> np.ndarray:
    pose = AHEAD.copy()
    pose[[0, 2], 3] += x_mm, z_mm
    return pose


def known(pose: np.ndarray, camera: np.ndarray, across_mm: float, along_mm: float, carm_mm: float = 0.0) -> KnownPose:
    """A pose that its image tells so well, at its place in the comparison of poses."""
    deviations = np.array([1e-4] * 3 + [across_mm, across_mm, along_mm]) / COMPARED
    return KnownPose(PoseChart(pose, camera, np.zeros(3)), np.diag(deviations**2), carm_mm)


def test_what_a_second_image_tells_of_depth_counts_by_how_well_it_is_known():
    first = known(AHEAD, np.eye(4), 0.3, 8.0)
    second = known(shifted(z_mm=10.0), FROM_THE_SIDE, 0.3, 8.0)  # it sees the first one's depth across its own beam
    fused = fused_pose(first, {1: second}, ROUGH)
    noise = 0.3**2 + 6.0**2
    assert fused.world_from_volume[2, 3] == pytest.approx(620.0 + 10.0 * 8.0**2 / (8.0**2 + noise), abs=1e-3)
    assert fused.depth_deviation_mm == pytest.approx(noise**0.5, rel=1e-3)
    assert fused.contradicting == ()


def test_what_a_second_image_does_not_tell_moves_nothing():
    first = known(AHEAD, np.eye(4), 0.3, 8.0)
    same_side = known(shifted(z_mm=10.0), np.eye(4), 0.3, 80.0)
    moved_mm = fused_pose(first, {1: same_side}, ROUGH).world_from_volume[2, 3] - 620.0
    assert moved_mm == pytest.approx(10.0 * 8.0**2 / (8.0**2 + 80.0**2 + 36.0), abs=1e-3)
    assert fused_pose(first, {}, ROUGH).depth_deviation_mm == np.inf
    np.testing.assert_allclose(fused_pose(first, {}, ROUGH).world_from_volume, AHEAD, atol=1e-9)


@pytest.mark.parametrize("carm_mm", [0.0, 5.0])
def test_a_second_image_that_has_it_where_no_such_relation_allows_is_named_and_not_used(carm_mm):
    first = known(AHEAD, np.eye(4), 0.3, 0.4, carm_mm)
    allowed_mm = MOST_SIGMAS * (0.4**2 + carm_mm**2 + 0.3**2 + 6.0**2) ** 0.5
    inside, beyond = (
        fused_pose(first, {1: known(shifted(z_mm=mm), FROM_THE_SIDE, 0.3, 0.4)}, ROUGH)
        for mm in (allowed_mm - 0.05, allowed_mm + 0.05)
    )
    assert (inside.contradicting, beyond.contradicting) == ((), (1,))
    np.testing.assert_allclose(beyond.world_from_volume, AHEAD, atol=1e-9)


@pytest.fixture(scope="module")
def two_views() -> Case:
    """A phantom in two views, the second C-arm told 2 degrees and 5 mm from where it stands."""
    protocol = read_protocol("phantom")
    views = [{"standard_view": "AP"}, {"standard_view": "AP", "turn_deg": [0, 70, 0]}]
    case = make_case_source(protocol.with_changes(source={**protocol.content["source"], "views": views}), None).case(0)
    second = case.views[1]
    motion = np.eye(4)
    motion[:3, :3] = rotation_from_vector(np.deg2rad([0.0, 2.0, 0.0]))
    place = case.truth_world_from_volume @ np.append(case.landmarks_mm.mean(axis=0), 1.0)
    motion[:3, 3] = (np.eye(3) - motion[:3, :3]) @ place[:3] + [0.0, 5.0, 0.0]
    told = second.carm.camera_from_world @ motion
    moved = replace(second, carm=replace(second.carm, camera_from_world=told))
    return replace(case, views=(case.views[0], moved), relation=ROUGH)


def test_a_c_arm_that_stood_elsewhere_is_found_there(two_views):
    settings = RegistrationConfig(**dict(read_protocol("phantom").settings), most_restarts=2)
    result = register(two_views, settings)
    assert result.mtre_mm < 5
    (place,) = result.relation
    assert place.view == 2
    assert place.rotation_deg == pytest.approx(2.0, abs=1.0)
    assert place.translation_mm == pytest.approx(5.0, abs=4.0)
    seen = seen_as_found(two_views, result)
    for view, camera_from_volume in zip(seen.views, result.camera_from_volume, strict=True):
        np.testing.assert_allclose(
            view.carm.camera_from_world @ result.world_from_volume, camera_from_volume, atol=1e-9
        )
    np.testing.assert_array_equal(seen.views[0].carm.camera_from_world, two_views.views[0].carm.camera_from_world)
    true = two_views.views[1].carm.camera_from_world @ two_views.truth_world_from_volume
    off = PoseChart(invert_rigid(seen.views[1].carm.camera_from_world) @ true, np.eye(4), np.zeros(3))
    assert np.abs(off.parameters_of(two_views.truth_world_from_volume)[:3]).max() < np.deg2rad(3.0)
    assert len(result.polarities) == 2
    assert seen_as_found(replace(two_views, relation=None), result).relation is None


class Searches:
    """Answers in place of registrations of single views, and what was asked."""

    def __init__(self, answers: dict[int, list[Result]]) -> None:
        self._answers, self.asked = answers, []

    def __call__(self, case: Case, config: RegistrationConfig, *_: object) -> Result:
        number = self.views.index(case.views[0])
        self.asked.append((number, case.initial_world_from_volume, config.time_limit_s))
        assert len(case.views) == 1
        assert case.relation is None
        return self._answers[number].pop(0)


@pytest.fixture
def searched(two_views: Case, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Result, list]]:
    """Registers the two views by given answers; every pose by an image is known to 0.3 mm across and 3 mm along."""

    def pose_of(case: Case, result: Result, _: RegistrationConfig) -> KnownPose:
        return known(result.world_from_volume, case.views[0].carm.camera_from_world, 0.3, 3.0)

    monkeypatch.setattr(each_view, "known_pose", pose_of)
    monkeypatch.setattr(each_view, "LEAST_MOVED_MM", 1e9)  # so that no pose is judged anew

    def run(first: list[Result], second: list[Result]) -> tuple[Result, list]:
        searches = Searches({0: first, 1: second})
        searches.views = list(two_views.views)
        result = register_each_view(two_views, RegistrationConfig(time_limit_s=60.0), searches)
        return result, searches.asked

    return run


def answer(case: Case, status: str, x_mm: float = 0.0) -> Result:
    pose = case.truth_world_from_volume.copy()
    pose[0, 3] += x_mm
    return Result(
        name="x", status=status, confidence={"accepted": 0.99, "uncertain": 0.5, "failed": 0.1}[status],
        world_from_volume=pose, camera_from_volume=(pose,), stages=(), seconds=1.0, device="cpu x",
        projector="fused-cpu", mtre_mm=None, config={}, versions={}, evidence={"confirmed": 0.7},
        reasons=(f"why {status}",), is_settled=status == "accepted",
    )  # fmt: skip


def test_the_second_view_begins_where_the_first_one_was_accepted(two_views, searched):
    first = answer(two_views, "accepted", 1.0)
    result, asked = searched([first], [answer(two_views, "accepted")])
    assert [number for number, _, _ in asked] == [0, 1]
    assert asked[0][1] is two_views.initial_world_from_volume
    np.testing.assert_array_equal(asked[1][1], first.world_from_volume)
    assert asked[0][2] == pytest.approx(30.0, abs=1.0)  # half of the time
    assert result.status == "accepted"
    assert result.relation[0].translation_mm == pytest.approx(1.0)


def test_a_first_view_that_was_not_accepted_is_searched_again_from_the_second(two_views, searched):
    second = answer(two_views, "accepted")
    result, asked = searched([answer(two_views, "failed", 60.0), answer(two_views, "accepted", 1.0)], [second])
    assert [number for number, _, _ in asked] == [0, 1, 0]
    np.testing.assert_array_equal(asked[2][1], second.world_from_volume)
    assert result.status == "accepted"
    assert result.mtre_mm == pytest.approx(1.0)


@pytest.mark.parametrize("status", ["uncertain", "failed"])
def test_a_result_is_as_trusted_as_its_weakest_view(two_views, searched, status):
    result, asked = searched([answer(two_views, "accepted")], [answer(two_views, status)])
    assert len(asked) == 2
    assert result.status == status
    assert result.confidence < 0.6
    assert result.reasons[0] == f"view 2: why {status}"


def test_views_that_contradict_each_other_are_not_accepted(two_views, searched):
    result, _ = searched([answer(two_views, "accepted")], [answer(two_views, "accepted", 40.0)])
    assert result.status == "uncertain"
    assert "view 2's C-arm would have to stand 0 degrees and 40 mm from where it was said to" in result.reasons[0]


def test_a_rough_relation_needs_several_views_and_a_case_told_in_words(tmp_path, capsys):
    assert main(["case", "--ct", "a", "--xray", "b", "--rough-relation", "--out", str(tmp_path), "--json"]) == 2
    assert "--rough-relation is about several views" in capsys.readouterr().out
    assert main(["register", "case.json", "--rough-relation", "--out", str(tmp_path), "--json"]) == 2
    assert "--rough-relation would change nothing" in capsys.readouterr().out
