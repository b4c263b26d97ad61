"""Times of a run's frames: by its steps from frame to frame, or by the clock where each frame is a file of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from prostreg.images.dicom_tags import Tags, number_within, numbers_of, value_of

_LONGEST_STEP_MS = 60_000.0
_DAY_S = 86_400.0

ACQUISITION = (("AcquisitionDateTime",), ("AcquisitionDate", "AcquisitionTime"))
CONTENT = (("ContentDate", "ContentTime"),)
"""Clocks, by the tags that tell them."""

CLOCK_TAGS = tuple(keyword for clock in (*ACQUISITION, *CONTENT) for keyword in clock)
STEP_TAGS = ("FrameTime", "CineRate")

_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2})(?::?(\d{2}(?:\.\d{1,9})?))?")


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


def clock_times_s(frames: Sequence[Tags], clocks: Sequence[tuple[str, ...]]) -> NDArray[np.float64] | None:
    """Seconds of each file's frame since the first file's, by the first clock that tells all of them apart.

    What all frames have in common is the time of the run. None where no clock tells them apart.
    """
    for clock in clocks:
        told = [_moment(tags, clock) for tags in frames]
        moments = [moment for moment in told if moment is not None]
        if len(moments) == len(frames) and len(set(moments)) == len(moments):
            first_day, first_s = moments[0]
            return np.array([(day - first_day) * _DAY_S + second - first_s for day, second in moments])
    return None


def _moment(tags: Tags, clock: tuple[str, ...]) -> tuple[int, float] | None:
    """Day, 0 where no date is told, and second of that day; None where no time is told."""
    texts = [str(value_of(tags, keyword) or "") for keyword in clock]
    date_text, time_text = texts if len(texts) == 2 else (texts[0][:8], texts[0][8:])
    time = _TIME.match(time_text)
    if time is None:
        return None
    return _day(_DATE.match(date_text)), 3600.0 * int(time[1]) + 60.0 * int(time[2]) + float(time[3] or 0.0)


def _day(found: re.Match[str] | None) -> int:
    try:
        return 0 if found is None else date(int(found[1]), int(found[2]), int(found[3])).toordinal()
    except ValueError:  # no day of any calendar
        return 0
