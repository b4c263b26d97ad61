"""Accuracy of a C-arm's geometry is known, by where it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class CArmAccuracy:
    """Standard deviations of what a C-arm says of itself.

    Attributes:
        sdd_share: of the source-detector distance, as a share of it.
        principal_point_share: of the principal point along each axis, as a share of the image's longer side.
    """

    sdd_share: float
    principal_point_share: float


CALIBRATED, FROM_DICOM, GUESSED = "calibrated", "dicom", "preset"

CARM_ACCURACIES = {
    CALIBRATED: CArmAccuracy(0.005, 0.003),
    FROM_DICOM: CArmAccuracy(0.01, 0.005),
    GUESSED: CArmAccuracy(0.05, 0.02),
}
"""By name: measured or told by who knows it; from the encoders of a C-arm; typical of its kind, or guessed.

Of an image of 1000 pixels, 3, 5 and 20 pixels of principal point.
"""


def least_known(accuracies: Iterable[str]) -> str:
    """The name of the accuracy that leaves most open, of one or more."""
    return max(accuracies, key=lambda name: CARM_ACCURACIES[name].sdd_share)
