"""The best place in an X-ray for each of many turns of the anatomy: one correlation tries all places at once.

Images are small and compared as the patch similarity compares them, but with patches that are normalised once: then
all shifts of a DRR are one convolution, and the inverted X-ray is the same with the opposite sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import centres_and_axes
from prostreg.geometry.frames import Matrix
from prostreg.images.xray import XRay
from prostreg.parallel import run_all, single_threaded_torch
from prostreg.projector.selection import Projector
from prostreg.similarity.correlation import eroded_mask, sobel_gradients

PATCH_EDGE = 9
DAMPING = 0.05
UNSEEN_WEIGHT = 0.15
"""What structure outside of the image weighs beside that inside: a DRR that is nearly all outside fits by chance."""
MARGIN = 1.25
"""Side of the DRRs over the anatomy's size."""
BATCH = 250
SOME = 25
FAST_SIZES = 16
"""Sides of convolved images are multiples of this, which are quick to transform."""


@dataclass(frozen=True, eq=False)
class ViewMatch:
    """The best fits: scores (n,), and the poses camera_from_volume (n, 4, 4) that put the DRRs where they fit."""

    scores: NDArray[np.float64]
    camera_from_volume: NDArray[np.float64]


def match_views(
    projector: Projector,
    xray: XRay,
    carm: CArm,
    centre_mm: NDArray[np.float64],
    size_mm: float,
    rotations: NDArray[np.float64],
    depths_mm: NDArray[np.float64],
    on_batch: Callable[[], None],
) -> ViewMatch:
    """Fits DRRs of rotations (n, 3, 3) with the anatomy's centre at depths (n,) along the beam, anywhere in an image.

    Args:
        projector: of the anatomy.
        xray: of low resolution; read both ways where its polarity is open.
        carm: of that image.
        centre_mm: the anatomy's centre in the volume frame (3,).
        size_mm: its diameter.
        on_batch: called between batches; may raise to end the matching.
    """
    focal_px = float(carm.intrinsics[0, 0])
    side = int(MARGIN * size_mm * focal_px / float(np.median(depths_mm))) | 1
    middle = np.array([[focal_px, 0, (side - 1) / 2], [0, float(carm.intrinsics[1, 1]), (side - 1) / 2], [0, 0, 1]])
    poses = np.tile(np.eye(4), (len(rotations), 1, 1))
    poses[:, :3, :3], poses[:, 2, 3] = rotations, depths_mm
    poses[:, :3, 3] -= rotations @ centre_mm
    image = _Image(xray, side, projector.device)
    scores, pixels = np.zeros(len(poses)), np.zeros((len(poses), 2))
    for first in range(0, len(poses), BATCH):
        batch = slice(first, first + BATCH)
        image.fit(projector.project(poses[batch], CArm(middle, (side, side))), scores[batch], pixels[batch])
        on_batch()
    return ViewMatch(scores, _moved_to(pixels, carm, centre_mm, rotations, depths_mm))


class _Image:
    """The X-ray's part of the correlation, for DRRs of one size on one device."""

    def __init__(self, xray: XRay, side: int, device: torch.device) -> None:
        self._shape, self._side = xray.line_integrals.shape, side
        self._size = tuple(-(-(length + side - 1) // FAST_SIZES) * FAST_SIZES for length in self._shape)
        weight = eroded_mask(torch.from_numpy(xray.mask).to(device)).to(torch.float32)[None, None]
        gradients = sobel_gradients(torch.from_numpy(xray.line_integrals).to(device)[None])
        self._whole = torch.ones(1, 1, side, side, device=device)
        self._fixed = torch.fft.rfft2(_normalised(gradients, weight), self._size)
        self._mask = torch.fft.rfft2(weight[:, 0], self._size)
        self._length = float((2 * weight.sum()).sqrt().clamp(min=1))
        self._is_open = xray.other is not None

    def fit(self, drrs: Tensor, scores: NDArray[np.float64], pixels: NDArray[np.float64]) -> None:
        """Fills in the best fits of DRRs; on the CPU some at a time on each core, so that they stay in its cache."""
        some = SOME if drrs.device.type == "cpu" else len(drrs)
        parts = [slice(first, first + some) for first in range(0, len(drrs), some)]

        @torch.no_grad()
        def fill(part: slice) -> None:
            scores[part], pixels[part] = self._best_fits(drrs[part])

        with single_threaded_torch():
            run_all(fill, parts)

    def _best_fits(self, drrs: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores (n,) and the pixels (n, 2), column and row, that the middles of DRRs (n, side, side) fall on."""
        gradients = _normalised(sobel_gradients(drrs), self._whole)
        structure = (gradients**2).sum(1)
        agreement = self._everywhere((self._fixed * torch.fft.rfft2(gradients, self._size).conj()).sum(1))
        seen = self._everywhere(self._mask * torch.fft.rfft2(structure, self._size).conj()).clamp(min=0)
        whole = structure.sum((1, 2))[:, None, None]
        scores = agreement / ((seen + UNSEEN_WEIGHT * whole).sqrt() * self._length + 1e-6)
        flat = (scores.abs() if self._is_open else scores).flatten(1)
        best, index = flat.max(1)
        columns = self._shape[1]
        pixels = torch.stack([index % columns, index // columns], 1)
        return best.double().cpu().numpy(), pixels.double().cpu().numpy()

    def _everywhere(self, product: Tensor) -> Tensor:
        """A correlation for the DRR's middle on each pixel of the image."""
        half = (self._side - 1) // 2
        shifted: Tensor = torch.fft.irfft2(product, self._size).roll((half, half), (-2, -1))
        return shifted[:, : self._shape[0], : self._shape[1]]


def _normalised(gradients: Tensor, weight: Tensor) -> Tensor:
    """Gradients (n, 2, h, w) less their mean and over their deviation in the patch around each pixel."""
    cover = _patch_means(weight).clamp(min=1e-3)
    mean = _patch_means(gradients * weight) / cover
    variance = (_patch_means(gradients**2 * weight) / cover - mean**2).clamp(min=0)
    typical = (variance * weight).sum((-1, -2), keepdim=True) / weight.sum().clamp(min=1)
    damped: Tensor = variance + DAMPING * typical + 1e-12
    return (gradients - mean) * weight / damped.sqrt()


def _patch_means(images: Tensor) -> Tensor:
    half = PATCH_EDGE // 2
    rows = functional.avg_pool2d(images, (PATCH_EDGE, 1), 1, (half, 0))
    return functional.avg_pool2d(rows, (1, PATCH_EDGE), 1, (0, half))


def _moved_to(
    pixels: NDArray[np.float64],
    carm: CArm,
    centre_mm: NDArray[np.float64],
    rotations: NDArray[np.float64],
    depths_mm: NDArray[np.float64],
) -> Matrix:
    """Poses (n, 4, 4) that show on pixels (n, 2) what the rotations show straight ahead."""
    rays = np.linalg.solve(carm.intrinsics, np.column_stack([pixels, np.ones(len(pixels))]).T).T
    poses = np.tile(np.eye(4), (len(pixels), 1, 1))
    poses[:, :3, 3] = rays * depths_mm[:, None]
    _, axes = centres_and_axes(poses, np.zeros(3))
    poses[:, :3, :3] = axes @ rotations
    poses[:, :3, 3] -= poses[:, :3, :3] @ centre_mm
    return poses
