"""A run of X-ray frames in one DICOM file: its length, its times, and the pixels of any of its frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.dicom.opening import is_dicom
from prostreg.images.dicom.pixels import frame_count, pixel_layout, stored_values
from prostreg.images.dicom_geometry.standing_camera import standing_frames
from prostreg.images.dicom_tags import Tags, number_within, numbers_of, read_dataset, whole_number_of, words_of
from prostreg.images.formats.stored_image import quoted
from prostreg.images.library_messages import quiet_libraries

MOST_DECODED = 64
MOST_PIXELS_DECODED = 1 << 25
"""Frames and pixels that are decoded at once: each child process takes half a second to start."""

_LONGEST_STEP_MS = 60_000.0


class XRayRun:
    """The frames of one file; blocks of them are decoded when one is first asked for.

    Args:
        path: of the file.

    Raises:
        InputError: it is no DICOM file, or one frame is all that it has.
    """

    def __init__(self, path: Path) -> None:
        self._name = f"The X-ray {path.name}"
        with quiet_libraries():
            dataset = read_dataset(path) if path.is_file() and is_dicom(path) else None
            if dataset is None:
                raise InputError(f"{self._name} is no DICOM run: to be tracked, frames have to be in one DICOM file.")
            self._dataset, self.count = dataset, frame_count(dataset)
            if self.count == 1:
                raise InputError(f"{self._name} has 1 frame: give a run of several, or register it.")
            self._samples = samples_of(dataset, self._name)
            self.times_s = frame_times_s(dataset, self.count)
            shape = pixel_layout(dataset, self._name, (0, 1), self._samples).shape
        self._block_frames = int(np.clip(MOST_PIXELS_DECODED // (shape[1] * shape[2]), 1, MOST_DECODED))
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
        return values if self._samples == 1 else by_channels(values, self._dataset, self._samples)

    def refuse_moving(self, first: int, asked: tuple[int, int]) -> None:
        """Refuses frames between which the C-arm moved: one camera stands for all that are tracked.

        Args:
            first: the frame that is registered, counted from 1.
            asked: the first and the last one, that among them.

        Raises:
            InputError: by the tags, distances, pixels or angles are others in some of them.
        """
        with quiet_libraries():
            still = standing_frames(self._dataset, first, asked, self.count)
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
            layout = pixel_layout(self._dataset, self._name, part, self._samples)
        self._first, self._values = part[0], stored_values({self._name: (self._dataset, layout)})[self._name]


def frame_times_s(tags: Tags, count: int) -> tuple[float, ...] | None:
    """Seconds of each frame since the first one; None where the tags do not tell."""
    steps_ms = np.array(numbers_of(tags, "FrameTimeVector", count))
    if len(steps_ms) and (steps_ms >= 0).all() and steps_ms[1:].any():
        return tuple(float(time) for time in np.cumsum([0.0, *steps_ms[1:]]) / 1000)
    step_ms = number_within(tags, "FrameTime", 0.0, _LONGEST_STEP_MS)
    if not step_ms:
        rate = number_within(tags, "CineRate", 1000 / _LONGEST_STEP_MS, 1e4)
        step_ms = 1000 / rate if rate else None
    return tuple(number * step_ms / 1000 for number in range(count)) if step_ms else None


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


def by_channels(values: NDArray[np.float32], dataset: pydicom.Dataset, samples: int) -> NDArray[np.float32]:
    """Rows of colours (height, width, channels), stored pixel by pixel or plane by plane."""
    rows, width = values.shape
    if whole_number_of(dataset, "PlanarConfiguration", 0) == 1:
        return np.ascontiguousarray(np.moveaxis(values.reshape(samples, rows, width // samples), 0, -1))
    return values.reshape(rows, width // samples, samples)
