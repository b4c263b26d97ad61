"""The best place in an X-ray for each of many turns of the anatomy: one correlation tries all places at once.

Images are small and compared as the patch similarity compares them, but with patches that are normalised once: then
all shifts of a DRR are one convolution, and the inverted X-ray is the same with the opposite sign. Turns in the
picture cost no DRR: the X-ray is turned, once for all views.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import centres_and_axes
from prostreg.geometry.frames import Matrix
from prostreg.geometry.rotations import rotation_from_vector
from prostreg.images.xray import XRay
from prostreg.parallel import run_all, single_threaded_torch
from prostreg.projector.selection import Projector
from prostreg.similarity.correlation import eroded_mask, sobel_gradients

PATCH_EDGE = 9
DAMPING = 0.05
UNSEEN_WEIGHT = 0.15
"""What structure outside of the image weighs beside that inside: a DRR that is nearly all outside fits by chance."""
MARGIN = 1.1
"""Side of the DRRs over the anatomy's size."""
SOME, SOME_FITS = 25, 240
"""DRRs that one core looks at together, and how many times all turns of them may be fitted then."""
PARTS = 10
"""A batch is so many times as large."""
FAST_SIZES = 32
"""Sides of convolved images are multiples of this, which are quick to transform."""
WHOLE = 0.999
"""A turned pixel counts as seen where so much of it is."""


@dataclass(frozen=True, eq=False)
class Views:
    """The anatomy straight ahead: rotations camera_from_volume (n, 3, 3), its centre's depths (n,) along the beam."""

    rotations: NDArray[np.float64]
    depths_mm: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.depths_mm)

    def chosen(self, numbers: Sequence[int]) -> Views:
        """The views of some numbers, in their order."""
        return Views(self.rotations[list(numbers)], self.depths_mm[list(numbers)])

    def followed_by(self, others: Views) -> Views:
        """These views and others behind them."""
        rotations = np.concatenate([self.rotations, others.rotations])
        return Views(rotations, np.concatenate([self.depths_mm, others.depths_mm]))


@dataclass(frozen=True, eq=False)
class ViewMatch:
    """The best fits of views (n): scores (n,), and poses camera_from_volume (n, 4, 4) that show them where they fit."""

    views: Views
    scores: NDArray[np.float64]
    camera_from_volume: NDArray[np.float64]

    def followed_by(self, others: ViewMatch) -> ViewMatch:
        """These fits and those of other views behind them."""
        return ViewMatch(
            self.views.followed_by(others.views),
            np.concatenate([self.scores, others.scores]),
            np.concatenate([self.camera_from_volume, others.camera_from_volume]),
        )


