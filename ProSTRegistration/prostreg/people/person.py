"""One drawn person: bones in their place, and a CT of them as often as wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813
import torch
from numpy.typing import NDArray

from prostreg.geometry.frames import Matrix, transform_points
from prostreg.geometry.rotations import rotation_from_vector
from prostreg.images.volume import Volume
from prostreg.people.column import VertebraPlace, lumbar_places
from prostreg.people.filling import Block, block_around, inside_share
from prostreg.people.population import Skeleton
from prostreg.people.tissue import Build, Grid, bone_hu, smooth_noise_at, soft_tissue_hu
from prostreg.samples.phantom import VERTEBRA_REACH_MM, vertebra

Points = NDArray[np.float64]

SPACING_MM = 2.0
SOFT_SPACING_MM = 4.0
"""Of the grid on which soft tissue is made."""
AIR_MM = 6.0
"""Beyond the skin, to the sides."""
LABELS = {"sacrum": 25, "hip_left": 77, "hip_right": 78, "femur_left": 75, "femur_right": 76}
"""TotalSegmentator's numbering."""
PELVIS = (25, 77, 78)
NOISE_HU = 12.0
STRUCTURE_MM = (14.0, 5.0)
"""Lengths of the unevenness inside of bones."""
LYING_DEG = (6.0, 2.0, 3.0)
"""Deviations of how the pelvis is turned in the scanner."""
HIP_DEG = ((4.0, 8.0), (0.0, 5.0), (0.0, 10.0))
"""Mean and deviation of a femur's flexion, abduction and rotation."""
LOWER_END_MM, ABOVE_CREST_MM = (-140.0, -25.0), (5.0, 70.0)


@dataclass(frozen=True, eq=False)
class Person:
    """Bones, build and the extent of the scan.

    Attributes:
        bones: as they lie in the scanner.
        spine: places of the lumbar vertebrae.
        build: of the tissue.
        ends_mm: lowest and highest z of the scan.
        seed: of what stays from day to day.
    """

    bones: Skeleton
    spine: tuple[VertebraPlace, ...]
    build: Build
    ends_mm: tuple[float, float]
    seed: int

    @classmethod
    def drawn(cls, skeleton: Skeleton, rng: np.random.Generator) -> Person:
        """A person with these bones, turned as people lie in a scanner."""
        turn = rotation_from_vector(np.deg2rad(rng.normal(0, LYING_DEG)))
        turned = {name: corners @ turn.T for name, corners in skeleton.triangles.items()}
        bones = Skeleton(turned, skeleton.hip_centres_mm @ turn.T)
        crest = max(float(turned[name][..., 2].max()) for name in ("hip_left", "hip_right", "sacrum"))
        ends = (float(rng.uniform(*LOWER_END_MM)), crest + float(rng.uniform(*ABOVE_CREST_MM)))
        spine = tuple(lumbar_places(turned["sacrum"], rng))
        return cls(bones, spine, Build.drawn(rng), ends, int(rng.integers(2**31)))

    def scanned(self, day: int) -> tuple[Volume, Volume]:
        """CT in HU, and labels; on another day hips are turned and soft tissue lies otherwise, bones are as they were.

        Args:
            day: equal days give equal voxels.
        """
        rng, lasting = np.random.default_rng([self.seed, 1, day]), np.random.default_rng([self.seed, 0])
        volume_from_index, shape = self._grid()
        scan = _Scan(volume_from_index, shape)
        for name, corners in self._moved_femora(rng).items():
            block = block_around(corners, volume_from_index, shape, 2)
            scan.add(LABELS[name], block, inside_share(corners, volume_from_index, block))
        for place in self.spine:
            block, share = _vertebra_share(place, volume_from_index, shape, lasting)
            scan.add(place.label, block, share)
        voxels = np.flatnonzero(scan.share)
        places = np.stack(np.unravel_index(voxels, shape), axis=-1)
        points = transform_points(volume_from_index, places[:, ::-1])
        coarse, fine = (smooth_noise_at(places, shape, mm / SPACING_MM, lasting) for mm in STRUCTURE_MM)
        bone = bone_hu(
            self.build,
            scan.labels.ravel()[voxels],
            scan.depth_mm.ravel()[voxels],
            points,
            self.bones.hip_centres_mm,
            SPACING_MM,
            (coarse, fine),
        )
        hu = self._soft(volume_from_index, scan.share, rng)
        flat = hu.ravel()
        flat[voxels] += scan.share.ravel()[voxels] * (bone - flat[voxels])
        hu += rng.standard_normal(shape, dtype=np.float32) * np.float32(NOISE_HU)
        labels = Volume(scan.labels.astype(np.int32), volume_from_index)
        return Volume(hu, volume_from_index), labels

    def _grid(self) -> tuple[Matrix, tuple[int, int, int]]:
        low, high = self._box_mm()
        margin = (*(mm + AIR_MM for mm in self.build.around_mm), 0.0)
        low, high = low - margin, high + margin
        low[2], high[2] = self.ends_mm
        volume_from_index = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
        volume_from_index[:3, 3] = low
        columns, rows, slices = (int(n) for n in np.ceil((high - low) / SPACING_MM))
        return volume_from_index, (slices, rows, columns)

    def _box_mm(self) -> Points:
        """Lowest and highest corner (2, 3) of the pelvis."""
        corners = np.concatenate([self.bones.triangles[n] for n in LABELS if not n.startswith("femur")]).reshape(-1, 3)
        return np.stack([corners.min(axis=0), corners.max(axis=0)])

    def _moved_femora(self, rng: np.random.Generator) -> dict[str, Points]:
        """All bones, the femora turned in their joints."""
        moved = {name: self.bones.triangles[name] for name in LABELS}
        for name, centre, side in zip(("femur_right", "femur_left"), self.bones.hip_centres_mm, (1, -1), strict=True):
            flexion, abduction, rotation = (rng.normal(*drawn) for drawn in HIP_DEG)
            turn = rotation_from_vector(np.deg2rad([flexion, -side * abduction, side * rotation]))
            moved[name] = (moved[name] - centre) @ turn.T + centre
        return moved

    def _soft(self, volume_from_index: Matrix, share: Grid, rng: np.random.Generator) -> Grid:
        """Soft tissue on a coarse grid, interpolated."""
        shape = share.shape
        coarse = [int(np.ceil(n * SPACING_MM / SOFT_SPACING_MM)) + 1 for n in shape]
        span = (np.array(shape) - 1) * SPACING_MM
        origin = volume_from_index[:3, 3]
        z, y, x = (origin[2 - a] + np.linspace(0, span[a], coarse[a]) for a in range(3))
        near = torch.nn.functional.interpolate(
            torch.from_numpy(share)[None, None], size=coarse, mode="trilinear", align_corners=True
        )
        near = torch.nn.functional.avg_pool3d(near, kernel_size=7, stride=1, padding=3)
        near = torch.nn.functional.avg_pool3d(near, kernel_size=5, stride=1, padding=2)
        hu = soft_tissue_hu(self.build, (x, y, z), self._box_mm(), 4 * near[0, 0].numpy(), rng)
        fine = torch.nn.functional.interpolate(
            torch.from_numpy(hu)[None, None], size=shape, mode="trilinear", align_corners=True
        )
        return fine[0, 0].numpy()


