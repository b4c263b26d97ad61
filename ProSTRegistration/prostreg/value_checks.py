"""Checks of values that people write into settings and protocols."""

from __future__ import annotations

import difflib
import math
from collections.abc import Set


def is_number(value: object) -> bool:
    """Whether it is a finite number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: object, low: int, high: int) -> bool:
    """Whether it is an integer from ``low`` to ``high``; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def unknown_setting(name: str, known: Set[str], kind: str = "setting") -> str:
    """One sentence about a setting that does not exist, with the name that was likely meant."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(sorted(known))}."
    return f"There is no {kind} '{name}': {hint}"
