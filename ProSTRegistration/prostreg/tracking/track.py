"""A track: where the anatomy was in each frame of a run, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix
from prostreg.registration.result import Progress, Result

FrameStatus = Literal["tracked", "uncertain", "lost"]


@dataclass(frozen=True, eq=False)
class TrackedFrame:
    """One frame of a track.

    Attributes:
        number: counted from 1.
        time_s: since the run's first frame; None where the file does not tell.
        status: "tracked" as a registration is accepted; "lost" where no place was found that fits.
        confidence: probability that the mTRE is below 10 mm, 0 to 1.
        world_from_volume: the pose, rigid (4, 4); None where it is lost.
        camera_from_volume: the same for each view, into its camera's frame.
        evidence: what the confidence was made from; see `prostreg.registration.evidence.Evidence`.
        reasons: for the status, in words.
        search: the widest that it took: "first", "near", "around" or "everywhere about".
        seconds: that it took.
    """

    number: int
    time_s: float | None
    status: FrameStatus
    confidence: float = 0.0
    world_from_volume: Matrix | None = None
    camera_from_volume: tuple[Matrix, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    search: str = "near"
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class FrameProgress(Progress):
    """A sign of life after each frame; its score is the share of the structure that the frame confirms.

    Attributes:
        frame: what was found in it.
    """

    frame: TrackedFrame = TrackedFrame(0, None, "lost")


@dataclass(frozen=True, eq=False)
class Track:
    """The outcome of tracking.

    Attributes:
        name: of the case.
        first: result of the frame that was registered by itself.
        first_frame: its number.
        frames_in_run: how many the run has.
        chart: at the first frame's pose; the motion is told in its parameters.
        asked: numbers of the first and the last frame that were asked for.
        frames: those that were looked at, in order.
        seconds: that the frames took, without the first one's registration.
        stopped: why it ended early ("cancelled", "time limit"), None if it ran to its end.
        warnings: sentences on files and devices that have to be known beside the result.
    """

    name: str
    first: Result
    first_frame: int
    frames_in_run: int
    chart: PoseChart
    asked: tuple[int, int]
    frames: tuple[TrackedFrame, ...]
    seconds: float
    stopped: str | None = None
    warnings: tuple[str, ...] = ()

    def motion(self, frame: TrackedFrame) -> NDArray[np.float64] | None:
        """Motion (6,) since the first frame, in degrees and mm, in the order of PARAMETERS; None where it is lost."""
        if frame.world_from_volume is None:
            return None
        parameters = self.chart.parameters_of(frame.world_from_volume)
        return np.concatenate([np.rad2deg(parameters[:3]), parameters[3:]])

    def numbers(self, status: FrameStatus) -> list[int]:
        """The frames that have a status, in order."""
        return [frame.number for frame in self.frames if frame.status == status]

    @property
    def is_complete(self) -> bool:
        """True if every frame that was asked for is tracked."""
        return len(self.numbers("tracked")) == self.asked[1] - self.asked[0] + 1
