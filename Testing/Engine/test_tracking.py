"""A run of a phantom that is tracked: what is expected, lost and found again, both ways, within limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PhantomImages import the_phantom

from prostreg.errors import DeviceError, InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, mean_distance_mm, transform_points
from prostreg.geometry.standard_views import standard_view
from prostreg.images.attenuation import moving_volume
from prostreg.images.frames import Frames
from prostreg.images.xray_preparation import prepare_xray
from prostreg.projector.selection import make_projector
from prostreg.registration.acceptance import Verdict
from prostreg.registration.case import Case, RoughRelation, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.result import Progress, Result, Status
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.tracking.frame_judge import Found, FrameJudge
from prostreg.tracking.frame_search import FrameSearch
from prostreg.tracking.motion import DAMPING, damped_steps, expected_poses
from prostreg.tracking.track import Track
from prostreg.tracking.tracker import FIRST_FAILED, FIRST_UNCERTAIN, track_run

PIXELS, COUNT, FIRST = 96, 9, 4
STEP = np.array([*np.deg2rad([1.0, -1.5, 1.0]), 2.5, -2.0, 3.0])
JUMP = np.array([*np.deg2rad([4.0, 3.0, -6.0]), 22.0, 15.0, 0.0])
CONFIG = RegistrationConfig(search_pixels=32, judge_pixels=64, polish_pixels=64)


class Run:
    """Images in memory, and where the phantom is in them."""

    def __init__(self, images: NDArray[np.float32], truth: Sequence[Matrix]) -> None:
        self.images, self.truth = images, truth
        self.looked_at: list[int] = []

    @property
    def count(self) -> int:
        return len(self.images)

    def pixels(self, number: int) -> Sequence[NDArray[np.float32]]:
        self.looked_at.append(number)
        return [self.images[number - 1]]

    def time_s(self, number: int) -> float | None:
        return (number - 1) / 10


@pytest.fixture(scope="module")
def case() -> Case:
    """The phantom's spine in a view from the front; no image yet."""
    phantom = the_phantom()
    centre = phantom.vertebra_centres_mm.mean(axis=0)
    carm = CArm.from_sdd(1020.0, (298.0 / PIXELS,) * 2, (PIXELS, PIXELS))
    blank = prepare_xray(np.tile(np.linspace(0, 1, PIXELS, dtype=np.float32), (PIXELS, 1)), "bone-bright")
    truth = standard_view("AP", centre, 620.0)
    anatomy = phantom.labels.values > 0
    return Case("run", phantom.ct, anatomy, (View(blank, carm),), None, truth, phantom.vertebra_centres_mm)


@pytest.fixture(scope="module")
def run(case: Case) -> Run:
    """Nine frames of steady motion, with noise; in the eighth and ninth the spine has jumped by 27 mm."""
    chart = PoseChart(case.truth_world_from_volume, np.eye(4), anatomy_centre_mm(anatomy_points_mm(case)))
    steps = np.arange(COUNT)[:, None] * STEP + JUMP * (np.arange(COUNT) >= 7)[:, None]
    truth = chart.world_from_volume_at(steps)
    everything = make_projector(moving_volume(case.ct, np.ones(case.ct.values.shape, dtype=bool)))
    images = everything.render(truth, case.views[0].carm)
    noise = np.random.default_rng(0).normal(0, 0.01 * float(images.max()), images.shape)
    return Run((images + noise).astype(np.float32), list(truth))


def first_of(run: Run, status: Status = "accepted", number: int = FIRST) -> Result:
    return Result(
        "run", status, {"accepted": 0.99, "uncertain": 0.6, "failed": 0.1}[status], run.truth[number - 1], (), (), 0.0,
        "cpu", "fused-cpu", None, {}, {}, evidence={"confirmed": 0.8},
    )  # fmt: skip


def frame_case(case: Case, run: Run, number: int = FIRST) -> Case:
    xray = prepare_xray(run.images[number - 1], "bone-bright")
    return replace(case, views=(replace(case.views[0], xray=xray, frames=Frames(number, number)),))


def error_px(case: Case, run: Run, track: Track, number: int) -> float:
    """Mean distance in the image, of pixels of 3.1 mm on the detector: so few do not tell the depth well."""
    frame = next(frame for frame in track.frames if frame.number == number)
    assert frame.world_from_volume is not None, (number, frame.reasons)
    assert mean_distance_mm(frame.world_from_volume, run.truth[number - 1], case.landmarks_mm) < 6
    carm, points = case.views[0].carm, case.landmarks_mm
    found, true = (
        carm.project_world(transform_points(pose, points)) for pose in (frame.world_from_volume, run.truth[number - 1])
    )
    return float(np.linalg.norm(found - true, axis=1).mean())


