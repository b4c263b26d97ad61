"""DICOM images in a folder and its subfolders, by the series that they belong to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pydicom

from prostreg.errors import InputError
from prostreg.images.dicom.opening import DICOM_SUFFIXES, is_dicom
from prostreg.images.dicom_tags import read_header, value_of, whole_number_of, words_of
from prostreg.images.formats.stored_image import quoted, unreadable

MOST_FILES = 50_000
"""In a folder with a scan; whole disks have more."""

SERIES_TAGS = ("SeriesInstanceUID", "SeriesNumber", "Modality", "ImageType", "Rows", "Columns", "NumberOfFrames")

Series = list[tuple[Path, pydicom.Dataset]]
"""The files of a series, each with the tags that were asked for."""


def files_in(folder: Path, name: str, of: str) -> list[Path]:
    """Files in a folder and its subfolders, in the order of their names.

    Args:
        name: of the folder, for messages.
        of: the thing that the folder should hold alone.

    Raises:
        InputError: they are too many, or the system does not let them be looked at.
    """
    files = []
    try:
        for path in folder.rglob("*"):
            if path.is_file():
                files.append(path)
            if len(files) > MOST_FILES:
                raise InputError(f"{name} holds more than {MOST_FILES} files: give that of the {of}.")
    except OSError as error:
        raise InputError(unreadable(f"{name}, in it {error.filename},", error)) from None
    return sorted(files)


def images_by_series(files: Sequence[Path], keywords: Sequence[str]) -> dict[str, Series]:
    """Headers of images by series and kind, which careless programs mix in one; no localizers.

    Args:
        keywords: of the tags that are read, beside the `SERIES_TAGS`.
    """
    series: dict[str, Series] = {}
    for path in files:
        header = read_header(path, [*SERIES_TAGS, *keywords]) if is_dicom(path) else None
        if header is None or value_of(header, "Rows") is None:
            continue
        if "LOCALIZER" not in words_of(header, "ImageType"):
            key = f"{value_of(header, 'SeriesInstanceUID')} {words_of(header, 'Modality')}"
            series.setdefault(key, []).append((path, header))
    return series


def modality_of(series: Series) -> str:
    """The modality of a series, "" where it tells none."""
    return " ".join(words_of(series[0][1], "Modality"))


def listed_series(series: Mapping[str, Series], images: str) -> str:
    """Series by number and length: descriptions are free text, in which names of patients are found."""
    told = []
    for one in series.values():
        number = whole_number_of(one[0][1], "SeriesNumber", 0)
        count = sum(_frames(header) for _, header in one)
        told.append(f"{f'number {number} with ' if number else ''}{count} {images}")
    return "; ".join(told)


def kinds_in(series: Mapping[str, Series]) -> str:
    """The images of some series, counted by their kind: "12 x MR, 1 x XA with 9 frames"."""
    counts: dict[str, int] = {}
    for one in series.values():
        for _, header in one:
            frames, modality = _frames(header), modality_of(one)
            kind = (modality if modality.isalnum() and len(modality) <= 16 else quoted(modality)) + (
                f" with {frames} frames" if frames > 1 else ""
            )
            counts[kind] = counts.get(kind, 0) + 1
    return ", ".join(f"{count} x {kind}" for kind, count in counts.items())


def unread_files(files: Sequence[Path], known: Collection[Path]) -> str | None:
    """The names of files that are named as DICOM and are none, as a copy that was interrupted leaves them."""
    others = [path for path in files if path not in known and path.suffix.lower() in DICOM_SUFFIXES]
    unread = [path for path in others if read_header(path, []) is None]
    if not unread:
        return None
    return unread[0].name if len(unread) == 1 else f"{unread[0].name} and {len(unread) - 1} more"


def _frames(header: pydicom.Dataset) -> int:
    return max(1, whole_number_of(header, "NumberOfFrames", 1))
