"""How right the images and gradients of the benchmark are, so that nobody is fast by being wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from prostreg.geometry.carm import CArm
from prostreg.geometry.se3 import exp_se3
from prostreg_bench.output import Output
from prostreg_bench.scene import SOURCE_ISOCENTRE_MM, exact_image, oblique_pose, pixel_weights

RIGHT_NCC = 0.999
"""Below it an image is of another geometry or of another quantity."""
STEP_MM = 1.0
"""Of the central differences: one voxel, so that silhouettes are as soft as voxels make them."""
TWIST_SCALE = np.array([SOURCE_ISOCENTRE_MM] * 3 + [1.0] * 3)
"""Turns a twist (rad about the source, mm) into what it moves at the isocentre, in mm."""


@dataclass(frozen=True)
class Agreement:
    """How one output compares; None where it has nothing to compare.

    Attributes:
        ncc: normalised cross-correlation with the closed form.
        error: RMS difference to the closed form, as a share of its maximum.
        error_to_ours: the same to our fused projector's image.
        gradient_error: length of the gradient's difference to the closed form's, as a share of that;
            rotations count with what they move at the isocentre.
    """

    ncc: float | None = None
    error: float | None = None
    error_to_ours: float | None = None
    gradient_error: float | None = None

    @property
    def is_right(self) -> bool:
        return self.ncc is not None and self.ncc >= RIGHT_NCC


class Judge:
    """Compares outputs for one C-arm."""

    def __init__(self, carm: CArm, ours: Output | None) -> None:
        self._exact = exact_image(oblique_pose(), carm)
        self._exact_gradient = exact_gradient(carm)
        self._ours = ours

    def agreement(self, output: Output) -> Agreement:
        image = output.image.astype(np.float64)
        if image.shape != self._exact.shape or not np.isfinite(image).all():
            return Agreement()
        return Agreement(
            ncc=_ncc(image, self._exact),
            error=self._error(image, self._exact),
            error_to_ours=None if self._ours is None else self._error(image, self._ours.image),
            gradient_error=None if output.gradient is None else self._gradient_error(output.gradient),
        )

    def _error(self, image: ArrayLike, other: ArrayLike) -> float:
        return float(np.sqrt(np.mean((np.asarray(image) - np.asarray(other)) ** 2)) / self._exact.max())

    def _gradient_error(self, gradient: NDArray[np.float64]) -> float | None:
        exact = self._exact_gradient / TWIST_SCALE
        error = np.linalg.norm(gradient / TWIST_SCALE - exact) / np.linalg.norm(exact)
        return float(error) if np.isfinite(error) else None


def exact_gradient(carm: CArm) -> NDArray[np.float64]:
    """d sum(weights * image) / d twist (6,), from central differences of the closed form."""
    weights = pixel_weights(carm).astype(np.float64)
    gradient = np.empty(6)
    for parameter, scale in enumerate(TWIST_SCALE):
        twist = torch.zeros(6, dtype=torch.float64)
        twist[parameter] = STEP_MM / scale
        forwards, backwards = (exact_image(exp_se3(way).numpy() @ oblique_pose(), carm) for way in (twist, -twist))
        gradient[parameter] = (weights * (forwards - backwards)).sum() / (2 * STEP_MM / scale)
    return gradient


def _ncc(image: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    a, b = image - image.mean(), other - other.mean()
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / norm if norm > 0 else 0.0
