"""A run whose frames are DICOM files of their own, in one folder: which they are, in which order, and when taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from prostreg.errors import FaultList, InputError
from prostreg.images.dicom.folder_series import (
    Series,
    files_in,
    images_by_series,
    kinds_in,
    listed_series,
    unread_files,
)
from prostreg.images.dicom.frame_times import ACQUISITION, CLOCK_TAGS, CONTENT, STEP_TAGS, clock_times_s, frame_times_s
from prostreg.images.dicom.pixels import frame_count
from prostreg.images.dicom.projections import kind_of_no_projection
from prostreg.images.dicom_tags import numbers_of, whole_number_of, words_of
from prostreg.images.library_messages import quiet_libraries

_NUMBER = "InstanceNumber"
_OF_ONE_PATIENT = {"PatientID": "patients", "StudyInstanceUID": "studies"}
"""Values are compared, and told to nobody."""

_STORED_ALIKE = ("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration")
_TAGS = (_NUMBER, "ImagePositionPatient", *_OF_ONE_PATIENT, *_STORED_ALIKE, *CLOCK_TAGS, *STEP_TAGS)


@dataclass(frozen=True, eq=False)
class FrameFolder:
    """The frames of a run, one in each file.

    Attributes:
        name: of the folder, for messages.
        paths: of the files, in the order in which the frames were taken.
        size: (rows, columns) of each of them.
        times_s: seconds of each frame since the first one; None where the tags do not tell.
        notes: sentences on files that cannot be read, and on frames that are not counted from 1 on.
    """

    name: str
    paths: tuple[Path, ...]
    size: tuple[int, int]
    times_s: tuple[float, ...] | None
    notes: tuple[str, ...]


def frame_folder(folder: Path) -> FrameFolder:
    """The run in a folder and its subfolders: one series of X-rays with one frame each.

    Frames are ordered by InstanceNumber (0020,0013), or by the time at which they were taken where one has none.

    Raises:
        InputError: no or several series, frames of different sizes or patients, or an order that is not told.
    """
    name = f"The X-ray folder {folder.name or folder}"
    with quiet_libraries():  # tags are parsed where they are asked for
        files = files_in(folder, name, "run")
        series = _one_series(folder, name, files)
        _refuse_mixture(series, name)
        ordered, numbers = _in_order(series, folder, name)
        headers = [header for _, header in ordered]
        unread = unread_files(files, {path for path, _ in series})
        rows, columns = (whole_number_of(headers[0], keyword, 0) for keyword in ("Rows", "Columns"))
        times_s = _times_s(headers, is_whole=not _has_gaps(numbers) and unread is None)
    lacking = None if unread is None else f"{unread} in {_inside(name)} cannot be read as DICOM: frames may be missing."
    notes = tuple(note for note in (_count_note(numbers, name), lacking) if note is not None)
    return FrameFolder(name, tuple(path for path, _ in ordered), (rows, columns), times_s, notes)


def _one_series(folder: Path, name: str, files: Sequence[Path]) -> Series:
    found = images_by_series(files, _TAGS)
    runs = {key: images for key, images in found.items() if _is_run(images)}
    if not runs:
        said = kinds_in(found)
        only = f", and this one has only other images ({said})" if said else ""
        raise InputError(
            f"The X-ray {folder} is a folder: give the file in it that shows the view. Only a folder with the frames of"
            f" one run, each a DICOM X-ray of its own, is read{only}."
        )
    if len(runs) > 1:
        raise InputError(
            f"{name} contains {len(runs)} series ({listed_series(runs, 'frames')}): keep one run in the folder, or give"
            " the file that shows the view."
        )
    return next(iter(runs.values()))


def _is_run(images: Series) -> bool:
    """True for what a C-arm may have taken; slices of a volume each have a place in the patient of their own."""
    places = {tuple(numbers_of(header, "ImagePositionPatient", 3)) for _, header in images} - {()}
    return kind_of_no_projection(images[0][1]) is None and len(places) < 2


def _refuse_mixture(series: Series, name: str) -> None:
    faults, headers = FaultList(), [header for _, header in series]
    several = [(path, header) for path, header in series if frame_count(header) > 1]
    if several:
        path, header = several[0]
        raise InputError(
            f"{name} holds {path.name}, which has {frame_count(header)} frames itself: give that file, a folder is read"
            " where each file has one."
        )
    for keyword, of in _OF_ONE_PATIENT.items():
        if len({words for header in headers if (words := tuple(words_of(header, keyword)))}) > 1:
            faults.add(f"{name} has frames of different {of} ({keyword}): keep one run in the folder.")
    sizes = {tuple(whole_number_of(header, keyword, 0) for keyword in ("Columns", "Rows")) for header in headers}
    if len(sizes) > 1:
        listed = ", ".join(f"{width} x {height}" for width, height in sorted(sizes))
        faults.add(f"{name} has frames of different sizes ({listed} pixels): keep one run in the folder.")
    for keyword in _STORED_ALIKE:
        if len({tuple(words_of(header, keyword)) for header in headers}) > 1:
            faults.add(f"{name} has frames that are stored in different ways ({keyword}): export the run anew.")
    faults.raise_if_any()


def _in_order(series: Series, folder: Path, name: str) -> tuple[Series, list[int]]:
    """Frames in the order in which they were taken, and their numbers; none where these do not tell the order."""
    numbers = [_instance_number(header) for _, header in series]
    known = [number for number in numbers if number is not None]
    if len(known) < len(series):
        times_s = clock_times_s([header for _, header in series], (*ACQUISITION, *CONTENT))
        if times_s is None and len(series) > 1:
            raise InputError(
                f"{name} does not tell in which order its {len(series)} frames were taken: {len(series) - len(known)}"
                f" have no {_NUMBER}, and no time tells all of them apart. Export the run anew."
            )
        return ([series[index] for index in np.argsort(times_s)] if times_s is not None else series), []
    order = sorted(range(len(series)), key=lambda index: known[index])
    ordered, counted = [series[index] for index in order], [known[index] for index in order]
    for (one, _), (other, _), number, following in zip(ordered, ordered[1:], counted, counted[1:], strict=False):
        if number == following:
            raise InputError(
                f"{name} has the {_NUMBER} {number} twice, in {one.relative_to(folder).as_posix()} and"
                f" {other.relative_to(folder).as_posix()}, as of several runs or of copies: keep one run in the folder."
            )
    return ordered, counted


def _instance_number(header: pydicom.Dataset) -> int | None:
    numbers = numbers_of(header, _NUMBER, 1)
    return int(numbers[0]) if numbers else None


def _has_gaps(numbers: Sequence[int]) -> bool:
    return bool(numbers) and numbers[-1] - numbers[0] != len(numbers) - 1


def _count_note(numbers: Sequence[int], name: str) -> str | None:
    """A sentence where frame 7 of a device is not the one that is counted as such."""
    if not numbers or (numbers[0] == 1 and not _has_gaps(numbers)):
        return None
    gaps = ", and some of these are not there" if _has_gaps(numbers) else ""
    return (
        f"{name} has frames with {_NUMBER} {numbers[0]} to {numbers[-1]}{gaps}: they are counted from 1 to"
        f" {len(numbers)}, in that order."
    )


def _times_s(headers: Sequence[pydicom.Dataset], is_whole: bool) -> tuple[float, ...] | None:
    """By the clock, or by the step from frame to frame; the time of the content may be that of an export."""
    by_steps = frame_times_s(headers[0], len(headers)) if is_whole else None
    for time_s in (clock_times_s(headers, ACQUISITION), by_steps, clock_times_s(headers, CONTENT)):
        if time_s is not None and (np.diff(time_s) > 0).all():
            return tuple(float(one) for one in time_s)
    return None


def _inside(name: str) -> str:
    return name[0].lower() + name[1:]
