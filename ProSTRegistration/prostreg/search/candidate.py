"""A pose under consideration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Candidate:
    """A pose with its score.

    Attributes:
        parameters: (6,) in the chart of the search.
    """

    score: float
    parameters: NDArray[np.float64]
