"""The resolutions of a registration: coarse for the global search, fine for the last millimetre."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix, transform_points
from prostreg.images.attenuation import moving_volume
from prostreg.images.pyramid import reduced_volume, reduced_xray, reduction_factors
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.projector.selection import Projector, make_projector
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.readings import xray_read_as
from prostreg.search.candidate import Reading
from prostreg.search.objective import Objective
from prostreg.similarity.selection import similarity_called

SURROUNDINGS_HU = 50.0
"""Bone is projected as what it absorbs beyond muscle: the soft tissue in the image is not in the DRR."""

MARGIN_SPREADS = 1.5
MARGIN_SHARE = 0.15
"""The region of interest reaches beyond the anatomy by 1.5 times the start's uncertainty and 15 % of its size."""


@dataclass(frozen=True, eq=False)
class _Region:
    """The part of a view where the anatomy may be.

    Attributes:
        extent_px: longer side of the anatomy's projection, at most that of the image.
        pixel_mm: size of a pixel at the anatomy's depth.
    """

    xray: XRay
    carm: CArm
    extent_px: float
    pixel_mm: float


def bone_volume(ct: Volume, mask: NDArray[np.bool_]) -> Volume:
    """Attenuation in 1/mm of what a mask of the CT's grid holds, beyond that of muscle; empty elsewhere."""
    return moving_volume(ct, mask, surroundings_hu=SURROUNDINGS_HU)


