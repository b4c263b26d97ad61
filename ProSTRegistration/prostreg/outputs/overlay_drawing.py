"""The overlay of a DRR and its fluoroscopy image as arrays (height, width), for the PNG and for Slicer's views.

Needs numpy alone, so that Slicer draws with it before anything is installed. Brightness is what the screen shows, 0
(black) to 1 (white). A DRR holds line integrals, bone bright; where it shows one bone only it is 0 elsewhere. Pictures
are made on the DRR's pixels, so that a small live DRR makes a small picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

TILES_ACROSS = 8
"""Tiles of a checkerboard along the image's width."""
FOOTPRINT_SHARE = 0.04
"""Line integrals above this share of the highest ones belong to what the DRR shows."""
SHADING_WIDTH = 0.06
"""Standard deviation, as a share of the image's width, of the blur that tells shading from detail."""
NOISE_WIDTH = 0.004
EDGE_WIDTH = 0.02
"""The same for noise, and for the detail by which contrasts are compared: bones' edges, hardly soft tissue."""
SEAM_WIDTH = 0.025
"""The same for the seam in which a difference fades out beside the DRR's bone: what it misses by little shows."""
DIFFERENCE_GAIN = 0.7
SHADING_PIXELS = 160
DIFFERENCE_PIXELS = 384
"""Longest side of the images on which shading and differences are found."""
LARGEST_PLAIN_REACH = 8
"""Running means of up to this many pixels to either side are quicker by plain sums."""
GENTLEST_SPREAD = 1e-6


def averaged(pixels: NDArray[Any], factor: int) -> NDArray[Any]:
    """Means over blocks of factor x factor pixels; a remainder is cut off, as CArm.downsampled does."""
    if factor == 1:
        return pixels
    height, width = pixels.shape[0] // factor * factor, pixels.shape[1] // factor * factor
    # Rows first, whole ones at a time: a mean over the short axes of blocks takes several times as long.
    sums = _added([pixels[first:height:factor] for first in range(factor)])
    return _added([sums[:, first:width:factor] for first in range(factor)]) / np.float32(factor * factor)


