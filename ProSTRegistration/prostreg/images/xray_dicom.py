"""X-ray images from DICOM: stored pixels of one frame, and what the tags tell about polarity and C-arm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from prostreg.choices import Polarity
from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.images.dicom.frame_folder import frame_folder
from prostreg.images.dicom.padding import shown_part
from prostreg.images.dicom.pixels import frame_count, pixel_layout, stored_values
from prostreg.images.dicom.polarity import polarity_by_tags
from prostreg.images.dicom.projections import kind_of_no_projection
from prostreg.images.dicom.run import by_channels, samples_of
from prostreg.images.dicom.shutter import open_part
from prostreg.images.dicom.subtraction import subtraction_note
from prostreg.images.dicom_geometry.carm_from_dicom import carm_from_dicom, said_of_carm
from prostreg.images.dicom_geometry.carm_numbers import CArmNumber, carm_numbers
from prostreg.images.dicom_geometry.frame_tags import FrameTags
from prostreg.images.dicom_geometry.viewing_side import ViewingSide, viewing_side
from prostreg.images.dicom_tags import read_dataset, whole_number_of, words_of
from prostreg.images.frames import ONE_FRAME, Frames, chosen_frames
from prostreg.images.library_messages import quiet_libraries

_MOVED = "{name}: the C-arm moved from frame {frames.first} to {frames.last}: take one frame."


@dataclass(frozen=True, eq=False)
class DicomXRay:
    """One frame, or the mean of several, as its file stores it.

    Attributes:
        pixels: (height, width) as stored; (height, width, channels) where it is stored in colours.
        carm, polarity: None where the tags do not tell.
        note: what has to be said of the C-arm, or what it lacks.
        polarity_note: what has to be said of the polarity.
        side: the side from which it is seen.
        open_part: (height, width) True where no shutter covers it; None where none does.
        notes: what has to be said of frame, shutter and subtraction.
        numbers: each number of the C-arm that the tags tell.
        frames: that were read.
    """

    pixels: NDArray[np.float32]
    carm: CArm | None
    polarity: Polarity | None
    note: str | None
    polarity_note: str | None
    side: ViewingSide
    open_part: NDArray[np.bool_] | None
    notes: tuple[str, ...]
    numbers: tuple[CArmNumber, ...]
    frames: Frames = ONE_FRAME


def read_dicom_xray(path: Path, wanted: Frames | None = None) -> DicomXRay:
    """Reads an image of one frame, or one frame of a run: no other is decoded.

    Args:
        wanted: frames; None for the one that the file calls representative, or else the middle one.

    Raises:
        InputError: no X-ray, true colours, no pixels, pixels that cannot be decoded, or frames that the file does not
            have.
    """
    name = f"The X-ray {path.name}"
    with quiet_libraries():
        dataset = read_dataset(path)
        if dataset is None:
            raise InputError(f"{name} is not a readable DICOM file: export it anew.")
        _refuse_other_kind(dataset, name)
        frames, frame_note = _frames(dataset, name, wanted)
        tags = FrameTags(dataset, frames.first - 1, frame_count(dataset))
        _refuse_moving(dataset, frames, name)
        samples = samples_of(dataset, name)
        _refuse_palette(dataset, name)
        layout = pixel_layout(dataset, name, (frames.first - 1, frames.count), samples)
        polarity, polarity_note = polarity_by_tags(tags)
        carm, note, side = carm_from_dicom(tags), said_of_carm(tags), viewing_side(tags)
        inside, shutter_note = open_part(tags, (layout.shape[1], layout.shape[2] // samples))
        numbers = carm_numbers(tags)
    values = stored_values({name: (dataset, layout)})[name]
    shown, padding_note = shown_part(values[0], tags)
    inside = shown if inside is None else inside if shown is None else inside & shown
    notes = (frame_note, tags.said, subtraction_note(tags), shutter_note, padding_note)
    pixels = _mean(values) if samples == 1 else by_channels(_mean(values), dataset, samples)
    said = tuple(sentence for sentence in notes if sentence is not None)
    return DicomXRay(pixels, carm, polarity, note, polarity_note, side, inside, said, numbers, frames)


def read_folder_xray(folder: Path, wanted: Frames | None = None) -> DicomXRay:
    """Reads one frame of a run whose frames are files of their own, or the mean of some; no other file is decoded.

    Args:
        wanted: frames; None for the middle one.

    Raises:
        InputError: as `read_dicom_xray` and `frame_folder`.
    """
    run = frame_folder(folder)
    frames, frame_note = chosen_frames(run.name, len(run.paths), wanted, None)
    images = [read_dicom_xray(path) for path in run.paths[frames.first - 1 : frames.last]]
    first = images[0]
    if any(_moved(first.numbers, image.numbers) for image in images):
        raise InputError(_MOVED.format(name=run.name, frames=frames))
    pixels = first.pixels if len(images) == 1 else _mean(np.stack([image.pixels for image in images]))
    notes = tuple(note for note in (frame_note, *run.notes, *first.notes) if note is not None)
    return replace(first, pixels=pixels, notes=notes, frames=frames)


def _frames(dataset: pydicom.Dataset, name: str, wanted: Frames | None) -> tuple[Frames, str | None]:
    representative = whole_number_of(dataset, "RepresentativeFrameNumber", 0)
    return chosen_frames(name, frame_count(dataset), wanted, representative or None)


def _refuse_other_kind(dataset: pydicom.Dataset, name: str) -> None:
    kind = kind_of_no_projection(dataset)
    if kind is not None:
        raise InputError(f"{name} is no X-ray of a C-arm, its Modality is {kind}: give one of XA, RF, DX or CR.")


def _refuse_palette(dataset: pydicom.Dataset, name: str) -> None:
    if words_of(dataset, "PhotometricInterpretation") == ["PALETTE COLOR"]:
        raise InputError(f"{name} is stored by a palette of colours: export it in grey values (MONOCHROME2).")


def _refuse_moving(dataset: pydicom.Dataset, frames: Frames, name: str) -> None:
    """Refuses a mean of frames between which the C-arm moved."""
    if frames.count == 1:
        return
    first, last = (carm_numbers(FrameTags(dataset, n - 1, frame_count(dataset))) for n in (frames.first, frames.last))
    if _moved(first, last):
        raise InputError(_MOVED.format(name=name, frames=frames))


def _moved(one: Iterable[CArmNumber], other: Iterable[CArmNumber]) -> bool:
    return [number.value for number in one] != [number.value for number in other]


def _mean(values: NDArray[Any]) -> NDArray[np.float32]:
    mean = values[0] if len(values) == 1 else values.mean(axis=0, dtype=np.float64)
    return np.asarray(mean, dtype=np.float32)
