"""Tracking: from one registered frame forward and backward through a run, over frames in which the anatomy is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from prostreg.errors import DeviceError, InputError, Stopped
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix
from prostreg.parallel import single_threaded_torch
from prostreg.registration.acceptance import Verdict
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.device.gpu import first_line
from prostreg.registration.monitor import Monitor
from prostreg.registration.readings import case_read_as, reading_of
from prostreg.registration.relation.each_view import seen_as_found
from prostreg.registration.result import WORST_FIRST, Result, Status
from prostreg.search.candidate import Candidate
from prostreg.tracking.frame_images import FrameImages, Runs
from prostreg.tracking.frame_judge import NOT_COMPARED, Found
from prostreg.tracking.frame_search import FrameSearch
from prostreg.tracking.motion import expected_poses, nearest_frame
from prostreg.tracking.track import FrameProgress, FrameStatus, Track, TrackedFrame

RANKS: dict[Status, int] = {status: rank for rank, status in enumerate(WORST_FIRST)}
STATUSES: tuple[FrameStatus, ...] = ("lost", "uncertain", "tracked")

FIRST_FAILED = "the first frame could not be registered: no other can be tracked from it"
FIRST_UNCERTAIN = "no frame is surer than the first one, and that is uncertain"
NOWHERE = "no place was found that fits"


def track_run(
    case: Case,
    first: Result,
    runs: Runs,
    asked: tuple[int, int] | None = None,
    config: RegistrationConfig | None = None,
    time_limit_s: float = np.inf,
    on_progress: Callable[[FrameProgress], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Track:
    """Finds the CT's pose in the frames of a run, from the one that was registered.

    Args:
        case: the frame that was registered; its C-arms, where they are only roughly known as that found them, and its
            masks are those of all frames.
        first: its result.
        runs: the pixels of all frames.
        asked: numbers of the first and last frame that are wanted, counted from 1; all if it is not given.
        config: settings of the registration; defaults if it is not given.
        time_limit_s: after which the frames found so far are returned.
        on_progress: told of every frame.
        is_cancelled: asked between evaluations.

    Returns:
        The track; if it was cancelled or out of time, the frames so far with ``stopped`` set.

    Raises:
        InputError: frames were asked for that the run does not have, or the first one is not among them.
    """
    asked = asked or (1, runs.count)
    refuse_frames(asked, case, runs.count)
    config = config or RegistrationConfig()
    tracker = _Tracker(case, first, runs, asked, config, time_limit_s, on_progress, is_cancelled)
    with single_threaded_torch():
        return tracker.track()


def refuse_frames(asked: tuple[int, int], case: Case, count: int) -> None:
    """Refuses frames that cannot be tracked.

    Args:
        asked: numbers of the first and last one.
        case: the frame that is registered first.
        count: of frames in the run.

    Raises:
        InputError: the run does not have them, or the first one is not among them.
    """
    first = case.views[0].frames.first
    if not 1 <= asked[0] <= asked[1] <= count:
        raise InputError(f"Frames {asked[0]} to {asked[1]} were asked for, and the run has {count}.")
    if not asked[0] <= first <= asked[1]:
        raise InputError(
            f"Frame {first} is to be registered first, and lies outside of frames {asked[0]} to {asked[1]}: choose one"
            ' of these, by --first-frame or "frame" of the view.'
        )


class _Tracker:
    """A run that is being tracked."""

    def __init__(
        self,
        case: Case,
        first: Result,
        runs: Runs,
        asked: tuple[int, int],
        config: RegistrationConfig,
        time_limit_s: float,
        on_progress: Callable[[FrameProgress], None] | None,
        is_cancelled: Callable[[], bool] | None,
    ) -> None:
        self._first, self._runs, self._asked, self._on_progress = first, runs, asked, on_progress
        self._number = case.views[0].frames.first
        self._is_mean = case.views[0].frames.count > 1
        self._case = seen_as_found(case_read_as(case, reading_of(case, first.polarities)), first)
        settings = replace(config, device="cuda" if first.device.startswith("cuda") else "cpu")
        self._search = FrameSearch(self._case, first, settings, self._check)
        self._images = FrameImages(self._case, runs)
        self._chart = PoseChart(first.world_from_volume, self._search.camera_from_world, self._search.centre_mm)
        self._monitor = Monitor(self._chart, None, time_limit_s, None, is_cancelled)
        self._poses = {self._number: first.world_from_volume}
        self._frames: dict[int, TrackedFrame] = {}
        self._sure = dict(self._poses)
        self._unsure: list[int] = []
        self._level_open: set[int] = set()
        self._warnings: list[str] = []

    def track(self) -> Track:
        stopped = self._stopped_before()
        if stopped is None:
            try:
                self._follow_all()
            except Stopped as reason:
                stopped = str(reason)
        elif not self._is_mean:
            self._note(self._number, self._of_first())
        frames = tuple(self._frames[number] for number in sorted(self._frames))
        return Track(
            self._case.name, self._first, self._number, self._runs.count, self._chart, self._asked, frames,
            self._monitor.seconds, stopped, (*self._first.warnings, *self._warnings),
        )  # fmt: skip

    def _stopped_before(self) -> str | None:
        """Why there is nothing to follow: the first frame's registration was ended before a pose, or is all there is.

        A pose that its time limit left is followed none the less.
        """
        first = self._first
        is_all = not self._is_mean and self._asked == (self._number, self._number)
        return first.stopped if first.stopped == "cancelled" or first.status == "failed" or is_all else None

    def _follow_all(self) -> None:
        if self._first.status == "failed":
            for number in range(self._asked[0], self._asked[1] + 1):
                self._note(number, self._lost(number, FIRST_FAILED, "first"))
            return
        if self._is_mean:
            self._follow([self._number])
        else:
            self._note(self._number, self._of_first())
        self._follow(range(self._number + 1, self._asked[1] + 1))
        self._follow(range(self._number - 1, self._asked[0] - 1, -1))

    def _follow(self, numbers: Iterable[int]) -> None:
        """Frames one after the other; those that left a doubt are looked at again from the next one that is sure."""
        self._unsure = []
        for number in numbers:
            if self._find(number, is_again=False):
                self._go_back_to(reversed(self._unsure))
                self._unsure = []
            else:
                self._unsure.append(number)

    def _go_back_to(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            if not self._find(number, is_again=True):
                return

    def _find(self, number: int, is_again: bool) -> bool:
        """Looks for the anatomy in a frame and notes what is found; True if that is as sure as the first frame."""
        began = self._monitor.seconds
        found: Found | None = None
        try:
            found, search = self._searched_somewhere(number, is_again)
        except InputError as error:
            frame = self._lost(number, " ".join(error.faults), "near")
        else:
            frame = self._lost(number, NOWHERE, search) if found is None else self._frame(number, found, search)
        is_sure = found is not None and self._is_enough(found) and NOT_COMPARED not in found.verdict.reasons
        if not is_again or is_sure or frame.confidence > self._frames[number].confidence:
            self._note(number, replace(frame, seconds=self._monitor.seconds - began))
            self._note_level(number, frame)
        if is_sure and found is not None:
            self._sure[number] = found.world_from_volume
        return is_sure

    def _note_level(self, number: int, frame: TrackedFrame) -> None:
        """Keeps in mind whether a frame's pose may be that of another level: what begins there may be as well."""
        if NOT_COMPARED in frame.reasons:
            self._level_open.add(number)
        else:
            self._level_open.discard(number)

    def _searched_somewhere(self, number: int, is_again: bool) -> tuple[Found | None, str]:
        """As `_searched`, on the CPU where the GPU cannot end it: torch says with a RuntimeError what that refused."""
        try:
            return self._searched_and_sharpened(number, is_again)
        except (DeviceError, RuntimeError) as error:
            if not self._search.give_up_gpu():
                raise
            self._warnings.append(f"The GPU was given up in frame {number}: {first_line(error)}")
            return self._searched_and_sharpened(number, is_again)

    def _searched_and_sharpened(self, number: int, is_again: bool) -> tuple[Found | None, str]:
        self._search.judge.begin_frame()
        found, from_sure, search = self._searched(number, is_again)
        if found is None or found.verdict.status == "failed":
            return found, search
        is_begun_there = nearest_frame(self._poses, number) in self._level_open
        may_be_level_off = (found.is_far or is_begun_there) and not self._search.judge.is_same_place(found, from_sure)
        return self._search.judge.judged_finally(self._search.sharpened(found), may_be_level_off), search

    def _searched(self, number: int, is_again: bool) -> tuple[Found | None, Found | None, str]:
        """The most convincing pose, that which a climb from sure ones comes to, and the widest search that it took.

        The widest takes seconds: of frames that leave a doubt in a row, the first, second, fourth, eighth have it.
        """
        starts, sure = self._expected(self._poses, number), self._expected(self._sure, number)
        case = self._images.frame(number)
        found = from_sure = self._search.near(case, starts)
        is_begun_there = nearest_frame(self._poses, number) in self._level_open
        if is_begun_there or (self._unsure and not self._is_enough(found)):
            from_sure = self._search.near(case, sure)
            found = _better(found, from_sure)
        if self._is_enough(found) or is_again:
            return found, from_sure, "near"
        case = self._images.frame_anew(number)
        found = _better(found, self._search.around(case, starts[:2][-1], number))
        is_time_for_more = (len(self._unsure) + 1) & len(self._unsure) == 0
        if self._is_enough(found) or not is_time_for_more:
            return found, from_sure, "around"
        found = _better(found, self._search.everywhere_about(case, sure[:2][-1], number))
        return found, from_sure, "everywhere about"

    def _is_enough(self, found: Found | None) -> bool:
        """True if a pose is as convincing as that of the first frame: nothing is surer than that."""
        return found is not None and RANKS[found.verdict.status] >= RANKS[self._first.status]

    def _expected(self, poses: Mapping[int, Matrix], number: int) -> list[Matrix]:
        return expected_poses(poses, number, self._search.camera_from_world, self._search.centre_mm)

    def _frame(self, number: int, found: Found, search: str) -> TrackedFrame:
        verdict = found.verdict
        if verdict.status == "failed":
            return replace(
                self._lost(number, verdict.reasons[0] if verdict.reasons else NOWHERE, search),
                confidence=verdict.confidence,
                evidence=found.evidence.to_dict(),
            )
        rank, own = RANKS[self._first.status], RANKS[verdict.status]
        reasons = (FIRST_UNCERTAIN, *verdict.reasons) if rank < own else verdict.reasons
        confidence = min(verdict.confidence, self._first.confidence) if rank < own else verdict.confidence
        return self._found_frame(
            number, Verdict(self._first.status if rank < own else verdict.status, confidence, reasons),
            found.world_from_volume, found.evidence.to_dict(), search,
        )  # fmt: skip

    def _of_first(self) -> TrackedFrame:
        first = self._first
        if first.status == "failed":
            return self._lost(self._number, FIRST_FAILED, "first")
        verdict = Verdict(first.status, first.confidence, first.reasons)
        return self._found_frame(self._number, verdict, first.world_from_volume, dict(first.evidence), "first")

    def _found_frame(
        self, number: int, verdict: Verdict, pose: Matrix, evidence: dict[str, float], search: str
    ) -> TrackedFrame:
        cameras = tuple(view.carm.camera_from_world @ pose for view in self._case.views)
        return TrackedFrame(
            number, self._runs.time_s(number), STATUSES[RANKS[verdict.status]], verdict.confidence, pose, cameras,
            evidence, verdict.reasons, search,
        )  # fmt: skip

    def _lost(self, number: int, reason: str, search: str) -> TrackedFrame:
        return TrackedFrame(number, self._runs.time_s(number), "lost", reasons=(reason,), search=search)

    def _note(self, number: int, frame: TrackedFrame) -> None:
        self._frames[number] = frame
        if frame.world_from_volume is not None:
            self._poses[number] = frame.world_from_volume
        if self._on_progress is None:
            return
        share = len(self._frames) / (self._asked[1] - self._asked[0] + 1)
        confirmed = float(frame.evidence.get("confirmed", 0.0))
        # The registered frame takes no time, which says nothing of the others.
        left = self._monitor.seconds / share * (1 - share) if len(self._frames) > 1 else None
        pose = self._poses.get(number, self._first.world_from_volume)
        message = f"frame {number}: {frame.status}, {confirmed:.0%} of the structure confirmed"
        self._on_progress(FrameProgress(f"frame {number}", share, confirmed, pose, message, left, frame=frame))

    def _check(self) -> None:
        self._monitor.check("track", 0.0, Candidate(0.0, np.zeros(6)))


def _better(one: Found | None, other: Found | None) -> Found | None:
    if one is None or other is None:
        return one or other
    return one.better(other)