class ViewMatcher:
    """Fits DRRs of views anywhere in an image.

    Args:
        projector: of the anatomy.
        xray: of low resolution; read both ways where its polarity is open.
        carm: of that image.
        centre_mm: the anatomy's centre in the volume frame (3,).
        size_mm: its diameter.
        depth_mm: about which the views' depths lie.
    """

    def __init__(
        self,
        projector: Projector,
        xray: XRay,
        carm: CArm,
        centre_mm: NDArray[np.float64],
        size_mm: float,
        depth_mm: float,
    ) -> None:
        self._projector, self._xray, self._carm, self._centre_mm = projector, xray, carm, centre_mm
        focal_px = np.diag(carm.intrinsics)[:2]
        side = int(MARGIN * size_mm * float(focal_px[0]) / depth_mm) | 1
        middle = np.array([[focal_px[0], 0, (side - 1) / 2], [0, focal_px[1], (side - 1) / 2], [0, 0, 1]])
        self._ahead = CArm(middle, (side, side))

    def match(self, views: Views, turns_rad: NDArray[np.float64], on_batch: Callable[[], None]) -> ViewMatch:
        """The best fits of views (n), each turned in the picture by every angle (t,): n times t, a view's one by one.

        Args:
            views: at depths about that of the matcher.
            turns_rad: about the beam; positive ones turn the image's right to its bottom.
            on_batch: called every fraction of a second; may raise to end the matching.
        """
        image = _TurnedImage(self._xray, self._carm, turns_rad, self._ahead.width, self._projector.device)
        poses = np.tile(np.eye(4), (len(views), 1, 1))
        poses[:, :3, :3], poses[:, 2, 3] = views.rotations, views.depths_mm
        poses[:, :3, 3] -= views.rotations @ self._centre_mm
        scores, pixels = np.zeros((len(views), len(turns_rad))), np.zeros((len(views), len(turns_rad), 2))
        some = max(1, min(SOME, SOME_FITS // len(turns_rad)))
        for first in range(0, len(views), PARTS * some):
            batch = slice(first, first + PARTS * some)
            image.fit(self._projector.project(poses[batch], self._ahead), some, scores[batch], pixels[batch])
            on_batch()
        about_beam = rotation_from_vector(np.array([0.0, 0.0, 1.0]) * turns_rad[:, None])
        rotations = about_beam[None] @ views.rotations[:, None]
        turned = Views(rotations.reshape(-1, 3, 3), np.repeat(views.depths_mm, len(turns_rad)))
        return ViewMatch(turned, scores.ravel(), _moved_to(pixels.reshape(-1, 2), self._carm, self._centre_mm, turned))


class _TurnedImage:
    """The X-ray's part of the correlations, turned by each of some angles, for DRRs of one size on one device.

    What lies about the middle of the turned image as in a DRR lies in the X-ray as in a DRR that is turned.
    """

    def __init__(self, xray: XRay, carm: CArm, turns_rad: NDArray[np.float64], side: int, device: torch.device) -> None:
        shape = xray.line_integrals.shape
        self._middle_px = (np.array(shape[::-1]) - 1) / 2
        focal_px = np.diag(carm.intrinsics)[:2]
        about_beam = rotation_from_vector(np.array([0.0, 0.0, 1.0]) * turns_rad[:, None])[:, :2, :2]
        self._image_from_turned = about_beam * focal_px[:, None] / focal_px
        corners_px = self._middle_px * np.array([[1, 1], [1, -1]])
        reach_px = np.abs(np.linalg.inv(self._image_from_turned)[:, None] @ corners_px[..., None]).max((0, 1))[:, 0]
        self._width, self._height = (int(np.ceil(2 * reach + 1 - 1e-6)) for reach in reach_px)
        self._side = side
        self._size = tuple(
            -(-(length + side // 2) // FAST_SIZES) * FAST_SIZES for length in (self._height, self._width)
        )
        rows, columns = np.indices((self._height, self._width), dtype=np.float64).reshape(2, -1)
        places_px = self.in_image(np.column_stack([columns, rows])[None])
        offsets_px = (places_px - self._middle_px).reshape(len(turns_rad), self._height, self._width, 2)
        self._is_inside = torch.from_numpy((np.abs(offsets_px) <= self._middle_px + 1e-6).all(-1)).to(device)
        grid = torch.from_numpy(offsets_px / self._middle_px).to(device)
        values = _sampled(xray.line_integrals, grid, "border").to(torch.float32)
        masks = _sampled(xray.mask, grid, "zeros") > WHOLE
        weight = torch.stack([eroded_mask(mask) for mask in masks]).to(torch.float32)[:, None]
        self._fixed = self._about_middle(_normalised(sobel_gradients(values), weight))
        self._mask = self._about_middle(weight[:, 0])
        self._lengths = (2 * weight.sum((1, 2, 3))).sqrt().clamp(min=1)
        self._whole = torch.ones(1, 1, side, side, device=device)
        self._is_open = xray.other is not None

    def in_image(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels (t, n, 2) of the X-ray, column and row, from those (1 or t, n, 2) of what is turned by each angle."""
        middle_px = (np.array([self._width, self._height]) - 1) / 2
        return np.asarray((pixels - middle_px) @ np.swapaxes(self._image_from_turned, -1, -2) + self._middle_px)

    def fit(self, drrs: Tensor, some: int, scores: NDArray[np.float64], pixels: NDArray[np.float64]) -> None:
        """Fills in the best fits of DRRs (n): scores (n, t) and the pixels (n, t, 2) of the X-ray that they lie on.

        On the CPU some at a time on each core, so that they stay in its cache.
        """
        some = some if drrs.device.type == "cpu" else len(drrs)
        parts = [slice(first, first + some) for first in range(0, len(drrs), some)]

        @torch.no_grad()
        def fill(part: slice) -> None:
            scores[part], turned = self._best_fits(drrs[part])
            pixels[part] = np.swapaxes(self.in_image(turned), 0, 1)

        with single_threaded_torch():
            run_all(fill, parts)

    def _best_fits(self, drrs: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores (n, t), and pixels (t, n, 2) of the turned images for the middles of DRRs (n, side, side)."""
        gradients = _normalised(sobel_gradients(drrs), self._whole)
        structure = (gradients**2).sum(1)
        whole = UNSEEN_WEIGHT * structure.sum((1, 2))[:, None, None] + 1e-12
        gradients_there = torch.fft.rfft2(gradients, self._size).conj()
        structure_there = torch.fft.rfft2(structure, self._size).conj()
        found = []
        for fixed, mask, is_inside in zip(self._fixed, self._mask, self._is_inside, strict=True):
            agreement = self._everywhere((fixed * gradients_there).sum(1))
            structure_seen = self._everywhere(mask * structure_there).clamp_(min=0).add_(whole)
            squared = agreement.mul_(agreement if self._is_open else agreement.abs()).div_(structure_seen)
            found.append(squared.mul_(is_inside).flatten(1).max(1))
        best = torch.stack([values for values, _ in found], 1).clamp(min=0).sqrt() / self._lengths
        index = torch.stack([indices for _, indices in found])
        pixels = torch.stack([index % self._width, index // self._width], -1)
        return best.double().cpu().numpy(), pixels.double().cpu().numpy()

    def _about_middle(self, images: Tensor) -> Tensor:
        """Transforms of turned images, so that correlations with a DRR stand at its middle and not at its corner."""
        room = (0, self._size[1] - self._width, 0, self._size[0] - self._height)
        half = self._side // 2
        transforms: Tensor = torch.fft.rfft2(functional.pad(images, room).roll((half, half), (-2, -1)))
        return transforms

    def _everywhere(self, product: Tensor) -> Tensor:
        """A correlation for the DRR's middle on each pixel of the turned image."""
        correlation: Tensor = torch.fft.irfft2(product, self._size)
        return correlation[:, : self._height, : self._width]


def _sampled(pixels: NDArray[Any], grid: Tensor, padding: str) -> Tensor:
    """Pixels (h, w) at places (t, height, width, 2) of which the image's corners have coordinates of one: float64."""
    images = torch.from_numpy(pixels.astype(np.float64)).to(grid.device).expand(len(grid), 1, -1, -1)
    sampled: Tensor = functional.grid_sample(images, grid, padding_mode=padding, align_corners=True)
    return sampled[:, 0]


def _normalised(gradients: Tensor, weight: Tensor) -> Tensor:
    """Gradients (n, 2, h, w) less their mean and over their deviation in the patch around each pixel."""
    cover = _patch_means(weight).clamp(min=1e-3)
    mean = _patch_means(gradients * weight) / cover
    variance = (_patch_means(gradients**2 * weight) / cover - mean**2).clamp(min=0)
    typical = (variance * weight).sum((-1, -2), keepdim=True) / weight.sum().clamp(min=1)
    damped: Tensor = variance + DAMPING * typical + 1e-12
    return (gradients - mean) * weight / damped.sqrt()


def _patch_means(images: Tensor) -> Tensor:
    """Means over the patches around all pixels of images (..., h, w), beyond which there is nothing."""
    over_rows, over_columns = (_band(length, images.device) for length in images.shape[-2:])
    return over_rows @ images @ over_columns


def _band(length: int, device: torch.device) -> Tensor:
    """Matrix (length, length) that averages over a patch's edge: as products of matrices, means are quickest."""
    places = torch.arange(length, device=device)
    return ((places[:, None] - places).abs() <= PATCH_EDGE // 2).to(torch.float32) / PATCH_EDGE


def _moved_to(pixels: NDArray[np.float64], carm: CArm, centre_mm: NDArray[np.float64], views: Views) -> Matrix:
    """Poses (n, 4, 4) that show on pixels (n, 2) what the views show straight ahead."""
    rays = np.linalg.solve(carm.intrinsics, np.column_stack([pixels, np.ones(len(pixels))]).T).T
    poses = np.tile(np.eye(4), (len(pixels), 1, 1))
    poses[:, :3, 3] = rays * views.depths_mm[:, None]
    _, axes = centres_and_axes(poses, np.zeros(3))
    poses[:, :3, :3] = axes @ views.rotations
    poses[:, :3, 3] -= poses[:, :3, :3] @ centre_mm
    return poses
