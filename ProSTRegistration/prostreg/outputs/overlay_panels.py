"""The pictures of an overlay: a fluoroscopy with the DRR's bone over it, as RGB arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

Picture = NDArray[np.float32]
"""(height, width, 3), 0 to 1."""
Colour = tuple[int, int, int]

NOISE_BLUR_PIXELS = 1.5
BACKGROUND_WIDTH = 0.05
"""Standard deviation, as a share of the image's width, of the blur that tells shading from detail."""
SHADING_BRIGHTNESS = 0.35
DETAIL_BRIGHTNESS = 0.45
"""Shading and detail each get their share of the screen's brightness, as fluoroscopes do it, so that
open air beside the patient does not use up the contrast of the bone."""
TINT = 0.45
CHECKS_ACROSS = 8
CHECK_TINT: Colour = (175, 225, 255)
SLICE_BLUR_PIXELS = 4.0
"""Takes the steps of the CT's slices off the lines."""
SILHOUETTE_SHARE = 0.05
EDGE_QUANTILE = 0.9
INNER_DISTANCE = 4
"""Edges nearer to the outline than this many line widths only double it."""


def screen_grey(image: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Line integrals (height, width) as screen brightness, 0 to 1: bone bright, shading compressed."""
    if not mask.any():
        return np.zeros(image.shape, dtype=np.float32)
    filled = np.where(mask, image, np.median(image[mask])).astype(np.float64)
    shading = _blurred(filled, max(1.0, BACKGROUND_WIDTH * image.shape[1]))
    detail = _blurred(filled, NOISE_BLUR_PIXELS) - shading
    darkest, brightest = np.quantile(shading[mask], (0.01, 0.99))
    low, high = np.quantile(detail[mask], (0.05, 0.95))
    grey = SHADING_BRIGHTNESS * np.clip((shading - darkest) / max(brightest - darkest, 1e-9), 0, 1)
    grey += DETAIL_BRIGHTNESS * (detail - low) / max(high - low, 1e-9)
    return _float32(np.where(mask, np.clip(grey, 0, 1), 0.0))


def grey_picture(grey: NDArray[np.float32]) -> Picture:
    """Brightness (height, width) as RGB."""
    return np.repeat(grey[..., None], 3, axis=-1)


def tinted(picture: Picture, drr: NDArray[np.float32], colour: Colour) -> Picture:
    """The picture with the DRR's bone laid over it as a transparent tint."""
    top = float(np.quantile(drr[drr > 0], 0.95)) if (drr > 0).any() else 1.0
    share = TINT * np.clip(drr / top, 0, 1)[..., None]
    return _float32(picture * (1 - share) + _rgb(colour) * share)


def with_lines(picture: Picture, lines: NDArray[np.bool_], colour: Colour) -> Picture:
    """The picture with the marked pixels painted."""
    return np.where(lines[..., None], _rgb(colour), picture)


def bone_lines(drr: NDArray[np.float32], thickness: int) -> NDArray[np.bool_]:
    """Outline and strong inner edges of a DRR (height, width), about ``thickness`` pixels thick."""
    if not (drr > 0).any():
        return np.zeros(drr.shape, dtype=bool)
    smooth = _blurred(drr.astype(np.float64), SLICE_BLUR_PIXELS)
    silhouette = drr > SILHOUETTE_SHARE * np.quantile(drr[drr > 0], 0.99)
    bone = _blurred(silhouette.astype(np.float64), SLICE_BLUR_PIXELS) > 0.5
    strength = sitk.GetArrayFromImage(sitk.GradientMagnitude(sitk.GetImageFromArray(smooth)))
    high = float(np.quantile(strength[bone], EDGE_QUANTILE)) if bone.any() else 1.0
    canny = sitk.CannyEdgeDetection(
        sitk.GetImageFromArray(drr.astype(np.float64)),
        lowerThreshold=0.5 * high,
        upperThreshold=high,
        variance=[SLICE_BLUR_PIXELS**2] * 2,
    )
    inner = (sitk.GetArrayFromImage(canny) > 0) & ~_grown(~bone, INNER_DISTANCE * thickness)
    return _grown(inner | outline(bone, 1), thickness // 2)


def outline(region: NDArray[np.bool_], thickness: int) -> NDArray[np.bool_]:
    """The border just outside a region, ``thickness`` pixels thick; none along the image's border."""
    return _grown(region, thickness) & ~region


def checkerboard(first: NDArray[np.float32], second: NDArray[np.float32], weight: NDArray[np.bool_]) -> Picture:
    """Squares of two images in turn; the second is brought to the first's brightness and tinted."""
    height, width = first.shape
    square = max(1, round(width / CHECKS_ACROSS))
    rows, columns = np.ogrid[:height, :width]
    is_second = (rows // square + columns // square) % 2 == 1
    matched = _matched(second, first, weight)
    cool = grey_picture(matched) * _rgb(CHECK_TINT)
    return _float32(np.where(is_second[..., None], cool, grey_picture(first)))


def _matched(image: NDArray[np.float32], target: NDArray[np.float32], weight: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The image with the mean and spread of the target, both taken where ``weight`` is set."""
    if not weight.any():
        return image
    spread = float(image[weight].std()) or 1.0
    scaled = (image - image[weight].mean()) / spread * target[weight].std() + target[weight].mean()
    return _float32(np.clip(scaled, 0, 1))


def _blurred(image: NDArray[np.float64], sigma_pixels: float) -> NDArray[np.float64]:
    blurred = sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(image), sigma_pixels)
    return np.asarray(sitk.GetArrayFromImage(blurred))


def _grown(region: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """The region and all within ``radius`` pixels of it along rows and columns (a square)."""
    if radius < 1:
        return region
    padded = np.pad(region.astype(np.int64), ((radius + 1, radius), (radius + 1, radius)))
    sums = padded.cumsum(axis=0).cumsum(axis=1)
    reach = 2 * radius + 1
    counts = sums[reach:, reach:] - sums[:-reach, reach:] - sums[reach:, :-reach] + sums[:-reach, :-reach]
    return np.asarray(counts > 0)


def _rgb(colour: Colour) -> Picture:
    return _float32(np.array(colour) / 255)


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)