class _Scan:
    """Bones that are put into a grid one after another; where two meet, the first stays."""

    def __init__(self, volume_from_index: Matrix, shape: tuple[int, int, int]) -> None:
        self.labels = np.zeros(shape, dtype=np.uint8)
        self.depth_mm, self.share = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)

    def add(self, label: int, block: Block, share: Grid) -> None:
        if not share.any():
            return
        inside = share > 0.5
        # Both ends are repeated: where the scan cuts a bone there is no surface.
        image = sitk.GetImageFromArray(np.pad(inside, ((8, 8), (0, 0), (0, 0)), mode="edge").astype(np.uint8))
        distance = sitk.SignedMaurerDistanceMap(image, insideIsPositive=True, squaredDistance=False)
        depth = (sitk.GetArrayFromImage(distance)[8:-8] + np.where(inside, 0.5, -0.5)) * SPACING_MM
        free = np.minimum(share, 1 - self.share[block])
        is_new = (free > 0) & (self.labels[block] == 0)
        self.depth_mm[block] = np.where(is_new, depth, self.depth_mm[block])
        self.labels[block] = np.where(is_new & inside, label, self.labels[block])
        self.share[block] += np.where(is_new, free, 0)


def _vertebra_share(
    place: VertebraPlace, volume_from_index: Matrix, shape: tuple[int, int, int], rng: np.random.Generator
) -> tuple[Block, Grid]:
    reach = place.scale * np.array(VERTEBRA_REACH_MM)
    corners = transform_points(place.frame, np.array([-reach, reach, reach * (-1, 1, 1), reach * (1, -1, 1)]))
    block = block_around(corners, volume_from_index, shape, 0)
    if any(part.start == part.stop for part in block):
        return block, np.zeros([part.stop - part.start for part in block], dtype=np.float32)
    k, j, i = np.meshgrid(*(np.arange(part.start, part.stop) for part in block), indexing="ij")
    points = transform_points(volume_from_index, np.stack([i, j, k], axis=-1))
    local = (points - place.frame[:3, 3]) @ place.frame[:3, :3]
    return block, vertebra(local, place.scale, rng)[0].astype(np.float32)
