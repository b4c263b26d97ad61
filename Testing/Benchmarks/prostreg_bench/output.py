"""What a renderer of the benchmark hands back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Output:
    """One rendering.

    Attributes:
        image: line integrals (height, width).
        gradient: d sum(weights * image) / d twist (6,), or None. The twist (rotation in rad about
            the source, translation in mm) moves the volume in the camera frame.
        own_seconds: the time that the renderer itself states, for programs that also start and read
            their input in a call; else None.
    """

    image: NDArray[np.float32]
    gradient: NDArray[np.float64] | None = None
    own_seconds: float | None = None


Render = Callable[[], Output]
"""Renders a scene once; all set-up has been done."""
