"""Frames of a run: which of them make the image that is registered."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from prostreg.errors import InputError

MOST_AVERAGED = 64

FRAME_ADVICE = "give a whole number from 1 on, or [first, last] for the mean of several still ones"


@dataclass(frozen=True)
class Frames:
    """One frame of a run, or several still ones whose mean is taken.

    Attributes:
        first, last: counted from 1; equal for one frame.
        is_told: False where nobody has said which: it is the file's own choice.
    """

    first: int
    last: int
    is_told: bool = field(default=True, compare=False)

    @property
    def count(self) -> int:
        """Number of frames."""
        return self.last - self.first + 1

    @property
    def value(self) -> int | list[int]:
        """The "frame" of a case file."""
        return self.first if self.count == 1 else [self.first, self.last]


ONE_FRAME = Frames(1, 1)
"""Of an image that is no run."""


def is_frame_choice(value: Any) -> bool:
    """True for what a case file may give as "frame"."""
    numbers = value if isinstance(value, list) and len(value) == 2 else [value]
    return all(type(number) is int for number in numbers) and 1 <= numbers[0] <= numbers[-1]


def frames_of_value(value: Any) -> Frames:
    """The frames of a case file's "frame", a number or [first, last]."""
    return Frames(value[0], value[1]) if isinstance(value, list) else Frames(value, value)


def frames_of_text(text: str) -> Frames | None:
    """The frames of "5" or "3-7"; None for other texts."""
    found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", text.strip())
    if found is None:
        return None
    frames = Frames(int(found[1]), int(found[2] or found[1]))
    return frames if 1 <= frames.first <= frames.last else None


def chosen_frames(
    name: str, count: int, wanted: Frames | None, representative: int | None
) -> tuple[Frames, str | None]:
    """The frames of a file that are read, and a sentence where it has several and nobody has said which.

    Args:
        name: of the image, for messages.
        count: of frames in the file.
        wanted: None if nobody has said which.
        representative: the frame that the file itself names, if any.

    Raises:
        InputError: the file does not have these frames, or they are too many.
    """
    if wanted is not None:
        if wanted.last > count:
            has = "1 frame" if count == 1 else f"{count} frames"
            raise InputError(f"{name} has {has}, and frame {wanted.last} was asked for: choose one from 1 to {count}.")
        if wanted.count > MOST_AVERAGED:
            raise InputError(f"{name}: the mean of {wanted.count} frames was asked for, {MOST_AVERAGED} are the most.")
        return wanted, None
    if count == 1:
        return Frames(1, 1), None
    number, reason = (count + 1) // 2, "the middle one"
    if representative is not None and 1 <= representative <= count:
        number, reason = representative, "the one that the file names as representative"
    said = f'Of {count} frames number {number} is used, {reason}: "frame" of the view chooses another.'
    return Frames(number, number, is_told=False), said
