"""The patient's surroundings in the beam: the edge of the table and a drape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.simulation.imaging import Image, blurred, enlarged
from prostreg.simulation.random_streams import drawn, stream
from prostreg.simulation.settings import SimulatorSettings

Lengths = dict[str, NDArray[np.float32]]

TABLE_MM = (0.4, 1.2)
"""Aluminium equivalent of a carbon fibre table."""
RAIL_MM = (0.5, 2.5)
RAIL_WIDTH_MM = (12.0, 30.0)
TABLE_OFFSET = (0.32, 0.48)
"""Of the field: how far the table's edge lies from the middle."""
DRAPE_GRID = 48


def add_table(lengths_mm: Lengths, settings: SimulatorSettings, seed: int, carm: CArm) -> None:
    """Adds the edge of a table, with its rail, along one side of the image."""
    rng = stream(seed, "table")
    if rng.random() >= settings.table_share:
        return
    angle, sign = rng.normal(0, 0.08) + rng.choice([0.0, 0.0, np.pi / 2]), rng.choice([-1.0, 1.0])
    plate, rail = drawn(rng, TABLE_MM), drawn(rng, RAIL_MM)
    width_mm, offset = drawn(rng, RAIL_WIDTH_MM), drawn(rng, TABLE_OFFSET)
    pitch_mm = carm.detector_spacing_mm[0]
    u, v = np.meshgrid(np.arange(carm.width) - carm.width / 2, np.arange(carm.height) - carm.height / 2)
    beyond_mm = (sign * (np.cos(angle) * u + np.sin(angle) * v) - offset * min(carm.size)) * pitch_mm
    on_table = _step(-beyond_mm, pitch_mm)
    on_rail = on_table * _step(beyond_mm + width_mm, pitch_mm)
    _add(lengths_mm, "aluminium", plate * on_table + rail * on_rail)


def add_drape(lengths_mm: Lengths, settings: SimulatorSettings, seed: int, carm: CArm) -> None:
    """Adds a drape: a thin layer with folds, over all of the image or part of it."""
    rng = stream(seed, "drape")
    if rng.random() >= settings.drape_share:
        return
    thickness_mm = drawn(rng, settings.drape_mm)
    shape = (DRAPE_GRID, DRAPE_GRID)
    stretch = float(rng.uniform(1.5, 6))
    waves = _noise(rng, shape, stretch)
    folds = np.maximum(1 - np.abs(waves) / 0.35, 0.0) ** 2
    cover = 1 / (1 + np.exp(-(_noise(rng, shape, 16.0) + rng.uniform(0, 3)) * 8))
    layer = thickness_mm * cover * (0.4 + 0.2 * _noise(rng, shape, 4.0) + 1.0 * folds)
    _add(lengths_mm, "water", np.maximum(enlarged(layer, (carm.height, carm.width)), 0.0))


def _noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Image:
    smooth = blurred(rng.normal(size=shape), sigma)
    return np.asarray((smooth - smooth.mean()) / max(float(smooth.std()), 1e-9))


def _step(distance_mm: Image, pitch_mm: float) -> Image:
    return np.asarray(np.clip(distance_mm / (2 * pitch_mm) + 0.5, 0.0, 1.0))


def _add(lengths_mm: Lengths, material: str, added: Image) -> None:
    earlier = lengths_mm.get(material)
    lengths_mm[material] = added.astype(np.float32) if earlier is None else earlier + added.astype(np.float32)
