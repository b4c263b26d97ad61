"""X-rays of a phantom of beads, blurred and noisy, and the list of its beads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prostreg.simulation.imaging import blurred

OVERSAMPLING = 4
BEAD_RADIUS_MM, BEAD_SHADE = 1.5, 0.7
"""In the phantom; and how much of the radiation the middle of a bead takes away."""


def bead_image(
    centres_px: NDArray[np.float64], size: tuple[int, int], radius_px: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Intensities (height, width) of spheres at (n, 2) before a slope of tissue, with blur of 1 pixel and 1 % noise."""
    width, height = size
    fine_u, fine_v = ((np.arange(n * OVERSAMPLING) + 0.5) / OVERSAMPLING - 0.5 for n in (width, height))
    chords = np.zeros((height * OVERSAMPLING, width * OVERSAMPLING), dtype=np.float32)
    for u, v in centres_px:
        rows = np.flatnonzero(np.abs(fine_v - v) <= radius_px)
        columns = np.flatnonzero(np.abs(fine_u - u) <= radius_px)
        square = 1 - ((fine_u[columns] - u) ** 2 + (fine_v[rows, None] - v) ** 2) / radius_px**2
        chords[np.ix_(rows, columns)] += np.sqrt(np.maximum(square, 0)).astype(np.float32)
    light = np.exp(np.log(1 - BEAD_SHADE) * chords)
    light = light.reshape(height, OVERSAMPLING, width, OVERSAMPLING).mean(axis=(1, 3))
    v, u = np.mgrid[:height, :width]
    ground = 3000 - 1500 * np.exp(-(((u - 0.45 * width) / width) ** 2 + ((v - 0.6 * height) / height) ** 2) / 0.1)
    image = blurred((ground * light).astype(np.float32), 1.0)
    return np.asarray(image + rng.normal(0, 20, image.shape), dtype=np.float32)


def write_bead_list(path: Path, points_mm: NDArray[np.float64], marks_px: NDArray[np.float64]) -> Path:
    """Writes the CSV that ``prostreg calibrate`` reads; no u, v where a mark is NaN."""
    lines = ["name,x,y,z,u,v"]
    for number, (point, mark) in enumerate(zip(points_mm, marks_px, strict=True)):
        told = map(str, mark) if np.isfinite(mark).all() else ("", "")
        lines.append(",".join([f"b{number}", *map(str, point), *told]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
