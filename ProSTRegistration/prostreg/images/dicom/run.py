"""A run of X-ray frames in one DICOM file, or in a folder with a file for each: its times, and any frame's pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import pydicom
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.dicom.frame_folder import frame_folder
from prostreg.images.dicom.frame_times import frame_times_s
from prostreg.images.dicom.opening import is_dicom
from prostreg.images.dicom.pixels import PixelLayout, frame_count, pixel_layout, stored_values
from prostreg.images.dicom_geometry.frame_tags import FrameTags
from prostreg.images.dicom_geometry.standing_camera import standing_frames
from prostreg.images.dicom_tags import Tags, read_dataset, read_header, whole_number_of, words_of
from prostreg.images.formats.stored_image import quoted
from prostreg.images.library_messages import quiet_libraries

MOST_DECODED = 64
MOST_PIXELS_DECODED = 1 << 25
"""Frames and pixels that are decoded at once: each child process takes half a second to start."""


class XRayRun:
    """The frames of a run; blocks of them are decoded when one is first asked for.

    Args:
        path: of the file, or of the folder with a file for each frame.

    Raises:
        InputError: it is no DICOM run, or one frame is all that it has.
    """

    def __init__(self, path: Path) -> None:
        with quiet_libraries():
            self._source: _Source = _FolderSource(path) if path.is_dir() else _FileSource(path)
            self._name, self.count, self.times_s = self._source.name, self._source.count, self._source.times_s
            if self.count == 1:
                raise InputError(f"{self._name} has 1 frame: give a run of several, or register it.")
            self._samples, shape = self._source.samples_and_shape()
        self._block_frames = int(np.clip(MOST_PIXELS_DECODED // (shape[0] * shape[1]), 1, MOST_DECODED))
        self._first, self._values = 0, np.empty((0, 0, 0))
        self._damaged: set[int] = set()

    def frame(self, number: int) -> NDArray[np.float32]:
        """Pixels (height, width) of a frame, counted from 1; (height, width, channels) where it is stored in colours.

        Raises:
            InputError: it cannot be decoded.
        """
        if not 1 <= number <= self.count:
            raise InputError(f"{self._name} has {self.count} frames, and frame {number} was asked for.")
        if not self._first <= number - 1 < self._first + len(self._values):
            self._decode(number - 1)
        values = np.asarray(self._values[number - 1 - self._first], dtype=np.float32)
        return values if self._samples == 1 else by_channels(values, self._source.tags(number), self._samples)

    def refuse_moving(self, first: int, asked: tuple[int, int]) -> None:
        """Refuses frames between which the C-arm moved: one camera stands for all that are tracked.

        Args:
            first: the frame that is registered, counted from 1.
            asked: the first and the last one, that among them.

        Raises:
            InputError: by the tags, distances, pixels or angles are others in some of them.
        """
        with quiet_libraries():
            still = standing_frames(self._source.tags, first, asked)
        if still != asked:
            about = f"frame {first}" if still[0] == still[1] else f"frames {still[0]} to {still[1]}"
            raise InputError(
                f"{self._name}: by its tags the C-arm moved between frames {asked[0]} and {asked[1]}, and a track needs"
                f" one that stands still: it is as in frame {first} in {about} only. Ask for these by --frames, or for"
                " others about another --first-frame."
            )

    def _decode(self, index: int) -> None:
        """Decodes the block of a frame; the frame alone where that cannot be decoded, for another may be damaged."""
        first = index // self._block_frames * self._block_frames
        if first not in self._damaged:
            try:
                return self._decode_part((first, min(self._block_frames, self.count - first)))
            except InputError:
                self._damaged.add(first)
        return self._decode_part((index, 1))

    def _decode_part(self, part: tuple[int, int]) -> None:
        with quiet_libraries():
            images = self._source.images(part, self._samples)
        values = stored_values(images)
        self._first, self._values = part[0], np.concatenate([values[name] for name in images])


class _Source(Protocol):
    """A run as it is stored."""

    name: str
    count: int
    times_s: tuple[float, ...] | None

    def samples_and_shape(self) -> tuple[int, tuple[int, int]]:
        """Values per pixel, and (rows, values in a row) of a frame."""

    def tags(self, number: int) -> Tags:
        """The tags of a frame, counted from 1."""

    def images(self, part: tuple[int, int], samples: int) -> dict[str, tuple[pydicom.Dataset, PixelLayout]]:
        """The pixels of some frames in their order, by names for messages: the first one's index, and how many."""


