"""Writes what a registration found: all files of a case appear together, or none."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from prostreg.errors import NotWritten, system_refusal
from prostreg.files import output_folder_faults
from prostreg.registration.result import Result
from prostreg.scratch import scratch_folder
from prostreg.undisturbed import undisturbed

RESULT_FILE = "result.json"
TRANSFORM_FILE = "world_from_volume.tfm"
OVERLAY_FILE = "overlay.png"
REPORT_FILE = "report.html"
REGISTRATION_FILE = "registration.dcm"
BONES_FILE = "bones.json"
BONES_PICTURE = "bones.png"

_IS_DRR = re.compile(r"drr(_[1-9][0-9]*)?\.nrrd")
_OURS = frozenset({RESULT_FILE, TRANSFORM_FILE, OVERLAY_FILE, REPORT_FILE, REGISTRATION_FILE})
_OF_BONES = frozenset({BONES_FILE, BONES_PICTURE})
_MARKS = (RESULT_FILE, BONES_FILE)
"""Written last and removed first: a folder that has one is complete."""


def result_to_dict(result: Result) -> dict[str, Any]:
    """The result as result.json states it; numbers that are not finite become null."""
    content = {
        "name": result.name,
        "status": result.status,
        "confidence": result.confidence,
        "reasons": list(result.reasons),
        "evidence": dict(result.evidence),
        "expected_error": None if result.expected_error is None else result.expected_error.to_dict(),
        "carm_fit": None if result.carm_fit is None else asdict(result.carm_fit),
        "relation": [asdict(view) for view in result.relation],
        "look_alikes": [asdict(place) for place in result.look_alikes],
        "world_from_volume": result.world_from_volume.tolist(),
        "camera_from_volume": [pose.tolist() for pose in result.camera_from_volume],
        "stages": [
            {
                "name": stage.name,
                "evaluations": stage.evaluations,
                "seconds": stage.seconds,
                "score": stage.score,
                "starts": stage.starts,
            }
            for stage in result.stages
        ],
        "seconds": result.seconds,
        "polarity": [polarity.to_dict() for polarity in result.polarities],
        "device": result.device,
        "projector": result.projector,
        "mtre_mm": result.mtre_mm,
        "stopped": result.stopped,
        "config": result.config,
        "versions": result.versions,
        "weights": None if result.weights is None else dict(result.weights),
        "warnings": list(result.warnings),
    }
    values: dict[str, Any] = plain(content)
    return values


def write_result_json(path: Path, result: Result) -> None:
    """Writes result.json."""
    text = json.dumps(result_to_dict(result), indent=1, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def drr_file_names(view_count: int) -> list[str]:
    """drr.nrrd for the first view, drr_2.nrrd for the second, and so on."""
    return ["drr.nrrd", *(f"drr_{number}.nrrd" for number in range(2, view_count + 1))]


def write_together(folder: Path, write_files: Callable[[Path], None]) -> None:
    """Lets a function write files into a scratch folder and moves them to their place when all are there.

    A crash while writing leaves nothing behind in ``folder``. Older outputs of the same names are replaced,
    result.json or bones.json last, so that a folder with one is complete. Of other files in the folder none is touched,
    but for those that an earlier result left there and the new one lacks: DRRs of more views, a DICOM registration, and
    what one body leaves where there are several bones now, or the other way round.

    Args:
        folder: where the files shall be; its parents are made.
        write_files: is given the scratch folder.

    Raises:
        NotWritten: where the folder cannot be written.
    """
    with ExitStack() as stack:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            scratch = stack.enter_context(scratch_folder(folder.parent))
        except OSError as error:
            raise NotWritten(
                f"The output folder {folder} is not writable ({error.strerror}). Choose another."
            ) from error
        _write_and_move(folder, scratch, write_files)


def _write_and_move(folder: Path, scratch: Path, write_files: Callable[[Path], None]) -> None:
    try:
        write_files(scratch)
        with undisturbed():
            _move(scratch, folder)
    except OSError as error:
        raise NotWritten(f"The results cannot be written into {folder}. {system_refusal(error)}") from error


def _move(scratch: Path, folder: Path) -> None:
    """Moves all files of a folder into another in place of those of an earlier result."""
    folder.mkdir(exist_ok=True)
    new = sorted(scratch.iterdir(), key=lambda file: file.name in _MARKS)
    in_the_way = [folder / file.name for file in new if (folder / file.name).is_dir()]
    if in_the_way:
        raise NotWritten(f"The results cannot be written: {in_the_way[0]} is a folder. Remove or rename it.")
    stale = _stale(folder, {file.name for file in new})
    for mark in (folder / name for name in _MARKS):
        if mark.is_file():
            mark.unlink()
    for file in stale:
        file.unlink(missing_ok=True)
    for file in new:
        file.replace(folder / file.name)


def remove_result(folder: Path) -> None:
    """Removes the files that an earlier result left in a folder, and the folder if it holds nothing else.

    Raises:
        NotWritten: where they cannot be removed.
    """
    stale = sorted(_stale(folder, set()), key=lambda file: file.name not in _MARKS)
    if not stale:
        return
    try:
        with undisturbed():
            for file in stale:
                file.unlink()
            if not any(folder.iterdir()):
                folder.rmdir()
    except OSError as error:
        raise NotWritten(f"The earlier results in {folder} cannot be removed. {system_refusal(error)}") from error


def result_folder_faults(folder: Path, advice: str) -> list[str]:
    """Reasons in words why the files of a result could not be written into a folder.

    Args:
        folder: may exist or not.
        advice: what to try, a sentence for the user of this door.
    """
    faults = output_folder_faults(folder, advice)
    if faults or not folder.is_dir():
        return faults
    return [
        f"The result {file} cannot be written: a folder has its name. {advice}"
        for file in sorted(folder.iterdir())
        if file.is_dir() and _is_of_result(file)
    ]


def files_of_result(folder: Path) -> list[Path]:
    """The files in a folder, which may not exist, that have the names of a result's."""
    return sorted(filter(_is_of_result, folder.iterdir())) if folder.is_dir() else []


def _stale(folder: Path, new: set[str]) -> list[Path]:
    """The files that an earlier result left and the new one lacks; nobody else's, whatever they are called."""
    has_result, has_bones = ((folder / mark).is_file() for mark in _MARKS)
    if not (has_result or has_bones):
        return []
    ours = (
        file
        for file in folder.iterdir()
        if (has_result and _is_of_result(file)) or (has_bones and file.name in _OF_BONES)
    )
    return [file for file in ours if file.is_file() and file.name not in new]


def _is_of_result(file: Path) -> bool:
    return file.name in _OURS or _IS_DRR.fullmatch(file.name) is not None


def plain(value: Any) -> Any:
    """The value as JSON can hold it: numbers that are not finite become None, tuples lists, keys texts."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
