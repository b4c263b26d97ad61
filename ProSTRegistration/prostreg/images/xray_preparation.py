"""From grey values to line integrals: polarity, logarithm, the pixels that count, normalisation."""

from __future__ import annotations

from typing import Literal

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from prostreg.images.xray import XRay

OPEN_FIELD_PERCENTILE = 99.5
DARK_FLOOR = 0.01
"""Fraction of the open field's intensity added before the logarithm: keeps noise in the darkest areas small."""

POLARITIES = ("auto", "bone-dark", "bone-bright")


def prepare_xray(
    pixels: NDArray[np.float32],
    polarity: Literal["auto", "bone-dark", "bone-bright"] = "auto",
    mask: NDArray[np.bool_] | None = None,
) -> XRay:
    """Makes line integrals (bone bright) of grey values and finds the pixels that show the patient.

    Args:
        pixels: (height, width) grey values as stored.
        polarity: ``bone-dark`` values are intensities I and become -log(I / I0), I0 being the
            99.5th percentile; ``bone-bright`` values are taken for line integrals as they are.
        mask: (height, width), True where the pixel counts; None for all.

    Returns:
        Line integrals scaled so that their 1st percentile inside the mask is 0 and their 99th is 1.

    Raises:
        InputError: unknown polarity, a mask of another size, or nothing left to register.
    """
    faults = FaultList()
    if polarity not in POLARITIES:
        faults.add(f'The polarity "{polarity}" is unknown: give one of {", ".join(POLARITIES)}.')
    if mask is not None and mask.shape != pixels.shape:
        faults.add(f"The mask has the shape {mask.shape} and the X-ray {pixels.shape}: they must be equal.")
    faults.raise_if_any()
    allowed = np.ones(pixels.shape, dtype=bool) if mask is None else mask
    if polarity == "auto":
        polarity = decided_polarity(pixels, allowed)
    valid = allowed & ~_blocked(pixels, polarity)
    if np.count_nonzero(valid) < 64 or np.ptp(pixels[valid]) == 0:
        raise InputError(
            "The X-ray has no valid pixels left: its mask, or dark and clipped areas, cover all that it shows. "
            "Give a wider mask or another polarity."
        )
    line_integrals = _log_attenuation(pixels, valid) if polarity == "bone-dark" else pixels
    low, high = np.percentile(line_integrals[valid], [1, 99])
    if high <= low:
        low, high = float(line_integrals[valid].min()), float(line_integrals[valid].max())
    return XRay(((line_integrals - low) / (high - low)).astype(np.float32), valid)


def decided_polarity(pixels: NDArray[np.float32], allowed: NDArray[np.bool_]) -> Literal["bone-dark", "bone-bright"]:
    """Decides from the image whether bone is dark or bright."""
    height, width = pixels.shape
    v, u = np.mgrid[:height, :width]
    off_centre = np.hypot((u - (width - 1) / 2) / width, (v - (height - 1) / 2) / height)
    low, high = np.percentile(pixels[allowed], [1, 99])
    clipped = np.clip(pixels, low, high)
    within = allowed & (clipped > low)
    within = within if np.count_nonzero(within) > 64 else allowed
    slope = np.cov(clipped[within], off_centre[within])[0, 1]
    return "bone-dark" if slope > 0 else "bone-bright"


def _blocked(pixels: NDArray[np.float32], polarity: str) -> NDArray[np.bool_]:
    """Areas where no radiation arrived: at the dark extreme, wide, collimator or clipped."""
    radiation = pixels if polarity == "bone-dark" else -pixels
    low, high = np.percentile(radiation, [0, 99.5])
    dark = sitk.GetImageFromArray((radiation <= low + 0.005 * (high - low)).astype(np.uint8))
    return np.asarray(sitk.GetArrayFromImage(sitk.BinaryMorphologicalOpening(dark, [2, 2])), dtype=bool)


def _log_attenuation(pixels: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    open_field = float(np.percentile(pixels[valid], OPEN_FIELD_PERCENTILE))
    black = min(0.0, float(pixels[valid].min()))
    intensity = np.clip((pixels - black) / max(open_field - black, 1e-12), 0.0, 1.0)
    return np.asarray(-np.log((intensity + DARK_FLOOR) / (1.0 + DARK_FLOOR)), dtype=np.float32)
