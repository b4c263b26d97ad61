"""The verdict on a pose in a frame: what a registration asks of its own, as far as the first frame leaves it open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, mean_distance_mm
from prostreg.images.look_alikes import look_alikes
from prostreg.registration.acceptance import Verdict, judge
from prostreg.registration.attempts import SAME_PLACE_MM, AttemptLog
from prostreg.registration.carm.carm_check import open_errors, pose_precision, with_doubts
from prostreg.registration.case import Case
from prostreg.registration.device.gpu import refuse_wrong_scores
from prostreg.registration.evidence import Evidence
from prostreg.registration.levels import Levels
from prostreg.registration.result import Result

SEEN_AS_MUCH = 0.8
"""Share of what the first frame shows of the anatomy from which on a climb is thought to be as precise as there."""

NOT_COMPARED = "may be one level off: a wide search led here, and the CT has places that look alike"

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Found:
    """A pose that was found in a frame, judged as a registration is.

    Attributes:
        world_from_volume: rigid (4, 4).
        start: from where it was searched, rigid (4, 4).
        case: the frame.
        levels: its resolutions.
        is_far: whether a wide search found it, and not a climb from where the anatomy was expected.
    """

    world_from_volume: Matrix
    verdict: Verdict
    evidence: Evidence
    start: Matrix
    case: Case
    levels: Levels
    is_far: bool = False

    def better(self, other: Found) -> Found:
        """The more convincing of two."""
        return other if other.verdict.confidence > self.verdict.confidence else self


class FrameJudge:
    """Judges poses in the frames of one case.

    Args:
        case: the frame that was registered first.
        first: its result: the precision and the C-arm's part in it hold for frames that show as much.
        points_mm: (n, 3) of the anatomy in the volume frame.
        centre_mm: (3,) of them.
        spread: (6,) uncertainty of a start.
    """

    def __init__(self, case: Case, first: Result, points_mm: Array, centre_mm: Array, spread: Array) -> None:
        self._case, self._first, self._points_mm, self._spread = case, first, points_mm, spread
        self._camera_from_world, self._centre_mm = case.views[0].carm.camera_from_world, centre_mm
        self._is_gpu_compared = False
        self.begin_frame()

    def begin_frame(self) -> None:
        """From here on poses are of another frame: those judged before are none of their rivals."""
        self._log = AttemptLog(self._case, self._chart(self._first.world_from_volume), self._points_mm, self._spread)

    def judged(self, case: Case, levels: Levels, pose: Matrix, start: Matrix, is_far: bool) -> Found:
        """The verdict on one of a frame's candidates, which is a rival of the others from here on."""
        chart = self._chart(start)
        log, parameters = self._log.seen_from(case, chart), chart.parameters_of(pose)
        footprint = levels.middle.footprint_score(pose)
        evidence = self._as_precise_as_first(log.evidence(parameters, footprint, 0))
        log.add(parameters, footprint, 0)
        return Found(pose, judge(evidence), evidence, start, case, levels, is_far)

    def judged_finally(self, found: Found, may_be_level_off: bool) -> Found:
        """The verdict on the pose that a frame keeps, by all its candidates and all that a registration asks.

        Args:
            found: not failed.
            may_be_level_off: what looks like the anatomy may have been taken for it, if the CT has such places.

        Raises:
            DeviceError: a GPU's score of it is not that of the CPU.
        """
        pose, levels = found.world_from_volume, found.levels
        self._refuse_wrong_score(levels, pose)
        chart = self._chart(found.start)
        log = self._log.seen_from(found.case, chart)
        evidence = log.evidence(chart.parameters_of(pose), levels.middle.footprint_score(pose), 0, is_kept=True)
        evidence, errors_mm = self._with_precision(evidence, found)
        doubts = (NOT_COMPARED,) if may_be_level_off and self.has_look_alikes else ()
        verdict = judge(evidence)
        if verdict.status != "failed":
            verdict = with_doubts(judge(evidence, doubts=doubts), open_errors(*errors_mm), float(np.hypot(*errors_mm)))
        return replace(found, verdict=verdict, evidence=evidence)

    @cached_property
    def has_look_alikes(self) -> bool:
        """True if the CT has places that look like the anatomy."""
        return bool(look_alikes(self._case.ct, self._case.anatomy))

    def is_same_place(self, one: Found | None, other: Found | None) -> bool:
        """True if two poses are the same finding."""
        if one is None or other is None:
            return False
        distance_mm = mean_distance_mm(one.world_from_volume, other.world_from_volume, self._points_mm)
        return distance_mm <= SAME_PLACE_MM

    def _with_precision(self, evidence: Evidence, found: Found) -> tuple[Evidence, tuple[float, float]]:
        """The evidence with the expected error, and that in mm across and along the beam with the C-arm's part in it.

        The C-arm is that of the first frame, and so is its part. The first frame's own errors were judged with it.
        """
        seen_first = self._first.evidence.get("seen", 0.0)
        if not found.is_far and evidence.seen >= SEEN_AS_MUCH * seen_first:
            return self._as_precise_as_first(evidence), (0.0, 0.0)
        chart = self._chart(found.world_from_volume)
        precision = pose_precision(found.levels.fine, chart, self._spread, self._points_mm)
        across_mm, along_mm = self._carm_errors_mm()
        own = precision.expected
        errors_mm = float(np.hypot(own.across_mm, across_mm)), float(np.hypot(own.along_mm, along_mm))
        return precision.added_to(evidence), errors_mm

    def _carm_errors_mm(self) -> tuple[float, float]:
        """The first frame's errors across and along the beam that the C-arm alone makes."""
        expected, told = self._first.expected_error, self._first.evidence
        if expected is None:
            return 0.0, 0.0
        pairs = (
            (expected.across_mm, told.get("expected_across_mm", 0.0)),
            (expected.along_mm, told.get("expected_along_mm", 0.0)),
        )
        across_mm, along_mm = (float(np.sqrt(max(whole**2 - pose**2, 0.0))) for whole, pose in pairs)
        return across_mm, along_mm

    def _as_precise_as_first(self, evidence: Evidence) -> Evidence:
        known = {name: value for name, value in self._first.evidence.items() if name.startswith("expected_")}
        return replace(evidence, **known)

    def _refuse_wrong_score(self, levels: Levels, pose: Matrix) -> None:
        """Compares what a GPU says with what the CPU says, once a run."""
        if self._is_gpu_compared or not levels.middle.projector.is_on_gpu:
            return
        refuse_wrong_scores(levels.middle.scores(pose[None]), levels.on_cpu().middle.scores(pose[None]))
        self._is_gpu_compared = True

    def _chart(self, pose: Matrix) -> PoseChart:
        return PoseChart(pose, self._camera_from_world, self._centre_mm)
