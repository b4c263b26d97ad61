"""A fluoroscopy image as the registration uses it: line integrals and the pixels that count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.choices import Polarity


@dataclass(frozen=True, eq=False)
class XRay:
    """A prepared X-ray image.

    Attributes:
        line_integrals: (height, width) float32, larger where more was absorbed (bone bright);
            proportional to the attenuation integrated along each ray, up to gain and offset.
        mask: (height, width) bool, True where the pixel shows the patient (no collimator, border
            or clipped area).
        polarity: of the grey values that the line integrals were made from; None where they are told as such.
        other: the same picture read with the other polarity; None where the polarity is decided.
    """

    line_integrals: NDArray[np.float32]
    mask: NDArray[np.bool_]
    polarity: Polarity | None = None
    other: XRay | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width = self.line_integrals.shape
        return width, height
