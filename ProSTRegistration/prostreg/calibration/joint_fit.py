"""One camera from several images of beads that a C-arm has taken: a pose for each, K and distortion for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.camera_fit import CameraFit, fit_shared_camera

ODD_TIMES = 4.0
"""Times chance from which images do not agree; with ten beads or more in each, it does so less than once in 200."""

LEAST_CHANCE_PX2 = 1e-6
"""Marks without any error say nothing of chance."""

Beads = tuple[NDArray[np.float64], NDArray[np.float64]]
Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class JointFit:
    """The camera that several images share.

    Attributes:
        fits: of each image, with the K, distortion and deviations of all.
        disagreement: squared errors that come from sharing a camera, over those of chance: about 1 where one camera
            took all images. Where it is more, the deviations are wider by its square root.
        odd: index of the image without which the others agree; None where all agree, or none can be told.
    """

    fits: list[CameraFit]
    disagreement: float
    odd: int | None


def joint_fit(images: Sequence[Beads], alone: Sequence[CameraFit]) -> JointFit:
    """The camera of two images or more.

    Args:
        images: of each, beads (n, 3) in mm, and where they are seen (n, 2), NaN where they are not.
        alone: the camera that each image tells by itself; all with distortion, or all without.
    """
    fits, disagreement = _together(images, alone)
    odd = None
    if disagreement > ODD_TIMES and len(images) > 2:
        without = [_together(_but(images, n), _but(alone, n))[1] for n in range(len(images))]
        best = int(np.argmin(without))
        odd = best if without[best] <= ODD_TIMES else None
    told_px2 = _squares(fits) / max(1, _seen(fits) - 6 * len(fits) - _shared(fits[0]))
    if told_px2 > LEAST_CHANCE_PX2:
        times = float(np.sqrt(max(1.0, disagreement) * _chance_px2(alone) / told_px2))
        fits = [fit.less_sure(times) for fit in fits]
    return JointFit(fits, disagreement, odd)


def _together(images: Sequence[Beads], alone: Sequence[CameraFit]) -> tuple[list[CameraFit], float]:
    """The shared camera, and its disagreement."""
    best = min(alone, key=lambda fit: float(fit.deviations[0]))
    poses = [fit.camera_from_phantom for fit in alone]
    fits = fit_shared_camera(images, (best.intrinsics, poses), frees_distortion=_shared(best) > 3)
    added_px2 = (_squares(fits) - _squares(alone)) / max(1, _shared(best) * (len(images) - 1))
    return fits, added_px2 / _chance_px2(alone)


def _but(items: Sequence[Item], number: int) -> list[Item]:
    return [*items[:number], *items[number + 1 :]]


def _shared(fit: CameraFit) -> int:
    """Numbers of the camera that were estimated: three, or five with k1 and k2."""
    return int(np.count_nonzero(fit.deviations))


def _squares(fits: Sequence[CameraFit]) -> float:
    return float(sum(np.nansum(fit.errors_px**2) for fit in fits))


def _seen(fits: Sequence[CameraFit]) -> int:
    return sum(int(np.isfinite(fit.errors_px).sum()) for fit in fits)


def _chance_px2(alone: Sequence[CameraFit]) -> float:
    """The variance of a mark along u or v, by what each image leaves over with a camera of its own."""
    spare = _seen(alone) - sum(6 + _shared(fit) for fit in alone)
    return max(_squares(alone) / max(1, spare), LEAST_CHANCE_PX2)
