"""The run and the registered frame that a request describes, and the track as it is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.geometry.frames import Matrix, rigid_faults
from prostreg.json_fields import JsonFields, is_number
from prostreg.outputs.track_texts import track_to_dict
from prostreg.registration.case import Case
from prostreg.registration.readings import PolarityUsed
from prostreg.registration.result import WORST_FIRST, ExpectedError, Result, Status
from prostreg.tracking.track import FrameProgress, Track
from prostreg.worker.fields import Fields

MOST_FRAMES = 2000
"""Of a run: what is said of them goes into one header."""

MOST_MM = 1e6
_NOT_ANSWERED = ("world_from_volume", "camera_from_volume", "motion")
"""Of each frame: the poses are an array of their own, and all else follows from them."""


class SentRuns:
    """The pixels that a client has sent, one run for each view.

    Args:
        runs: (frames, height, width) each, as many frames in each.
        times_s: of each frame since the first one; None where they are not known.
    """

    def __init__(self, runs: Sequence[NDArray[Any]], times_s: Sequence[float] | None) -> None:
        self._runs, self._times_s = runs, times_s
        self.count = len(runs[0])

    def pixels(self, number: int) -> Sequence[NDArray[np.float32]]:
        """As `Runs.pixels`."""
        return [run[number - 1].astype(np.float32) for run in self._runs]

    def time_s(self, number: int) -> float | None:
        """As `Runs.time_s`."""
        return None if self._times_s is None else self._times_s[number - 1]


class RunRequest:
    """The fields of a request that describe a run and its registered frame.

    Args:
        fields: arrays ``run0``, ``run1``, … (frames, height, width), one for each of ``views``; ``frame``, the number
            of the registered one, counted from 1; ``first``, what of a registration's answer a track goes on from;
            ``times_s`` of the frames, or null. Faults are noted there.
    """

    def __init__(self, fields: Fields) -> None:
        self.views = fields.ids("views")
        self._runs = [fields.array(f"run{number}", 3) for number in range(len(self.views))]
        counts = [len(run) for run in self._runs]
        if len(set(counts)) > 1:
            fields.faults.add(f"The runs have {' and '.join(map(str, counts))} frames: give runs taken together.")
        elif counts and counts[0] > MOST_FRAMES:
            fields.faults.add(f"The run has {counts[0]} frames, {MOST_FRAMES} are the most that are tracked at once.")
        count = counts[0] if counts else 1
        self.frame = fields.whole("frame", 1, count)
        self._times_s = fields.numbers("times_s", count) if "times_s" in fields else None
        self._first = _First(fields.inner("first"))

    def runs(self, case: Case) -> SentRuns:
        """The frames' pixels.

        Raises:
            InputError: they have another size than the views of the case.
        """
        for number, (run, view) in enumerate(zip(self._runs, case.views, strict=True), start=1):
            if run.shape[:0:-1] != view.carm.size:
                raise InputError(
                    f"The frames of view {number} have {run.shape[2]} x {run.shape[1]} pixels, its camera says"
                    f" {view.carm.width} x {view.carm.height}: correct one of them."
                )
        return SentRuns(self._runs, self._times_s)

    def first(self, case: Case) -> Result:
        """The registration of the case's own frame as the client tells it."""
        return self._first.result(case)


class _First:
    """The parts of a registration's answer that a track goes on from.

    Args:
        fields: ``world_from_volume``, ``status``, ``confidence``; and, where they are known, ``reasons``, ``evidence``,
            ``expected_error``, ``polarity`` and ``device``, all as the registration answered them.
    """

    def __init__(self, fields: JsonFields) -> None:
        pose = fields.judged("world_from_volume", rigid_faults, "give 4 rows of 4 numbers", np.eye(4))
        self._pose: Matrix = np.array(pose, dtype=np.float64)
        self._status: Status = fields.choice("status", WORST_FIRST)
        self._confidence = fields.number("confidence", 0.0, 1.0)
        self._reasons: list[str] = fields.checked("reasons", _are_texts, "give a list of texts", [], [])
        self._evidence: dict[str, float] = fields.checked("evidence", _are_numbers, "give numbers by name", {}, {})
        self._expected = _expected(fields.inner("expected_error")) if "expected_error" in fields else None
        self._polarities = fields.inners("polarity", ())
        self._read = [(entry.raw("used"), entry.number("certainty", 0.0, 1.0, 1.0)) for entry in self._polarities]
        self._device = fields.text("device", "cpu")

    def result(self, case: Case) -> Result:
        return Result(
            name=case.name,
            status=self._status,
            confidence=self._confidence,
            world_from_volume=self._pose,
            camera_from_volume=tuple(view.carm.camera_from_world @ self._pose for view in case.views),
            stages=(),
            seconds=0.0,
            device=self._device,
            projector="",
            mtre_mm=None,
            config={},
            versions={},
            reasons=tuple(self._reasons),
            evidence=self._evidence,
            expected_error=self._expected,
            polarities=self._polarities_of(case),
        )

    def _polarities_of(self, case: Case) -> tuple[PolarityUsed, ...]:
        """The polarity in which each view was read; none where that is not known of every view."""
        if len(self._read) != len(case.views):
            return ()
        found = []
        for view, (used, certainty) in zip(case.views, self._read, strict=True):
            is_open = view.xray.other is not None
            is_likelier = not is_open or used == view.xray.polarity
            found.append(PolarityUsed(used, not is_open, certainty, is_likelier))
        return tuple(found)


def progress_content(progress: FrameProgress) -> dict[str, Any]:
    """A frame of a track under way, for a client."""
    frame = progress.frame
    return {
        "stage": progress.stage,
        "fraction": progress.fraction,
        "score": progress.score,
        "message": progress.message,
        "seconds_left": progress.seconds_left,
        "frame": frame.number,
        "status": frame.status,
        "confidence": frame.confidence,
        "reasons": list(frame.reasons),
        "world_from_volume": None if frame.world_from_volume is None else frame.world_from_volume.tolist(),
    }


def track_answer(track: Track) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The track as track.json states it, but for its poses: these are the array ``poses`` (frames, 4, 4), NaN where a
    frame is lost. ``centre_mm`` (3,) in the volume frame is what the motion turns about."""
    told = track_to_dict(track)
    told["frames"] = [{k: v for k, v in frame.items() if k not in _NOT_ANSWERED} for frame in told["frames"]]
    unknown = np.full((4, 4), np.nan)
    found = [frame.world_from_volume for frame in track.frames]
    poses = np.array([unknown if pose is None else pose for pose in found]).reshape(-1, 4, 4)
    return {**told, "centre_mm": track.chart.centre_mm.tolist()}, {"poses": poses}


def _expected(fields: JsonFields) -> ExpectedError:
    rotation, translation = (np.array(fields.numbers(name, 3)) for name in ("rotation_deg", "translation_mm"))
    across, along = (fields.number(name, 0.0, MOST_MM) for name in ("across_mm", "along_mm"))
    return ExpectedError(rotation, translation, across, along)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _are_numbers(value: object) -> bool:
    return isinstance(value, dict) and all(map(is_number, value.values()))
