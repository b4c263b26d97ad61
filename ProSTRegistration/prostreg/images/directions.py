"""Offsets in a patient's words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DIRECTIONS = (
    ("to the patient's right", "to the patient's left"),
    ("to the front", "to the back"),
    ("towards the head", "towards the feet"),
)


def offset_in_words(offset_mm: NDArray[np.float64]) -> str:
    """An offset (3,), RAS, for example "15 mm to the patient's left and 3 mm towards the feet".

    What is small beside the rest is left out.
    """
    least = max(1.0, 0.2 * float(np.abs(offset_mm).max()))
    parts = [
        f"{abs(shift):.0f} mm {ahead if shift > 0 else back}"
        for shift, (ahead, back) in zip(offset_mm, _DIRECTIONS, strict=True)
        if abs(shift) >= least
    ]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
