"""From grey values to line integrals: polarity, logarithm, the pixels that count, normalisation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.choices import POLARITIES, Polarity, PolarityChoice
from prostreg.errors import FaultList, InputError
from prostreg.images.polarity import decided_polarity
from prostreg.images.radiation_field import RadiationField, find_radiation_field, fine_mask
from prostreg.images.xray import XRay

OPEN_FIELD_PERCENTILE = 99.5
DARK_FLOOR = 0.01
"""Fraction of the open field's intensity added before the logarithm: keeps noise in the darkest areas small."""


SHUTTER_CERTAINTY = 0.8
_FRAME_SHARE = 0.85
"""Of every side; what a round field that touches the border leaves of it."""

_FEWEST_VALID_PIXELS = 64


def prepare_xray(
    pixels: NDArray[np.float32],
    polarity: PolarityChoice = "auto",
    mask: NDArray[np.bool_] | None = None,
    likelier: Polarity | None = None,
) -> XRay:
    """Makes line integrals (bone bright) of grey values and finds the pixels that show the patient.

    Areas that no radiation reached (collimator, intensifier rim, black display shutter) are
    found and masked, together with a narrow seam. Air stays: there the line integral is known to be none.

    Args:
        pixels: (height, width) grey values as stored.
        polarity: ``bone-dark`` values are intensities I and become -log(I / I0), I0 being the
            99.5th percentile of the valid pixels; ``bone-bright`` values are taken for line
            integrals as they are; ``auto`` reads the image in both ways, the likelier one first.
        mask: (height, width), True where the pixel counts; None for all.
        likelier: what a file says of itself; None for what the image looks like, see ``decided_polarity``.

    Returns:
        Line integrals scaled so that their 1st percentile inside the mask is 0 and their 99th is 1; for ``auto``
        with the other reading in ``other``.

    Raises:
        InputError: unknown polarity, a mask of another size, NaN, or nothing left to register.
    """
    _check(pixels, polarity, mask)
    allowed = np.ones(pixels.shape, dtype=bool) if mask is None else mask
    field = find_radiation_field(pixels, allowed)
    if polarity != "auto":
        return _read_as(pixels, field, allowed, polarity)
    first = likelier or decided_polarity(pixels, field, allowed)
    second: Polarity = "bone-bright" if first == "bone-dark" else "bone-dark"
    faults = FaultList()
    likely = faults.collect(lambda: _read_as(pixels, field, allowed, first))
    other = faults.collect(lambda: _read_as(pixels, field, allowed, second))
    if likely is not None:
        return replace(likely, other=other)
    if other is None:
        raise InputError(faults.faults[:1])
    return other


def prepared_like(pixels: NDArray[np.float32], other: XRay) -> XRay:
    """Line integrals of another frame of a run, read as one that was prepared: nothing is looked for anew.

    Args:
        pixels: (height, width) grey values as stored.
        other: of the same size; its mask and its polarity count.

    Raises:
        InputError: all pixels that count are equal.
    """
    if np.ptp(pixels[other.mask]) == 0:
        raise InputError("The frame is constant: it shows nothing.")
    line_integrals = _log_attenuation(pixels, other.mask) if other.polarity == "bone-dark" else pixels
    return XRay(_normalised(line_integrals, other.mask), other.mask, other.polarity)


def _read_as(pixels: NDArray[np.float32], field: RadiationField, allowed: NDArray[np.bool_], known: Polarity) -> XRay:
    valid = allowed & ~fine_mask(_with_seam(_without_air(field, known)), field.factor, pixels.shape)
    if np.count_nonzero(valid) < _FEWEST_VALID_PIXELS or np.ptp(pixels[valid]) == 0:
        raise InputError(
            "The X-ray has no valid pixels left: its mask and the areas without radiation cover all that it shows. "
            "Give a wider mask or another polarity."
        )
    line_integrals = _log_attenuation(pixels, valid) if known == "bone-dark" else pixels
    return XRay(_normalised(line_integrals, valid), valid, known)


def _check(pixels: NDArray[np.float32], polarity: str, mask: NDArray[np.bool_] | None) -> None:
    faults = FaultList()
    if polarity not in POLARITIES:
        faults.add(f'The polarity "{polarity}" is unknown: give one of {", ".join(POLARITIES)}.')
    if mask is not None and mask.shape != pixels.shape:
        faults.add(f"The mask has the shape {mask.shape} and the X-ray {pixels.shape}: they must be equal.")
    if not np.isfinite(pixels).all():
        faults.add("The X-ray contains NaN or infinity: fill these pixels.")
    faults.raise_if_any()


def _log_attenuation(pixels: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """-log(I / I0), 0 in the open field and above; black is 0, or the lowest value where that is negative."""
    black = min(0.0, float(pixels[valid].min()))
    open_field = float(np.percentile(pixels[valid], OPEN_FIELD_PERCENTILE))
    if open_field <= black:
        open_field = float(pixels[valid].max())
    intensity = np.clip((pixels - black) / (open_field - black), 0.0, 1.0)
    return np.asarray(-np.log((intensity + DARK_FLOOR) / (1.0 + DARK_FLOOR)), dtype=np.float32)


def _normalised(line_integrals: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    low, high = (float(p) for p in np.percentile(line_integrals[valid], [1, 99]))
    if high <= low:
        low, high = float(line_integrals[valid].min()), float(line_integrals[valid].max())
    return np.asarray((line_integrals - low) / (high - low), dtype=np.float32)


def _without_air(field: RadiationField, polarity: Polarity) -> NDArray[np.bool_]:
    """The blocked areas, unless they lie at the end of the grey scale where air does.

    Dark areas of a bone-bright image can be air or a black display shutter, bright areas of a bone-dark one air or a
    white page: these count where their edge is clear, white ones only all around, since a limb reaches a border.
    """
    at_end_of_air = field.blocked_is_dark is (polarity == "bone-bright")
    is_drawn = field.certainty >= SHUTTER_CERTAINTY and (polarity == "bone-bright" or _is_all_around(field.blocked))
    return np.zeros_like(field.blocked) if at_end_of_air and not is_drawn else field.blocked


def _is_all_around(blocked: NDArray[np.bool_]) -> bool:
    sides = (blocked[0], blocked[-1], blocked[:, 0], blocked[:, -1])
    return min(float(side.mean()) for side in sides) >= _FRAME_SHARE


def _with_seam(blocked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Blocked areas with the blur at their edge: two coarse pixels more."""
    grown = sitk.BinaryDilate(sitk.GetImageFromArray(blocked.astype(np.uint8)), [2, 2])
    return np.asarray(sitk.GetArrayFromImage(grown), dtype=bool)