@pytest.fixture(scope="module")
def track(case: Case, run: Run) -> Track:
    """The run with its third frame taken while the beam was off."""
    images = run.images.copy()
    images[2] = np.random.default_rng(1).normal(0.5, 0.005 * float(np.ptp(images)), images[2].shape)
    return track_run(frame_case(case, run), first_of(run), Run(images, run.truth), config=CONFIG)


def test_a_first_frame_in_the_middle_goes_both_ways(case: Case, run: Run, track: Track) -> None:
    assert [frame.number for frame in track.frames] == list(range(1, COUNT + 1))
    assert [frame.search for frame in track.frames if frame.number == FIRST] == ["first"]
    assert track.first_frame == FIRST
    for number in (1, 2, 5, 6, 7):
        assert error_px(case, run, track, number) < 0.3


def test_a_blank_frame_is_lost_and_says_why_and_the_next_is_found(case: Case, track: Track) -> None:
    assert track.numbers("lost") == [3]
    lost = track.frames[2]
    assert (lost.world_from_volume, lost.camera_from_volume) == (None, ())
    assert lost.reasons == ("Frame 3 shows nothing, or noise alone.",)
    assert track.frames[1].status == "tracked"
    assert not track.is_complete


def test_what_has_jumped_is_found_again_by_a_wider_search(case: Case, run: Run, track: Track) -> None:
    assert track.frames[7].search in ("around", "everywhere about")
    assert track.frames[8].search == "near"
    for number in (8, 9):
        assert error_px(case, run, track, number) < 0.3


def test_poses_motion_and_times_belong_together(case: Case, track: Track) -> None:
    for frame in track.frames:
        assert frame.time_s == pytest.approx((frame.number - 1) / 10)
        if frame.world_from_volume is not None:
            camera = case.views[0].carm.camera_from_world @ frame.world_from_volume
            np.testing.assert_allclose(frame.camera_from_volume[0], camera)
    np.testing.assert_allclose(track.motion(track.frames[FIRST - 1]), np.zeros(6), atol=1e-9)
    np.testing.assert_allclose(track.motion(track.frames[FIRST])[3:5], STEP[3:5], atol=0.7)
    assert track.motion(track.frames[2]) is None


