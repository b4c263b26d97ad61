"""Random numbers of a simulated image: each effect draws from a stream of its own."""

from __future__ import annotations

import zlib

import numpy as np

from prostreg.simulation.settings import Range


def stream(seed: int, effect: str) -> np.random.Generator:
    """The stream of one effect: it depends on the seed and the effect's name, not on other effects."""
    return np.random.default_rng([seed, zlib.crc32(effect.encode())])


def drawn(rng: np.random.Generator, limits: Range) -> float:
    """A number from the range, evenly."""
    return float(rng.uniform(*limits))


def drawn_log(rng: np.random.Generator, limits: Range) -> float:
    """A number from a positive range, evenly on a log scale."""
    return float(np.exp(rng.uniform(*np.log(limits))))
