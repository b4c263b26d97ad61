"""From what the patient lets through to what the detector counts: blur, scatter, gain, photon noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.images.pyramid import block_means
from prostreg.simulation.random_streams import drawn, drawn_log, stream
from prostreg.simulation.settings import SimulatorSettings
from prostreg.simulation.smoothing import smoothed

Image = NDArray[np.float64]

SIGMA_PER_FWHM = 1 / 2.355
_WIDEST_AVERAGE = 25.0
"""Pixels; from 27 on ITK's averages of a Gaussian are no numbers."""

_MOST_PHOTONS = 1e15
"""In a pixel; their noise is nothing, and more cannot be drawn. Where next to nothing arrives, a dose asks for them."""

SCATTER_GRID = 64
"""Pixels along the longer side of the coarse image on which scatter, which is smooth, is spread."""


def blurred(image: Image, sigma_pixels: float) -> Image:
    """Gaussian blur; beyond its border the image is thought to go on."""
    if sigma_pixels < 0.05:
        return image
    if sigma_pixels > _WIDEST_AVERAGE:
        return smoothed(image, [sigma_pixels, sigma_pixels])
    # Averages of the Gaussian over pixels stay right where it is narrower than one.
    image_filter = sitk.DiscreteGaussianImageFilter()
    image_filter.SetVariance(sigma_pixels**2)
    image_filter.SetMaximumKernelWidth(max(32, int(8 * sigma_pixels)))
    image_filter.SetMaximumError(1e-3)
    return np.asarray(sitk.GetArrayFromImage(image_filter.Execute(sitk.GetImageFromArray(image))), dtype=np.float64)


def focal_spot_sigma_mm(settings: SimulatorSettings, seed: int, sdd_mm: float, depth_mm: float) -> float:
    """Blur on the detector (standard deviation) of what lies ``depth_mm`` from the source."""
    width_mm = drawn(stream(seed, "focal spot"), settings.focal_spot_mm)
    magnification = sdd_mm / np.clip(depth_mm, 0.2 * sdd_mm, sdd_mm)
    return float(width_mm * (magnification - 1) * SIGMA_PER_FWHM)


def detector_sigma_mm(settings: SimulatorSettings, seed: int) -> float:
    return drawn(stream(seed, "detector blur"), settings.detector_blur_mm)


def with_scatter(primary: Image, beam: Image, settings: SimulatorSettings, seed: int, pitch_mm: float) -> Image:
    """The image that arrives: the primary one where the beam is, and its scatter.

    What a thick patient scatters forward is proportional to ``p ln(1/p)`` of the primary p, none in the open field,
    spread widely (B. Ohnesorge, T. Flohr, K. Klingenbeck-Regn: Efficient object scatter correction algorithm for
    third and fourth generation CT scanners, European Radiology 9, 1999).

    Args:
        primary: transmitted share (height, width) of an open beam.
        beam: share (height, width) of the open beam that the collimator lets through.
    """
    rng = stream(seed, "scatter")
    fraction = drawn(rng, settings.scatter_fraction)
    sigma_mm, evenness = drawn(rng, settings.scatter_width_mm), drawn(rng, settings.scatter_evenness)
    if fraction == 0:
        return primary * beam
    factor = max(1, max(primary.shape) // SCATTER_GRID)
    coarse, coarse_beam = block_means(primary, factor), block_means(beam, factor)
    source = -coarse_beam * coarse * np.log(np.clip(coarse, 1e-6, 1.0))
    spread = blurred(source, sigma_mm / (pitch_mm * factor))
    spread = (1 - evenness) * spread + evenness * spread.mean()
    patient = (coarse < 0.8) & (coarse_beam > 0.5)
    typical = np.median(spread[patient] / coarse[patient]) if patient.any() else np.inf
    scale = fraction / (1 - fraction) / max(float(typical), 1e-12)
    return primary * beam + scale * _in_blocks(spread, factor)[: primary.shape[0], : primary.shape[1]]


def with_uneven_beam(image: Image, settings: SimulatorSettings, seed: int) -> Image:
    """Weaker towards one side (heel effect) and towards the corners; 1 in the middle."""
    rng = stream(seed, "uneven beam")
    heel, vignetting = drawn(rng, settings.heel), drawn(rng, settings.vignetting)
    angle = rng.choice([0.0, 0.5, 1.0, 1.5]) * np.pi + rng.normal(0, 0.05)
    v, u = (np.linspace(-1, 1, n) for n in image.shape)
    across = np.cos(angle) * u[None, :] + np.sin(angle) * v[:, None]
    corner = (u[None, :] ** 2 + v[:, None] ** 2) / 2
    return np.asarray(image * np.maximum(1 - heel * (across + 0.5 * across**2) / 2 - vignetting * corner, 0.05))


def with_noise(
    image: Image, open_field: NDArray[np.bool_], settings: SimulatorSettings, seed: int, carm: CArm, blur_mm: float
) -> Image:
    """Photon noise at a dose behind the patient; the detector's blur makes neighbouring pixels' noise alike.

    The dose holds at the median of ``open_field``, where no collimator is.
    """
    rng = stream(seed, "noise")
    pitch = carm.detector_spacing_mm
    per_pixel = drawn_log(rng, settings.photons_per_mm2) * pitch[0] * pitch[1]
    photons = image * (per_pixel / max(float(np.median(image[open_field])), 1e-9))
    photons = np.minimum(photons, _MOST_PHOTONS)
    noise = rng.poisson(photons) - photons
    return np.asarray(np.maximum(image * (1 + blurred(noise, blur_mm / pitch[0]) / np.maximum(photons, 1e-9)), 0.0))


def _in_blocks(coarse: Image, factor: int) -> Image:
    return enlarged(coarse, (coarse.shape[0] * factor, coarse.shape[1] * factor))


def enlarged(coarse: Image, shape: tuple[int, ...]) -> Image:
    """A coarse image on more pixels, linearly interpolated."""
    step = [coarse.shape[axis] / shape[axis] for axis in (1, 0)]
    grid: dict[str, Any] = {
        "size": [shape[1], shape[0]],
        "outputSpacing": step,
        "outputOrigin": [s / 2 - 0.5 for s in step],
    }
    padded = sitk.ZeroFluxNeumannPad(sitk.GetImageFromArray(coarse), [1, 1], [1, 1])
    return np.asarray(sitk.GetArrayFromImage(sitk.Resample(padded, interpolator=sitk.sitkLinear, **grid)))
