"""The panels of overlay pictures as RGB arrays: a fluoroscopy with the DRR's bone over it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from prostreg.outputs.bone_lines import Lines
from prostreg.outputs.overlay_drawing import TILES_ACROSS, blurred, density, is_tile, like_fluoroscopy

Picture = NDArray[np.float32]
"""(height, width, 3), 0 to 1."""
Colour = tuple[int, int, int]

SUPERSAMPLING = 2
"""Panels are made twice as large and reduced, which smooths the lines."""
NOISE_BLUR_PIXELS = 1.5
BACKGROUND_WIDTH = 0.05
"""Standard deviation, as a share of the image's width, of the blur that tells shading from detail."""
SHADING_BRIGHTNESS = 0.35
DETAIL_BRIGHTNESS = 0.45
"""Shading and detail each get their share of the screen's brightness, as fluoroscopes do it, so that
open air beside the patient does not use up the contrast of the bone."""
TINT = 0.45
CHECK_TINT: Colour = (175, 225, 255)


def screen_grey(image: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Line integrals (height, width) as screen brightness, 0 to 1: bone bright, shading compressed."""
    if not mask.any():
        return np.zeros(image.shape, dtype=np.float32)
    filled = np.where(mask, image, np.median(image[mask]))
    shading = blurred(filled, max(1.0, BACKGROUND_WIDTH * image.shape[1]))
    detail = blurred(filled, NOISE_BLUR_PIXELS) - shading
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
    share = TINT * density(drr)[..., None]
    return _float32(picture * (1 - share) + _rgb(colour) * share)


def with_lines(picture: Picture, lines: Lines, thickness: int, colour: Colour) -> Picture:
    """The picture with lines painted ``thickness`` pixels wide."""
    marks = Image.new("1", (picture.shape[1], picture.shape[0]))
    draw = ImageDraw.Draw(marks)
    for ends in np.rint(lines.points[lines.ends]).reshape(-1, 4).tolist():
        draw.line(ends, fill=1, width=thickness)
    return np.where(np.asarray(marks)[..., None], _rgb(colour), picture)


def checkerboard(grey: NDArray[np.float32], drr: NDArray[np.float32]) -> Picture:
    """Tiles of a fluoroscopy's brightness and of the DRR that is made to look like it, tinted, in turn."""
    height, width = grey.shape
    corner = ((width - 1) / 2, (height - 1) / 2)
    is_second = is_tile(grey.shape, corner, width / TILES_ACROSS)[..., None]
    cool = grey_picture(like_fluoroscopy(drr, grey, is_bone_bright=True)) * _rgb(CHECK_TINT)
    return _float32(np.where(is_second, cool, grey_picture(grey)))


def reduced(picture: Picture) -> Image.Image:
    """The picture as an image file holds it, without its supersampling."""
    image = Image.fromarray(np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8))
    size = (max(1, image.width // SUPERSAMPLING), max(1, image.height // SUPERSAMPLING))
    return image.resize(size, Image.Resampling.LANCZOS)


def _rgb(colour: Colour) -> Picture:
    return _float32(np.array(colour) / 255)


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)
