"""A pose under consideration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reading = tuple[bool, ...]
"""For each view, True where its X-ray is read with the less likely polarity."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A pose with its score.

    Attributes:
        parameters: (6,) in the chart of the search.
        reading: with which it was refined and judged; empty before that.
    """

    score: float
    parameters: NDArray[np.float64]
    reading: Reading = ()