def factor_to(most_pixels: int, shape: tuple[int, ...]) -> int:
    """The smallest factor by which ``averaged`` leaves at most so many pixels along the longer side."""
    return max(1, -(-max(shape) // most_pixels))


def footprint(drr: Image, share: float = FOOTPRINT_SHARE) -> NDArray[np.bool_]:
    """The pixels of a DRR with more than a share of its highest line integrals."""
    shown = drr[drr > 0]
    return drr > share * np.percentile(shown, 99) if shown.size else np.zeros(drr.shape, dtype=bool)


def density(drr: Image) -> Image:
    """A DRR as 0 to 1, robustly: 1 where its densest parts are."""
    shown = drr[drr > 0]
    top = np.percentile(shown, 99) if shown.size else 1.0
    return np.asarray(np.clip(drr / max(top, GENTLEST_SPREAD), 0, 1))


def like_fluoroscopy(drr: Image, brightness: NDArray[np.floating], is_bone_bright: bool) -> Image:
    """A DRR with the shading and contrast of the fluoroscopy image beside it, as brightness.

    Shading, which soft tissue and the beam make, comes from the fluoroscopy; all detail comes from the DRR. So edges
    can be followed from one image into the other although a DRR may show one bone only.

    Args:
        drr: (height, width).
        brightness: (height, width) of the fluoroscopy.
        is_bone_bright: whether the screen shows its bone bright.
    """
    factor = factor_to(SHADING_PIXELS, drr.shape)
    small, small_brightness = averaged(drr, factor), averaged(brightness, factor)
    sigma = SHADING_WIDTH * small.shape[1]
    drr_shading, shading = blurred(small, sigma), blurred(small_brightness, sigma)
    shown = footprint(small)
    gain = _spread(_edges(small_brightness)[shown]) / _spread(_edges(small)[shown]) if shown.any() else 0.0
    gain = gain if is_bone_bright else -gain
    return np.clip(_enlarged(shading - gain * drr_shading, drr.shape, factor) + np.float32(gain) * drr, 0, 1)


def difference(drr: Image, brightness: NDArray[np.floating], is_bone_bright: bool) -> Image:
    """The surplus of bone in the DRR over the fluoroscopy, -1 to 1; 0 where they agree and beside the DRR's bone.

    Args: as for like_fluoroscopy; best reduced to DIFFERENCE_PIXELS before.
    """
    shown = footprint(drr)
    if not shown.any():
        return np.zeros(drr.shape, dtype=np.float32)
    drr_edges, xray_edges = _edges(drr), _edges(brightness if is_bone_bright else -brightness)
    apart = drr_edges / _spread(drr_edges[shown]) - xray_edges / _spread(xray_edges[shown])
    weight = np.clip(2 * blurred(shown.astype(np.float32), SEAM_WIDTH * drr.shape[1]), 0, 1)
    return np.asarray(np.clip(DIFFERENCE_GAIN * apart, -1, 1) * weight, dtype=np.float32)


def is_tile(shape: tuple[int, ...], corner: tuple[float, float], tile_pixels: float) -> NDArray[np.bool_]:
    """The fields of a checkerboard that show its second image.

    Args:
        shape: (height, width).
        corner: (u, v) where four tiles meet, the second image at its upper right and lower left.
        tile_pixels: side of a tile.
    """
    columns = np.floor((np.arange(shape[1]) - corner[0]) / tile_pixels).astype(int)
    rows = np.floor((np.arange(shape[0]) - corner[1]) / tile_pixels).astype(int)
    return np.asarray((rows[:, np.newaxis] + columns[np.newaxis]) % 2 == 1)


def blurred(image: NDArray[Any], sigma_pixels: float) -> Image:
    """The image blurred nearly as by a Gaussian: three running means along each axis.

    Running sums need one core only; the others are at work on the registration meanwhile.
    """
    reach = round((np.sqrt(4 * sigma_pixels**2 + 1) - 1) / 2)
    smooth: Image = np.asarray(image, dtype=np.float32)
    if reach < 1:
        return smooth
    for axis in (0, 1, 0, 1, 0, 1):
        smooth = _running_mean(smooth, reach, axis)
    return smooth


def _added(parts: list[NDArray[Any]]) -> Image:
    total = parts[0].astype(np.float32)
    for part in parts[1:]:
        total += part
    return total


def _edges(image: NDArray[np.floating]) -> Image:
    width = image.shape[1]
    return blurred(image, NOISE_WIDTH * width) - blurred(image, EDGE_WIDTH * width)


def _running_mean(image: Image, reach: int, axis: int) -> Image:
    width, size = 2 * reach + 1, image.shape[axis]
    padding = [(0, 0), (0, 0)]
    padding[axis] = (reach + 1, reach)
    padded = np.moveaxis(np.pad(image, padding, mode="edge"), axis, 0)
    if reach <= LARGEST_PLAIN_REACH:
        total = padded[1 : size + 1].copy()
        for shift in range(2, width + 1):
            total += padded[shift : size + shift]
    else:
        sums = padded.cumsum(axis=0, dtype=np.float64)
        total = (sums[width:] - sums[:-width]).astype(np.float32)
    return np.moveaxis(total / np.float32(width), 0, axis)


def _enlarged(small: Image, shape: tuple[int, ...], factor: int) -> Image:
    """Back to a shape that was averaged before, linear between the blocks' centres."""
    for axis, size in enumerate(shape):
        places = np.clip((np.arange(size) + 0.5) / factor - 0.5, 0, small.shape[axis] - 1)
        before = np.minimum(places.astype(int), max(small.shape[axis] - 2, 0))
        after = np.minimum(before + 1, small.shape[axis] - 1)
        share = (places - before).astype(np.float32)
        share = share[:, np.newaxis] if axis == 0 else share[np.newaxis]
        small = np.take(small, before, axis) * (1 - share) + np.take(small, after, axis) * share
    return small


def _spread(values: NDArray[Any]) -> float:
    low, high = np.percentile(values, (5, 95))
    return max(float(high - low), GENTLEST_SPREAD)