class Levels:
    """Builds the objective of a case at each resolution, when it is first needed.

    Args:
        case: what is registered; the bones around it that have a pose lie in every DRR.
        world_from_volume: the start pose.
        points_mm: points (n, 3) of the anatomy in the volume frame.
        centre_mm: their centre (3,).
        spread_mm: uncertainty of the start in the image plane.
        config: resolutions, patches and projector.
    """

    def __init__(
        self,
        case: Case,
        world_from_volume: Matrix,
        points_mm: NDArray[np.float64],
        centre_mm: NDArray[np.float64],
        spread_mm: float,
        config: RegistrationConfig,
    ) -> None:
        self._points_mm, self._centre_mm = points_mm, centre_mm
        self._config = config
        self._volume = bone_volume(case.ct, case.anatomy)
        self._others = [(bone_volume(case.ct, other.anatomy), other.world_from_volume) for other in case.others]
        points_world = transform_points(world_from_volume, points_mm)
        self._read: dict[Reading, Levels] = {}
        self._projectors: dict[tuple[Volume, tuple[int, ...], str], Projector] = {}
        self._regions = [_region(view, points_world, spread_mm) for view in case.views]

    def reading_at(self, world_from_volume: Matrix) -> Reading:
        """The reading of the views that fits a pose (4, 4) best."""
        if all(region.xray.other is None for region in self._regions):
            return (False,) * len(self._regions)
        return self.coarse.reading_at(world_from_volume)

    def judging(self, world_from_volume: Matrix) -> Objective:
        """The level at which a pose (4, 4) is judged, its views read as fits it best."""
        return self.read_as(self.reading_at(world_from_volume)).middle

    def read_as(self, reading: Reading) -> Levels:
        """The same with the polarity of every view decided."""
        if reading not in self._read:
            levels = copy(self)
            levels._regions = [
                replace(region, xray=xray_read_as(region.xray, is_other))
                for region, is_other in zip(self._regions, reading, strict=True)
            ]
            levels._forget_objectives()
            self._read[reading] = levels
        return self._read[reading]

    def with_views(self, views: Sequence[View], world_from_volume: Matrix, spread_mm: float) -> Levels:
        """The same anatomy in other X-rays, about another pose (4, 4); what was made of the CT is shared.

        Args:
            views: as many as before, each with its polarity decided.
            world_from_volume: about which the anatomy is looked for.
            spread_mm: uncertainty of that in the image plane.
        """
        levels, points_world = copy(self), transform_points(world_from_volume, self._points_mm)
        levels._read, levels._regions = {}, [_region(view, points_world, spread_mm) for view in views]
        levels._forget_objectives()
        return levels

    def with_other(self, volume: Volume, world_from_volume: Matrix) -> Levels:
        """The same with one more bone in every DRR: its attenuation (see `bone_volume`) and its pose (4, 4)."""
        levels = copy(self)
        levels._others, levels._read = [*self._others, (volume, world_from_volume)], {}
        levels._forget_objectives()
        return levels

    def on_cpu(self) -> Levels:
        """The same, computed on the CPU."""
        levels = copy(self)
        levels._config, levels._read = replace(self._config, device="cpu"), {}
        levels._forget_objectives()
        return levels

    def _forget_objectives(self) -> None:
        for level in ("coarse", "middle", "fine"):
            self.__dict__.pop(level, None)

    @cached_property
    def coarse(self) -> Objective:
        """For the global search: small images, and voxels twice as large as their pixels.

        Where a polarity is open, a pose is worth what the better reading gives it.
        """
        return self._objective(self._config.search_pixels, self._config.patch_radius_px, 2, voxels_per_pixel=2.0)

    @cached_property
    def middle(self) -> Objective:
        """The level at which poses are refined, compared and judged."""
        return self._objective(self._config.judge_pixels, self._config.patch_radius_px, 2, voxels_per_pixel=1.0)

    @cached_property
    def fine(self) -> Objective:
        """For the final polish; patches as large on the detector as at the middle level."""
        radius = round(self._config.patch_radius_px * self._config.polish_pixels / self._config.judge_pixels)
        return self._objective(self._config.polish_pixels, max(radius, 1), max(2, radius // 3), voxels_per_pixel=1.0)

    def _objective(self, pixels: int, patch_radius_px: int, patch_stride_px: int, voxels_per_pixel: float) -> Objective:
        """The objective in which the anatomy has about ``pixels`` along its longer side.

        ``voxels_per_pixel`` is the voxel spacing over the size of a pixel at the anatomy.
        """
        views, footprints_mm = [], []
        for region in self._regions:
            factor = max(1, round(region.extent_px / pixels))
            views.append(reduced_xray(region.xray, region.carm, factor))
            footprints_mm.append(region.pixel_mm * factor)
        spacing_mm = voxels_per_pixel * min(footprints_mm)
        projector, similarity = self._projector(self._volume, spacing_mm), similarity_called(self._config.similarity)
        alone = Objective(projector, views, self._centre_mm, patch_radius_px, patch_stride_px, similarity)
        if not self._others:
            return alone
        return alone.with_others([(self._projector(volume, spacing_mm), pose) for volume, pose in self._others])

    def _projector(self, volume: Volume, spacing_mm: float) -> Projector:
        """The projector of a volume at about a spacing, made once."""
        key = (volume, reduction_factors(volume, spacing_mm), self._config.device)
        if key not in self._projectors:
            reduced = reduced_volume(volume, spacing_mm)
            self._projectors[key] = make_projector(reduced, self._config.projector, self._config.device)
        return self._projectors[key]


def _region(view: View, points_world_mm: NDArray[np.float64], spread_mm: float) -> _Region:
    carm, size = view.carm, np.array(view.carm.size)
    points_camera = transform_points(carm.camera_from_world, points_world_mm)
    pixels = carm.project(points_camera)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    pixel_mm = float(np.median(points_camera[:, 2])) / float(carm.intrinsics[0, 0])
    margin = MARGIN_SPREADS * spread_mm / pixel_mm + MARGIN_SHARE * (high - low)
    first = np.clip(np.floor(low - margin), 0, size - 1).astype(int)
    last = np.clip(np.ceil(high + margin), first, size - 1).astype(int)
    (left, top), (right, bottom) = first, last + 1
    cut = (slice(top, bottom), slice(left, right))
    xray = _cut(view.xray, cut)
    extent = float(min((high - low).max(), size.max()))
    return _Region(xray, carm.cropped(int(left), int(top), (int(right - left), int(bottom - top))), extent, pixel_mm)


def _cut(xray: XRay, cut: tuple[slice, slice]) -> XRay:
    values, mask = np.ascontiguousarray(xray.line_integrals[cut]), np.ascontiguousarray(xray.mask[cut])
    return XRay(values, mask, xray.polarity, None if xray.other is None else _cut(xray.other, cut))
