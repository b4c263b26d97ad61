"""The tissue of a made-up person, in HU: bones with a shell and a spongy inside, muscle, fat, bladder and bowel.

Densities of shell and spongy bone were set beside the histograms of one real CT (pelvis-lumbar); nothing else of it is
used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Points = NDArray[np.float64]
Grid = NDArray[np.float32]

SACRUM, FEMORA = 25, (75, 76)
AIR_HU, FAT_HU, MUSCLE_HU, URINE_HU, GAS_HU = -1000.0, -100.0, 50.0, 8.0, -900.0
THIN_SHELL = 0.5
"""Of sacrum and vertebrae, as a share of the hips' shell."""
SHAFT_MM = (30.0, 60.0)
"""Below the hip centres: where a femur's shell begins to grow, and over which length."""
MARROW_HU = -20.0
ROOF_HU, ROOF_MM = 150.0, (27.0, 6.0)
"""The denser bone above a hip joint, and its distance from the centre with its spread."""
HEAD_HU, HEAD_MM = 110.0, 16.0
ORGANS = (1, 7)
SUPERELLIPSE = 2.4
UNBLURRED = 1.84
"""What linear interpolation between nodes of white noise takes of its deviation, on average."""


@dataclass(frozen=True)
class Build:
    """The tissue of one person, in HU and mm.

    Attributes:
        spongy_hu: inside of hips and femora.
        sacrum_hu: inside of the sacrum and, halfway to the hips, of vertebrae.
        cortex_hu: of a dense shell.
        cortex_mm: its thickness at the hips.
        shaft_mm: its thickness far down the femora.
        fat_mm: below the skin.
        flesh_mm: around the bones, to the sides and to front and back, before half of the fat is added.
    """

    spongy_hu: float
    sacrum_hu: float
    cortex_hu: float
    cortex_mm: float
    shaft_mm: float
    fat_mm: float
    flesh_mm: tuple[float, float]

    @property
    def around_mm(self) -> tuple[float, float]:
        """From the pelvis to the skin, to the sides and to front and back."""
        sides, front = self.flesh_mm
        return sides + 0.4 * self.fat_mm, front + 0.6 * self.fat_mm

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Build:
        """The build of anybody: whose hips are dense has a dense sacrum too."""
        density = rng.uniform()
        return cls(
            spongy_hu=float(60 + 160 * density),
            sacrum_hu=float(np.clip(130 * density + rng.normal(0, 15), 0, 130)),
            cortex_hu=float(rng.uniform(700, 1200)),
            cortex_mm=float(rng.uniform(0.6, 1.4)),
            shaft_mm=float(rng.uniform(3.0, 5.5)),
            fat_mm=float(rng.uniform(12, 45)),
            flesh_mm=(float(rng.uniform(20, 40)), float(rng.uniform(25, 45))),
        )


def bone_hu(
    build: Build,
    labels: NDArray[np.uint8],
    depth_mm: Grid,
    points: Points,
    hip_centres_mm: Points,
    spacing_mm: float,
    noise: tuple[Grid, Grid],
) -> Grid:
    """HU (n,) of voxels of bone.

    Args:
        build: of the person.
        labels: (n,) which bone.
        depth_mm: (n,) of the voxels' centres below the bone's surface.
        points: (n, 3) the voxels' centres, in the frame of the bones.
        hip_centres_mm: (2, 3).
        spacing_mm: of the voxels: a shell thinner than that fills a part of them.
        noise: coarse and fine structure (n,), of deviation 1.
    """
    coarse, fine = noise
    shaft = np.isin(labels, FEMORA) * np.clip((-SHAFT_MM[0] - points[:, 2]) / SHAFT_MM[1], 0, 1)
    is_hip_or_femur = labels >= FEMORA[0]
    thickness = build.cortex_mm * np.where(is_hip_or_femur, 1.0, THIN_SHELL) * np.clip(1 + 0.35 * coarse, 0.3, 2.5)
    thickness = thickness + shaft * (build.shaft_mm - build.cortex_mm)
    vertebra_hu = (build.spongy_hu + build.sacrum_hu) / 2
    base = np.where(is_hip_or_femur, build.spongy_hu, np.where(labels == SACRUM, build.sacrum_hu, vertebra_hu))
    spongy = base + 55 * coarse + 65 * fine - 5 * np.clip(depth_mm - 4, 0, 12)
    for centre in hip_centres_mm:
        distance = np.linalg.norm(points - centre, axis=1)
        roof = np.exp(-(((distance - ROOF_MM[0]) / ROOF_MM[1]) ** 2)) * (points[:, 2] > centre[2])
        spongy = spongy + ROOF_HU * roof * (labels >= 77) + HEAD_HU * np.exp(-((distance / HEAD_MM) ** 2))
    spongy = np.where((shaft > 0.3) & (depth_mm > thickness), MARROW_HU + 15 * fine, spongy)
    shell = np.clip((thickness - depth_mm) / spacing_mm + 0.5, 0.0, 1.0)
    return np.asarray(spongy + shell * (build.cortex_hu * (1 + 0.08 * coarse) - spongy), dtype=np.float32)


