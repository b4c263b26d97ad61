"""Frames of a run between which the C-arm stands still, by their tags."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from prostreg.images.dicom_geometry.carm_numbers import carm_numbers
from prostreg.images.dicom_tags import Tags, number_within

STILL_DEG = 0.2
"""Angles that differ by less are told of a C-arm that stands still."""

_OF_OTHERS = ("angle", "table")
"""Numbers that are compared as angles, and those of the table: that moves the patient and not the camera."""


def standing_frames(tags_of: Callable[[int], Tags], first: int, asked: tuple[int, int]) -> tuple[int, int]:
    """The frames about one in which its distances, pixels and angles are told, as far as they were asked for.

    Args:
        tags_of: the tags of a frame, counted from 1.
        first: the frame; one of those that are asked for.
        asked: the first and the last frame; the tags of no other are looked at.
    """
    numbers, angles_deg = _camera(tags_of(first))
    ends = []
    for last, step in ((asked[0], -1), (asked[1], 1)):
        end = first
        while end != last:
            own_numbers, own_angles_deg = _camera(tags_of(end + step))
            if own_numbers != numbers or not np.allclose(own_angles_deg, angles_deg, 0.0, STILL_DEG, equal_nan=True):
                break
            end += step
        ends.append(end)
    return ends[0], ends[1]


def _camera(own: Tags) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    angles_deg = [number_within(own, f"Positioner{axis}Angle", -180.0, 180.0) for axis in ("Primary", "Secondary")]
    numbers = tuple(one.value for one in carm_numbers(own) if not any(word in one.name for word in _OF_OTHERS))
    return numbers, np.array(angles_deg, dtype=np.float64)