class _FileSource:
    """A run in one file."""

    def __init__(self, path: Path) -> None:
        self.name = f"The X-ray {path.name}"
        dataset = read_dataset(path) if path.is_file() and is_dicom(path) else None
        if dataset is None:
            raise InputError(
                f"{self.name} is no DICOM run: to be tracked, frames have to be in one DICOM file, or in a folder with"
                " a DICOM file for each."
            )
        self._dataset, self.count = dataset, frame_count(dataset)
        self.times_s = frame_times_s(dataset, self.count)

    def samples_and_shape(self) -> tuple[int, tuple[int, int]]:
        samples = samples_of(self._dataset, self.name)
        return samples, pixel_layout(self._dataset, self.name, (0, 1), samples).shape[1:]

    def tags(self, number: int) -> Tags:
        return FrameTags(self._dataset, number - 1, self.count)

    def images(self, part: tuple[int, int], samples: int) -> dict[str, tuple[pydicom.Dataset, PixelLayout]]:
        return {self.name: (self._dataset, pixel_layout(self._dataset, self.name, part, samples))}


class _FolderSource:
    """A run in a folder; files are read when their frames are asked for, for a damaged one costs only its frame."""

    def __init__(self, folder: Path) -> None:
        found = frame_folder(folder)
        self.name, self.count, self.times_s = found.name, len(found.paths), found.times_s
        self._paths, self._size = found.paths, found.size

    def samples_and_shape(self) -> tuple[int, tuple[int, int]]:
        rows, columns = self._size
        samples = samples_of(self._dataset(0), self.name)
        return samples, (rows, columns * samples)

    def tags(self, number: int) -> Tags:
        header = read_header(self._paths[number - 1])
        if header is None:
            raise InputError(self._fault(number - 1))
        return FrameTags(header, 0, 1)

    def images(self, part: tuple[int, int], samples: int) -> dict[str, tuple[pydicom.Dataset, PixelLayout]]:
        found = {}
        for index in range(part[0], sum(part)):
            dataset, name = self._dataset(index), f"The X-ray {self._paths[index].name}, frame {index + 1},"
            found[name] = dataset, pixel_layout(dataset, name, (0, 1), samples)
        return found

    def _dataset(self, index: int) -> pydicom.Dataset:
        """A whole file, which may be another one now than when the run was looked at."""
        dataset = read_dataset(self._paths[index])
        if dataset is None or tuple(whole_number_of(dataset, k, 0) for k in ("Rows", "Columns")) != self._size:
            raise InputError(self._fault(index))
        return dataset

    def _fault(self, index: int) -> str:
        return f"The X-ray {self._paths[index].name}, frame {index + 1}, is no longer as it was: leave the run alone."


def samples_of(dataset: pydicom.Dataset, name: str) -> int:
    """Values per pixel: 1, or 3 of an uncompressed picture, as frame grabbers store greys.

    Raises:
        InputError: other colours, or compressed ones.
    """
    samples = whole_number_of(dataset, "SamplesPerPixel", 1)
    if samples == 1:
        return 1
    is_plain = not pixel_layout(dataset, name, (0, 1)).is_compressed
    kind = quoted(" ".join(words_of(dataset, "PhotometricInterpretation")))
    if samples != 3 or not is_plain or kind != quoted("RGB"):
        how, advice = (kind, "") if is_plain else ("compressed", ", or export it uncompressed")
        raise InputError(
            f"{name} is stored in colours ({samples} values per pixel, {how}): give the grey-value image{advice}."
        )
    return samples


def by_channels(values: NDArray[np.float32], tags: Tags, samples: int) -> NDArray[np.float32]:
    """Rows of colours (height, width, channels), stored pixel by pixel or plane by plane."""
    rows, width = values.shape
    if whole_number_of(tags, "PlanarConfiguration", 0) == 1:
        return np.ascontiguousarray(np.moveaxis(values.reshape(samples, rows, width // samples), 0, -1))
    return values.reshape(rows, width // samples, samples)
