"""A tracked frame is as convincing as an accepted registration: rivals, look-alikes, precision, and what a GPU says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PhantomImages import the_phantom

from prostreg.errors import DeviceError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix
from prostreg.geometry.standard_views import standard_view
from prostreg.images.attenuation import moving_volume
from prostreg.images.frames import Frames
from prostreg.images.xray_preparation import prepare_xray
from prostreg.projector.selection import make_projector
from prostreg.registration.acceptance import Verdict
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.device import gpu
from prostreg.registration.result import ExpectedError, Result
from prostreg.tracking import frame_judge
from prostreg.tracking.frame_judge import NOT_COMPARED, Found, FrameJudge
from prostreg.tracking.frame_search import FrameSearch
from prostreg.tracking.track import Track
from prostreg.tracking.tracker import track_run

PIXELS = 64
CONFIG = RegistrationConfig(search_pixels=32, judge_pixels=48, polish_pixels=48)
JUMP_MM = 30.0


@pytest.fixture(scope="module")
def case() -> Case:
    """The phantom's spine from the front, as it is found."""
    phantom = the_phantom()
    centre = phantom.vertebra_centres_mm.mean(axis=0)
    carm = CArm.from_sdd(1020.0, (298.0 / PIXELS,) * 2, (PIXELS, PIXELS))
    truth = standard_view("AP", centre, 620.0)
    everything = make_projector(moving_volume(phantom.ct, np.ones(phantom.ct.values.shape, dtype=bool)))
    xray = prepare_xray(everything.render(truth[None], carm)[0], "bone-bright")
    return Case("run", phantom.ct, phantom.labels.values > 0, (View(xray, carm, frames=Frames(1, 1)),), None, truth)


def first_of(case: Case, **changes: object) -> Result:
    assert case.truth_world_from_volume is not None
    evidence = {"confirmed": 0.8, "expected_mtre_mm": 1.0, "expected_across_mm": 0.6, "expected_along_mm": 0.8}
    result = Result(
        "run", "accepted", 0.99, case.truth_world_from_volume, (), (), 0.0, "cpu", "fused-cpu", None, {}, {},
        evidence=evidence,
    )  # fmt: skip
    return replace(result, **changes)  # type: ignore[arg-type]


def search_of(case: Case, first: Result) -> FrameSearch:
    return FrameSearch(case, first, CONFIG, lambda: None)


def found_at(search: FrameSearch, case: Case, pose: Matrix, is_far: bool = False, start: Matrix | None = None) -> Found:
    """A pose as if a search had come to it."""
    begun = pose if start is None else start
    return search.judge.judged(case, search._levels.with_views(case.views, begun, 10.0), pose, begun, is_far)


def beside(pose: Matrix, shift_mm: float) -> Matrix:
    moved = np.array(pose)
    moved[0, 3] += shift_mm
    return moved


def test_the_candidates_of_a_frame_are_rivals(case: Case) -> None:
    first = first_of(case)
    search, truth = search_of(case, first), first.world_from_volume
    right, wrong = found_at(search, case, truth), found_at(search, case, beside(truth, 15.0))
    assert (right.evidence.runner_up, wrong.evidence.runner_up) == (0.0, right.evidence.confirmed)
    final = search.judge.judged_finally(right, may_be_level_off=False)
    assert final.evidence.runner_up == wrong.evidence.confirmed > 0
    search.judge.begin_frame()
    assert found_at(search, case, beside(truth, 15.0)).evidence.runner_up == 0.0


def test_what_a_wide_search_found_has_its_own_precision(case: Case) -> None:
    first = first_of(case)
    search = search_of(case, first)
    near, far = (found_at(search, case, first.world_from_volume, is_far) for is_far in (False, True))
    assert search.judge.judged_finally(near, may_be_level_off=False).evidence.expected_mtre_mm == 1.0
    own = search.judge.judged_finally(far, may_be_level_off=False).evidence
    assert own.expected_mtre_mm not in (0.0, 1.0)
    assert own.expected_mtre_mm == pytest.approx(np.hypot(own.expected_across_mm, own.expected_along_mm))


@pytest.mark.parametrize(("share", "is_own"), [(0.85, False), (0.75, True)])
def test_a_frame_that_shows_less_has_its_own_precision(case: Case, share: float, is_own: bool) -> None:
    search = search_of(case, first_of(case))
    seen = found_at(search, case, first_of(case).world_from_volume).evidence.seen
    first = first_of(case, evidence=dict(first_of(case).evidence) | {"seen": seen / share})
    search = search_of(case, first)
    near = found_at(search, case, first.world_from_volume)
    own = search.judge.judged_finally(near, may_be_level_off=False).evidence
    assert (own.expected_mtre_mm != 1.0) == is_own


