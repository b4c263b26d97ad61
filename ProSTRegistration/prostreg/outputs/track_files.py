"""All files that a tracked run leaves: numbers for programs, tables for people and for Autoscoper, and a figure."""

from __future__ import annotations

import importlib.util
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from prostreg.errors import NotWritten, system_refusal
from prostreg.files import complete_file
from prostreg.outputs.result_file import plain
from prostreg.outputs.transform_file import write_transform
from prostreg.tracking.track import Track, TrackedFrame

TRACK_FILE = "track.json"
TABLE_FILE = "track.csv"
AUTOSCOPER_FILE = "track.tra"
FIGURE_FILE = "track.png"
TRANSFORMS_FOLDER = "transforms"

COLUMNS = ("tilt_u_deg", "tilt_v_deg", "in_plane_deg", "shift_u_mm", "shift_v_mm", "depth_mm")
"""Of the motion since the first frame, in the order of the pose chart's parameters."""

DIGITS = 9


def write_track(folder: Path, track: Track, with_transforms: bool = False) -> list[str]:
    """Writes everything about a track into ``folder`` in place of an earlier one; gives warnings, mostly none.

    Each file is complete or absent. track.json comes last, so that a folder that has one has all of them. The figure is
    left out where there is no matplotlib, and with a warning where that cannot draw it.

    Args:
        folder: where the files shall be; its parents are made.
        with_transforms: whether each pose is written as an ITK transform as well.

    Raises:
        NotWritten: where the folder cannot be written.
    """
    texts = {TABLE_FILE: table_text(track), AUTOSCOPER_FILE: autoscoper_text(track)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (TRACK_FILE, FIGURE_FILE):
            (folder / name).unlink(missing_ok=True)
        _remove_transforms(folder / TRANSFORMS_FOLDER)
        for name, text in texts.items():
            _write_text(folder / name, text)
        warnings = _write_figure(folder / FIGURE_FILE, track)
        if with_transforms:
            _write_transforms(folder / TRANSFORMS_FOLDER, track)
        told = replace(track, warnings=(*track.warnings, *warnings))
        _write_text(folder / TRACK_FILE, json.dumps(track_to_dict(told), indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise NotWritten(f"The track cannot be written into {folder}. {system_refusal(error)}") from error
    return warnings


def track_folder_faults(folder: Path, advice: str) -> list[str]:
    """Reasons in words why the files of a track could not be written into a folder, which may exist or not.

    Args:
        advice: what to try, a sentence for the user of this door.
    """
    files = (folder / name for name in (TRACK_FILE, TABLE_FILE, AUTOSCOPER_FILE, FIGURE_FILE))
    return [f"The track {file} cannot be written: a folder has its name. {advice}" for file in files if file.is_dir()]


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


def _write_figure(path: Path, track: Track) -> list[str]:
    """Draws the motion, if there is a matplotlib; a warning where it cannot be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        return []
    try:
        from prostreg.outputs.track_figure import draw_track, save_figure

        with complete_file(path) as unfinished:
            save_figure(draw_track(track), unfinished)
    except Exception as error:  # a picture of the numbers must not cost the numbers
        return [f"{path.name} could not be drawn ({type(error).__name__}): the numbers are complete without it."]
    return []


def _write_transforms(folder: Path, track: Track) -> None:
    """One ITK transform for each frame in which the anatomy was found."""
    folder.mkdir(exist_ok=True)
    digits = len(str(track.frames_in_run))
    for frame in track.frames:
        if frame.world_from_volume is not None:
            write_transform(folder / f"frame_{frame.number:0{digits}d}.tfm", frame.world_from_volume)


def _remove_transforms(folder: Path) -> None:
    """Removes those of an earlier track, and the folder if nothing else is in it."""
    for stale in folder.glob("frame_*.tfm"):
        stale.unlink()
    with suppress(OSError):
        folder.rmdir()


def _write_text(path: Path, text: str) -> None:
    with complete_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
