"""A track as texts: what track.json states, the table, and Autoscoper's rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from prostreg.outputs.result_file import plain
from prostreg.tracking.track import Track, TrackedFrame

COLUMNS = ("tilt_u_deg", "tilt_v_deg", "in_plane_deg", "shift_u_mm", "shift_v_mm", "depth_mm")
"""Of the motion since the first frame, in the order of the pose chart's parameters."""

DIGITS = 9


def track_to_dict(track: Track) -> dict[str, Any]:
    """The track as track.json states it; numbers that are not finite become null."""
    first = track.first
    content = {
        "name": track.name,
        "frames_in_run": track.frames_in_run,
        "asked": track.asked,
        "first_frame": track.first_frame,
        "first_status": first.status,
        "first_confidence": first.confidence,
        "expected_error": None if first.expected_error is None else first.expected_error.to_dict(),
        "tracked": track.numbers("tracked"),
        "uncertain": track.numbers("uncertain"),
        "lost": track.numbers("lost"),
        "stopped": track.stopped,
        "seconds": track.seconds,
        "frames": [_frame_to_dict(track, frame) for frame in track.frames],
        "device": first.device,
        "projector": first.projector,
        "polarity": [polarity.to_dict() for polarity in first.polarities],
        "config": first.config,
        "versions": first.versions,
        "warnings": list(track.warnings),
    }
    values: dict[str, Any] = plain(content)
    return values


def table_text(track: Track) -> str:
    """The frames as CSV: motion since the first frame and world_from_volume, empty where they are not known."""
    matrix = [f"m{row}{column}" for row in range(4) for column in range(4)]
    lines: list[list[Any]] = [["frame", "time_s", "status", "confidence", "confirmed", *COLUMNS, *matrix]]
    for frame in track.frames:
        motion, pose = track.motion(frame), frame.world_from_volume
        numbers = [""] * 22 if motion is None or pose is None else [*motion, *pose.ravel()]
        facts = [frame.time_s, frame.status, frame.confidence, frame.evidence.get("confirmed")]
        lines.append([frame.number, *facts, *numbers])
    return "".join(",".join(map(_cell, line)) + "\n" for line in lines)


def autoscoper_text(track: Track) -> str:
    """Rows of 16 numbers, one for each frame of the run from the first: world_from_volume in RAS and mm, row-major.

    As Autoscoper writes them with commas; a frame that was not found is a row of NaN.
    """
    poses = {frame.number: frame.world_from_volume for frame in track.frames if frame.world_from_volume is not None}
    unknown = np.full((4, 4), np.nan)
    rows = (poses.get(number, unknown).ravel() for number in range(1, track.frames_in_run + 1))
    return "".join(",".join("NaN" if np.isnan(x) else repr(float(x)) for x in row) + "\n" for row in rows)


def _frame_to_dict(track: Track, frame: TrackedFrame) -> dict[str, Any]:
    pose, motion = frame.world_from_volume, track.motion(frame)
    return {
        "frame": frame.number,
        "time_s": frame.time_s,
        "status": frame.status,
        "confidence": frame.confidence,
        "confirmed": frame.evidence.get("confirmed"),
        "world_from_volume": None if pose is None else pose.tolist(),
        "camera_from_volume": [camera.tolist() for camera in frame.camera_from_volume],
        "motion": None if motion is None else dict(zip(COLUMNS, motion.tolist(), strict=True)),
        "reasons": list(frame.reasons),
        "search": frame.search,
        "seconds": frame.seconds,
    }


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{float(value):.{DIGITS}g}" if isinstance(value, float) else str(value)