def soft_tissue_hu(
    build: Build, axes_mm: tuple[Points, Points, Points], box_mm: Points, near_bone: Grid, rng: np.random.Generator
) -> Grid:
    """HU (k, j, i) of everything but bone.

    Args:
        build: of the person.
        axes_mm: coordinates along x, y, z.
        box_mm: (2, 3) lowest and highest corner of the pelvis.
        near_bone: (k, j, i) how near to a bone a voxel is, 0 to 1.
        rng: of organs and of the unevenness of flesh and fat.
    """
    x, y, z = axes_mm[0][None, None, :], axes_mm[1][None, :, None], axes_mm[2][:, None, None]
    shape, step = near_bone.shape, float(axes_mm[0][1] - axes_mm[0][0])
    coarse, fine = smooth_noise(shape, 40.0 / step, rng), smooth_noise(shape, 12.0 / step, rng)
    middle, half = box_mm.mean(axis=0), np.ptp(box_mm, axis=0) / 2
    wide = [half[axis] + around for axis, around in enumerate(build.around_mm)]
    waist = 1 - 0.1 * np.clip((z - middle[2]) / half[2], 0, 1)
    radius = (
        (np.abs(x - middle[0]) / (wide[0] * waist)) ** SUPERELLIPSE
        + (np.abs(y - middle[1]) / (wide[1] * waist)) ** SUPERELLIPSE
    ) ** (1 / SUPERELLIPSE)
    radius = radius + 0.02 * coarse
    hu = np.full(shape, AIR_HU, dtype=np.float32)
    is_body = radius < 1
    flesh = is_body & ((radius < 1 - build.fat_mm / min(wide)) | (near_bone > 0.3))
    hu[is_body] = FAT_HU
    hu = np.where(flesh, MUSCLE_HU + 8 * fine, hu)
    hu = np.where(flesh & (fine + 0.8 * coarse > 1.5), FAT_HU, hu)
    inside = ((x - middle[0]) / (0.75 * half[0])) ** 2 + ((y - middle[1] - 8) / (0.85 * half[1])) ** 2 < 1
    hu = np.where(inside & (near_bone < 0.1) & (coarse > 0.1), FAT_HU, hu)
    for centre, size, value in _organs(middle, half, rng):
        distance = sum(((axis - c) / s) ** 2 for axis, c, s in zip((x, y, z), centre, size, strict=True))
        hu = np.where((distance + 0.5 * coarse < 1) & is_body, value, hu)
    return np.asarray(hu, dtype=np.float32)


def _organs(middle: Points, half: Points, rng: np.random.Generator) -> list[tuple[Points, Points, float]]:
    """Centre, size and HU of the bladder and of some loops of bowel, most of them with gas."""
    organs = [(middle + half * (0.0, 0.35, -0.55), rng.uniform(22, 42, 3), URINE_HU)]
    for _ in range(int(rng.integers(*ORGANS))):
        centre = middle + half * rng.uniform((-0.6, -0.3, -0.5), (0.6, 0.8, 1.2))
        organs.append((centre, rng.uniform(6, 22, 3), GAS_HU if rng.random() < 0.5 else 20.0))
    return organs


def smooth_noise(shape: tuple[int, ...], length: float, rng: np.random.Generator) -> Grid:
    """Noise (k, j, i) of deviation near 1 that changes over ``length`` voxels."""
    values = _coarse_noise(shape, length, rng)[None, None]
    fine = torch.nn.functional.interpolate(values, size=shape, mode="trilinear", align_corners=True)[0, 0]
    return np.asarray(fine * UNBLURRED)


def smooth_noise_at(voxels: NDArray[np.int64], shape: tuple[int, ...], length: float, rng: np.random.Generator) -> Grid:
    """The same at some voxels (n, 3) [k, j, i] of a grid, (n,)."""
    values = _coarse_noise(shape, length, rng)[None, None]
    places = 2 * voxels[:, ::-1] / np.maximum(np.array(shape[::-1]) - 1, 1) - 1
    grid = torch.from_numpy(places.astype(np.float32))[None, None, None]
    sampled = torch.nn.functional.grid_sample(values, grid, mode="bilinear", align_corners=True)
    return np.asarray(sampled[0, 0, 0, 0] * UNBLURRED)


def _coarse_noise(shape: tuple[int, ...], length: float, rng: np.random.Generator) -> torch.Tensor:
    coarse = [max(2, int(np.ceil(n / length)) + 1) for n in shape]
    return torch.from_numpy(rng.standard_normal(coarse, dtype=np.float32))