def test_a_place_that_the_c_arm_leaves_open_is_not_tracked(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The C-arm's part is the first frame's: 6 mm along the beam, of the 6.05 that were told."""
    monkeypatch.setattr(frame_judge, "judge", lambda *_, **__: Verdict("accepted", 0.97, ("fits",)))
    expected = ExpectedError(np.zeros(3), np.zeros(3), 0.6, float(np.hypot(0.8, 6.0)))
    first = first_of(case, expected_error=expected)
    search = search_of(case, first)
    near, far = (found_at(search, case, first.world_from_volume, is_far) for is_far in (False, True))
    assert search.judge.judged_finally(near, may_be_level_off=False).verdict.status == "accepted"
    verdict = search.judge.judged_finally(far, may_be_level_off=False).verdict
    assert (verdict.status, verdict.reasons[0]) == ("uncertain", "along the beam the place is not known to 5 mm")


def test_a_vertebra_has_look_alikes_and_a_spine_has_none(case: Case) -> None:
    vertebra = replace(case, anatomy=the_phantom().labels.values == np.unique(the_phantom().labels.values)[2])
    assert [search_of(one, first_of(one)).judge.has_look_alikes for one in (case, vertebra)] == [False, True]


class Still:
    """Three frames of the same image."""

    count = 3

    def __init__(self, case: Case) -> None:
        self._image, self.number = case.views[0].xray.line_integrals, 0

    def pixels(self, number: int) -> Sequence[NDArray[np.float32]]:
        self.number = number
        return [self._image]

    def time_s(self, number: int) -> float | None:
        return None


def track_of_jump(case: Case, monkeypatch: pytest.MonkeyPatch, has_look_alikes: bool, comes_back: bool) -> Track:
    """A track in which a wide search finds the second frame's place a level beside; then it is near that, or back."""
    first = first_of(case)
    jumped = beside(first.world_from_volume, JUMP_MM)
    seen = Still(case)

    def near(self: FrameSearch, shown: Case, starts: Sequence[Matrix]) -> Found | None:
        is_back = seen.number == 3 and comes_back
        wanted = first.world_from_volume if is_back else jumped
        if not any(np.allclose(start, wanted, atol=1e-6) for start in starts):
            return None
        return replace(found_at(self, shown, wanted), verdict=Verdict("accepted", 0.97, ()))

    def around(self: FrameSearch, shown: Case, start: Matrix, number: int) -> Found | None:
        far = found_at(self, shown, jumped, is_far=True)
        return replace(far, verdict=Verdict("accepted", 0.96, ())) if number == 2 else None

    def judged_finally(self: FrameJudge, found: Found, may_be_level_off: bool) -> Found:
        doubted = may_be_level_off and self.has_look_alikes
        return replace(found, verdict=Verdict("uncertain", 0.5, (NOT_COMPARED,))) if doubted else found

    for name, stand_in in (("near", near), ("around", around), ("sharpened", lambda self, found: found)):
        monkeypatch.setattr(FrameSearch, name, stand_in)
    monkeypatch.setattr(FrameSearch, "everywhere_about", lambda *_: None)
    monkeypatch.setattr(FrameJudge, "judged_finally", judged_finally)
    monkeypatch.setattr(FrameJudge, "has_look_alikes", has_look_alikes)
    return track_run(case, first, seen, config=CONFIG)


def test_what_may_be_one_level_off_is_uncertain_and_so_is_what_follows_from_it(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = track_of_jump(case, monkeypatch, has_look_alikes=True, comes_back=False)
    assert [frame.status for frame in track.frames] == ["tracked", "uncertain", "uncertain"]
    assert all(NOT_COMPARED in frame.reasons for frame in track.frames[1:])


def test_a_place_that_is_reached_from_a_sure_one_is_on_its_level(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    track = track_of_jump(case, monkeypatch, has_look_alikes=True, comes_back=True)
    assert [frame.status for frame in track.frames] == ["tracked", "uncertain", "tracked"]


def test_where_nothing_looks_alike_a_wide_search_is_enough(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    track = track_of_jump(case, monkeypatch, has_look_alikes=False, comes_back=False)
    assert track.numbers("tracked") == [1, 2, 3]


def test_the_verdict_names_the_level(case: Case) -> None:
    vertebra = replace(case, anatomy=the_phantom().labels.values == np.unique(the_phantom().labels.values)[2])
    search = search_of(vertebra, first_of(vertebra))
    far = found_at(search, vertebra, first_of(vertebra).world_from_volume, is_far=True)
    verdict = search.judge.judged_finally(far, may_be_level_off=True).verdict
    assert (verdict.status, verdict.reasons[0]) == ("uncertain", NOT_COMPARED)


def test_a_gpu_that_says_another_score_than_the_cpu_is_refused_once_a_run(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = first_of(case)
    search = search_of(case, first)
    near = found_at(search, case, first.world_from_volume)
    monkeypatch.setattr(type(near.levels.middle.projector), "is_on_gpu", True, raising=False)
    answers = [False, True]
    monkeypatch.setattr(gpu, "is_same", lambda *_: answers.pop(0))
    with pytest.raises(DeviceError, match="another result than the CPU"):
        search.judge.judged_finally(near, may_be_level_off=False)
    for _ in range(2):
        search.judge.judged_finally(near, may_be_level_off=False)
    assert answers == []
