"""From what the detector counts to grey values: gain, logarithm, clipping, windowing for a monitor, polarity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.choices import Polarity
from prostreg.simulation.imaging import Image, blurred
from prostreg.simulation.random_streams import drawn, stream
from prostreg.simulation.settings import SimulatorSettings

WHITE_16_BIT = 60000.0
WHITE_8_BIT = 255.0
DARKEST = 1e-4
DARKEST_SHARE = 0.001
"""Of the pixels: where the logarithm's scale ends, but not below DARKEST of the white level."""
LOCAL_CONTRAST_MM = 6.0
SATURATION = 16.0
"""Times the median intensity at which a detector is saturated: exposure control looks at the patient, not at air."""

Pixels = NDArray[np.uint16] | NDArray[np.uint8]


def grey_values(
    intensity: Image, open_field: NDArray[np.bool_], settings: SimulatorSettings, seed: int, pitch_mm: float
) -> tuple[Pixels, Polarity]:
    """Grey values as a C-arm stores them, 16 bits or 8, and their polarity.

    Args:
        intensity: (height, width), any scale.
        open_field: where no collimator is; gain and window are set from these pixels.
        pitch_mm: pixel pitch on the detector.
    """
    rng = stream(seed, "monitor")
    is_log, is_inverted, is_8_bit = rng.random(3) < (
        settings.log_share, settings.inverted_share, settings.eight_bit_share,
    )  # fmt: skip
    white = _white_level(intensity[open_field], drawn(rng, settings.clipped_share))
    relative = np.clip(intensity / max(white, 1e-12), 0.0, 1.0)
    # What a monitor shows is always on about a logarithmic scale; else air outshines the patient.
    grey = _log_scale(relative, open_field) if is_log or is_8_bit else relative
    if is_8_bit:
        grey = _windowed(grey, open_field, settings, rng, pitch_mm)
    polarity: Polarity = "bone-dark"
    if is_log and not is_inverted:
        grey, polarity = 1 - grey, "bone-bright"
    if is_8_bit:
        return np.rint(grey * WHITE_8_BIT).astype(np.uint8), polarity
    return np.rint(grey * WHITE_16_BIT).astype(np.uint16), polarity


def _white_level(intensity: Image, clipped_share: float) -> float:
    return float(min(np.quantile(intensity, 1 - clipped_share), SATURATION * np.median(intensity)))


def _log_scale(relative: Image, open_field: NDArray[np.bool_]) -> Image:
    darkest = max(float(np.quantile(relative[open_field], DARKEST_SHARE)), DARKEST)
    return np.asarray(1 - np.log(np.maximum(relative, darkest)) / np.log(min(darkest, 0.999)))


def _windowed(
    grey: Image, open_field: NDArray[np.bool_], settings: SimulatorSettings, rng: np.random.Generator, pitch_mm: float
) -> Image:
    """0 to 1 between two percentiles of the open field, with raised local contrast, on a bent scale."""
    strength = drawn(rng, settings.local_contrast)
    percentiles = [drawn(rng, settings.window_low_percentile), drawn(rng, settings.window_high_percentile)]
    gamma = drawn(rng, settings.gamma)
    grey = grey + strength * (grey - blurred(grey, LOCAL_CONTRAST_MM / pitch_mm))
    low, high = np.percentile(grey[open_field], percentiles)
    return np.asarray(np.clip((grey - low) / max(float(high - low), 1e-9), 0.0, 1.0) ** gamma)
