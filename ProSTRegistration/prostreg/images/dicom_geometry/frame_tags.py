"""The tags of one frame of a run: what functional groups and lists with a value for each frame tell of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from prostreg.images.dicom_tags import Tags, items_of, number_within, numbers_of, value_of

_STANDS_FOR = {
    "FieldOfViewDimensions": "FieldOfViewDimensionsInFloat",
    "DistanceSourceToPatient": "DistanceSourceToIsocenter",
}
"""Enhanced images have other names for the same."""

_MOVED_DEG = 0.1
_EVEN_SHARE = 0.25


class FrameTags:
    """The tags of one frame, by keyword: its own functional groups go before those of all frames and the file's own.

    Args:
        tags: of the file.
        index: of the frame, 0 for the first.
        frames: in the file.
    """

    def __init__(self, tags: Tags, index: int, frames: int) -> None:
        self._tags, self._index, self._frames = tags, index, frames
        own = items_of(tags, "PerFrameFunctionalGroupsSequence")
        shared = items_of(tags, "SharedFunctionalGroupsSequence")
        groups = [*(own[index : index + 1] if len(own) == frames else []), *shared[:1]]
        self._parts: list[Tags] = [part for group in groups for part in _inner_items(group)]
        self._angles: dict[str, float | None] = {
            f"Positioner{axis}Angle": None if self._parts else self._angle(axis) for axis in ("Primary", "Secondary")
        }

    def get(self, keyword: str, /) -> Any:
        """A value, a list of several, or None."""
        angle = self._angles.get(keyword)
        if angle is not None:
            return angle
        for name in filter(None, (keyword, _STANDS_FOR.get(keyword))):
            for part in (*self._parts, self._tags):
                found = value_of(part, name)
                if found is not None:
                    return found
        return None

    @property
    def said(self) -> str | None:
        """A sentence where the C-arm turned during the run."""
        moved = [
            angle - (number_within(self._tags, keyword, -180.0, 180.0) or 0.0)
            for keyword, angle in self._angles.items()
            if angle is not None
        ]
        if not moved:
            return None
        turned = "has not turned since the first" if max(map(abs, moved)) < _MOVED_DEG else "has turned since the first"
        return (
            f"The C-arm turned during the run; by its increments it {turned} frame when frame {self._index + 1} was"
            " taken. Devices count increments in more than one way: check the angles."
        )

    def _angle(self, axis: str) -> float | None:
        """The positioner's angle by its increments; None where there are none."""
        increments = _numbers(self._tags, f"Positioner{axis}AngleIncrement", self._frames)
        start = number_within(self._tags, f"Positioner{axis}Angle", -180.0, 180.0)
        if increments is None or start is None or not np.any(increments):
            return None
        return _angle_by(start, increments, self._index)


def _angle_by(start: float, increments: NDArray[np.float64], index: int) -> float:
    """The angle of a frame, in the way of counting that the increments look like.

    One number, or equal ones, are steps from frame to frame. Others count from the first frame, unless they begin with
    the start angle itself: then they are the angles.
    """
    if increments.size == 1:
        return start + index * float(increments[0])
    steps = increments[1:]
    if np.ptp(steps) <= _EVEN_SHARE * np.abs(steps).max():
        return start + float(steps[:index].sum())
    if abs(start) >= 1.0 and abs(increments[0] - start) < _MOVED_DEG:
        return float(increments[index])
    return start + float(increments[index])


def _numbers(tags: Tags, keyword: str, frames: int) -> NDArray[np.float64] | None:
    found = numbers_of(tags, keyword, 1) or numbers_of(tags, keyword, frames)
    return np.array(found) if found else None


def _inner_items(group: pydicom.Dataset) -> list[Tags]:
    """The first item of each sequence of a functional group."""
    try:
        return [items[0] for element in group if (items := items_of(group, element.keyword))]
    except Exception:  # a damaged group says nothing
        return []
