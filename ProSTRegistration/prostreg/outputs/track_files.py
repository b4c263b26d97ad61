"""All files that a tracked run leaves: numbers for programs, tables for people and for Autoscoper, and a figure."""

from __future__ import annotations

import importlib.util
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from prostreg.errors import NotWritten, system_refusal
from prostreg.files import complete_file
from prostreg.outputs.track_texts import autoscoper_text, table_text, track_to_dict
from prostreg.outputs.transform_file import write_transform
from prostreg.tracking.track import Track

TRACK_FILE = "track.json"
TABLE_FILE = "track.csv"
AUTOSCOPER_FILE = "track.tra"
FIGURE_FILE = "track.png"
TRANSFORMS_FOLDER = "transforms"


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