def test_lost_frames_are_looked_for_again_from_the_one_in_which_it_is_found(
    case: Case, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the wider searches had missed what jumped in the eighth frame, and found it in the ninth."""
    near = FrameSearch.near

    def wider(self: FrameSearch, frame: Case, start: Matrix, number: int) -> Found | None:
        return near(self, frame, [run.truth[number - 1]]) if number == 9 else None

    monkeypatch.setattr(FrameSearch, "around", wider)
    monkeypatch.setattr(FrameSearch, "everywhere_about", lambda *_: None)
    found = track_run(frame_case(case, run), first_of(run), run, (4, 9), CONFIG)
    assert found.numbers("lost") == []
    assert [frame.search for frame in found.frames][-2:] == ["near", "around"]
    assert error_px(case, run, found, 8) < 0.3


def test_a_doubtful_frame_is_looked_at_again_from_the_next_one_that_is_sure(
    case: Case, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if frame 5 were first found 20 mm beside, and doubted: the frames behind it do not begin from there alone."""
    seen, near = Run(run.images, run.truth), FrameSearch.near
    doubted: list[int] = []

    def doubtful(self: FrameSearch, frame: Case, starts: Sequence[Matrix]) -> Found | None:
        found = near(self, frame, starts)
        if found is None or seen.looked_at[-1] != 5 or doubted:
            return found
        doubted.append(5)
        beside = found.world_from_volume.copy()
        beside[0, 3] += 20.0
        return replace(found, world_from_volume=beside, verdict=Verdict("uncertain", 0.5, ()))

    monkeypatch.setattr(FrameSearch, "near", doubtful)
    monkeypatch.setattr(FrameSearch, "sharpened", lambda self, found: found)
    monkeypatch.setattr(FrameJudge, "judged_finally", lambda self, found, may_be_level_off: found)
    for wider in ("around", "everywhere_about"):
        monkeypatch.setattr(FrameSearch, wider, lambda *_: None)
    found = track_run(frame_case(case, run), first_of(run), seen, (4, 6), CONFIG)
    assert found.numbers("tracked") == [4, 5, 6]
    for number in (5, 6):
        assert error_px(case, run, found, number) < 0.3


def test_a_gpu_that_fails_in_a_frame_is_given_up_and_the_frame_is_found(
    case: Case, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = FrameSearch.near
    calls: list[int] = []

    def failing_once(self: FrameSearch, frame: Case, starts: Sequence[Matrix]) -> Found | None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise DeviceError("out of memory")
        return near(self, frame, starts)

    monkeypatch.setattr(FrameSearch, "near", failing_once)
    with pytest.raises(DeviceError):  # the CPU has nothing to fall back on
        track_run(frame_case(case, run), first_of(run), run, (4, 5), CONFIG)
    calls.clear()
    monkeypatch.setattr(FrameSearch, "give_up_gpu", lambda self: True)
    found = track_run(frame_case(case, run), first_of(run), run, (4, 5), CONFIG)
    assert found.numbers("tracked") == [4, 5]
    assert found.warnings == ("The GPU was given up in frame 5: out of memory",)


def test_two_views_are_tracked_together(case: Case, run: Run) -> None:
    """The same run seen twice, the second time from 80 mm beside: one pose fits both."""
    begun = frame_case(case, run)
    beside = np.eye(4)
    beside[0, 3] = 80.0
    view = begun.views[0]
    moved = replace(view, carm=replace(view.carm, camera_from_world=beside))
    everything = make_projector(moving_volume(case.ct, np.ones(case.ct.values.shape, dtype=bool)))
    others = everything.render(beside @ np.array(run.truth), view.carm)
    moved = replace(moved, xray=prepare_xray(others[FIRST - 1], "bone-bright"))

    class Pair(Run):
        def pixels(self, number: int) -> Sequence[NDArray[np.float32]]:
            return [run.images[number - 1], others[number - 1]]

    both = replace(begun, views=(view, moved))
    found = track_run(both, first_of(run), Pair(run.images, run.truth), (4, 6), CONFIG)
    assert found.numbers("lost") == []
    assert len(found.frames[-1].camera_from_volume) == 2
    assert error_px(case, run, found, 6) < 0.3
    # Said to stand elsewhere, and found where it stands by the registration of the first frame.
    elsewhere = replace(moved, carm=replace(moved.carm, camera_from_world=np.eye(4)))
    rough = replace(both, views=(view, elsewhere), relation=RoughRelation())
    pose = run.truth[FIRST - 1]
    first = replace(first_of(run), camera_from_volume=(pose, beside @ pose))
    again = track_run(rough, first, Pair(run.images, run.truth), (4, 6), CONFIG)
    assert again.numbers("lost") == []
    assert error_px(case, run, again, 6) < 0.3


def test_nothing_is_surer_than_the_first_frame(case: Case, run: Run) -> None:
    found = track_run(frame_case(case, run), first_of(run, "uncertain"), run, (3, 5), CONFIG)
    assert found.numbers("uncertain") == [3, 4, 5]
    assert found.frames[0].reasons[0] == FIRST_UNCERTAIN
    assert found.frames[0].confidence <= 0.6


def test_nothing_is_tracked_from_a_first_frame_that_failed(case: Case, run: Run) -> None:
    unseen = Run(run.images, run.truth)
    found = track_run(frame_case(case, run), first_of(run, "failed"), unseen, (3, 5), CONFIG)
    assert found.numbers("lost") == [3, 4, 5]
    assert {frame.reasons for frame in found.frames} == {(FIRST_FAILED,)}
    assert set(unseen.looked_at) <= {FIRST}


def test_the_frames_so_far_are_kept_when_it_is_cancelled(case: Case, run: Run) -> None:
    seen: list[Progress] = []
    found = track_run(
        frame_case(case, run), first_of(run), run, (4, 7), CONFIG, on_progress=seen.append,
        is_cancelled=lambda: len(seen) >= 3,
    )  # fmt: skip
    assert found.stopped == "cancelled"
    assert [frame.number for frame in found.frames] == [4, 5, 6]
    assert [progress.stage for progress in seen] == ["frame 4", "frame 5", "frame 6"]
    assert not found.is_complete


def test_the_time_limit_keeps_them_as_well(case: Case, run: Run) -> None:
    found = track_run(frame_case(case, run), first_of(run), run, (4, 7), CONFIG, time_limit_s=0.0)
    assert (found.stopped, [frame.number for frame in found.frames]) == ("time limit", [4])


@pytest.mark.parametrize(
    ("status", "asked", "stopped"),
    [("failed", (3, 5), "time limit"), ("uncertain", (4, 4), "time limit"), ("uncertain", (4, 5), None)],
)
def test_a_time_limit_that_leaves_nothing_to_follow_stops_the_track(
    case: Case, run: Run, monkeypatch: pytest.MonkeyPatch, status: Status, asked: tuple[int, int], stopped: str | None
) -> None:
    """So that the exit code tells it from a search that came to its end."""
    for search in ("near", "around", "everywhere_about"):
        monkeypatch.setattr(FrameSearch, search, lambda *_: None)
    first = replace(first_of(run, status), stopped="time limit")
    assert track_run(frame_case(case, run), first, run, asked, CONFIG).stopped == stopped


def test_a_second_look_that_is_sure_is_what_the_frame_keeps(
    case: Case, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However convincing the first one was that was not: frame 6 begins where frame 5 is said to be."""
    seen, poses = Run(run.images, run.truth), iter([("uncertain", 0.97), ("accepted", 0.96), ("accepted", 0.95)])

    def near(self: FrameSearch, frame: Case, starts: Sequence[Matrix]) -> Found | None:
        status, confidence = next(poses)
        levels = self._levels.with_views(frame.views, starts[0], 10.0)
        found = self.judge.judged(frame, levels, run.truth[seen.looked_at[-1] - 1], starts[0], is_far=False)
        return replace(found, verdict=Verdict(status, confidence, ()))

    monkeypatch.setattr(FrameSearch, "near", near)
    monkeypatch.setattr(FrameSearch, "sharpened", lambda self, found: found)
    monkeypatch.setattr(FrameJudge, "judged_finally", lambda self, found, may_be_level_off: found)
    for wider in ("around", "everywhere_about"):
        monkeypatch.setattr(FrameSearch, wider, lambda *_: None)
    found = track_run(frame_case(case, run), first_of(run), seen, (4, 6), CONFIG)
    assert [(frame.status, frame.confidence) for frame in found.frames[1:]] == [("tracked", 0.95), ("tracked", 0.96)]


def test_the_mean_of_still_frames_is_a_start_for_the_first_of_them(case: Case, run: Run) -> None:
    begun = frame_case(case, run)
    begun = replace(begun, views=(replace(begun.views[0], frames=Frames(FIRST, FIRST + 1)),))
    found = track_run(begun, first_of(run), run, (4, 5), CONFIG)
    assert [frame.search for frame in found.frames] == ["near", "near"]
    assert error_px(case, run, found, 5) < 0.3


@pytest.mark.parametrize(
    ("asked", "words"),
    [((1, 12), "the run has 9"), ((6, 9), "Frame 4 is to be registered first"), ((5, 4), "Frames 5 to 4")],
)
def test_frames_that_cannot_be_tracked_are_refused(case: Case, run: Run, asked: tuple[int, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        track_run(frame_case(case, run), first_of(run), run, asked, CONFIG)


class TestExpectation:
    """Closed forms, for motion along one axis of the chart."""

    CENTRE = np.array([5.0, -3.0, 8.0])
    CHART = PoseChart(standard_view("AP", CENTRE, 600.0), np.eye(4), CENTRE)

    def pose(self, turn_deg: float, shift_mm: float = 0.0) -> Matrix:
        return self.CHART.world_from_volume_at([0, 0, np.deg2rad(turn_deg), 0, 0, shift_mm])[0]

    def expected(self, found: dict[int, Matrix], number: int) -> list[Matrix]:
        return expected_poses(found, number, np.eye(4), self.CENTRE)

    def test_one_frame_alone_stays(self) -> None:
        (pose,) = self.expected({3: self.pose(2.0)}, 5)
        np.testing.assert_array_equal(pose, self.pose(2.0))

    @pytest.mark.parametrize("way", [1, -1])
    def test_a_motion_goes_on_damped(self, way: int) -> None:
        going, staying = self.expected({5: self.pose(1.0, 4.0), 5 + way: self.pose(3.0, 9.0)}, 5 + 2 * way)
        np.testing.assert_allclose(going, self.pose(3.0 + DAMPING * 2.0, 9.0 + DAMPING * 5.0), atol=1e-9)
        np.testing.assert_allclose(staying, self.pose(3.0, 9.0))

    def test_it_comes_to_rest_over_a_gap(self) -> None:
        assert damped_steps(1) == pytest.approx(DAMPING)
        assert damped_steps(3) == pytest.approx(DAMPING + DAMPING**2 + DAMPING**3)
        going, _ = self.expected({1: self.pose(0.0), 3: self.pose(4.0)}, 5)
        np.testing.assert_allclose(going, self.pose(4.0 + 2.0 * damped_steps(2)), atol=1e-9)

    def test_between_two_frames_it_is_shared_out(self) -> None:
        between, nearest, other = self.expected({2: self.pose(0.0, 0.0), 6: self.pose(8.0, 4.0)}, 3)
        np.testing.assert_allclose(between, self.pose(2.0, 1.0), atol=1e-9)
        np.testing.assert_allclose(nearest, self.pose(0.0))
        np.testing.assert_allclose(other, self.pose(8.0, 4.0))

    def test_a_frame_that_is_known_is_where_it_is(self) -> None:
        (pose,) = self.expected({2: self.pose(1.0), 3: self.pose(2.0)}, 2)
        np.testing.assert_array_equal(pose, self.pose(1.0))
