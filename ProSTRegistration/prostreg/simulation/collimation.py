"""The collimator: which part of the detector the open beam reaches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.simulation.imaging import Image, blurred
from prostreg.simulation.random_streams import drawn, stream
from prostreg.simulation.settings import SimulatorSettings

LEAK = (0.0005, 0.004)
PENUMBRA_MM = (0.3, 1.2)
OFF_CENTRE = 0.06
ROUND_SHARE = 0.5
TILTED_SHARE = 0.5
LARGEST_TILT_RAD = 0.4


def beam_share(settings: SimulatorSettings, seed: int, carm: CArm) -> Image:
    """Share of the beam that reaches each pixel (height, width): 1 inside, nearly 0 under the leaves."""
    rng = stream(seed, "collimation")
    if rng.random() >= settings.collimation_share:
        return np.ones((carm.height, carm.width))
    is_round, is_tilted = rng.random(2) < (ROUND_SHARE, TILTED_SHARE)
    side = min(carm.size)
    openings = np.array([drawn(rng, settings.collimator_opening) for _ in range(2)]) * side / 2
    centre = (np.array(carm.size) - 1) / 2 + rng.normal(0, OFF_CENTRE, 2) * side
    angle = rng.uniform(-LARGEST_TILT_RAD, LARGEST_TILT_RAD) * is_tilted
    leak, penumbra_mm = drawn(rng, LEAK), drawn(rng, PENUMBRA_MM)
    u, v = np.meshgrid(np.arange(carm.width) - centre[0], np.arange(carm.height) - centre[1])
    inside = _signed_distance(u, v, openings, angle, bool(is_round))
    edge = np.clip(inside + 0.5, 0.0, 1.0)
    soft = blurred(edge, penumbra_mm / carm.detector_spacing_mm[0])
    return np.asarray(leak + (1 - leak) * soft)


def _signed_distance(
    u: Image, v: Image, openings: NDArray[np.float64], angle: float, is_round: bool
) -> NDArray[np.float64]:
    """Pixels from the opening's edge, positive inside."""
    if is_round:
        return np.asarray(openings.max() - np.hypot(u, v))
    along = np.cos(angle) * u + np.sin(angle) * v
    across = np.cos(angle) * v - np.sin(angle) * u
    return np.asarray(np.minimum(openings[0] - np.abs(along), openings[1] - np.abs(across)))
