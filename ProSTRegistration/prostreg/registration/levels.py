"""The resolutions of a registration: coarse for the global search, fine for the last millimetre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.frames import Matrix, transform_points
from prostreg.images.attenuation import moving_volume
from prostreg.images.pyramid import reduced_volume, reduced_xray
from prostreg.projector.selection import make_projector
from prostreg.registration.case import Case
from prostreg.search.objective import Objective

SURROUNDINGS_HU = 50.0
"""Bone is projected as what it absorbs beyond muscle: the soft tissue in the image is not in the DRR."""


class Levels:
    """Builds the objective of a case at any resolution.

    Args:
        case: what is registered.
        world_from_volume: a typical pose, for the size of a pixel at the anatomy.
        centre_mm: the anatomy's centre (3,) in the volume frame.
        projector: name of the projector.
    """

    def __init__(self, case: Case, world_from_volume: Matrix, centre_mm: NDArray[np.float64], projector: str) -> None:
        self._case = case
        self._centre_mm = centre_mm
        self._centre_world_mm = transform_points(world_from_volume, centre_mm)
        self._projector = projector
        self._volume = moving_volume(case.ct, case.anatomy, surroundings_hu=SURROUNDINGS_HU)

    def objective(self, pixels: int, patch_radius_px: int, patch_stride_px: int, voxels_per_pixel: float) -> Objective:
        """The objective whose images have about ``pixels`` along their longer side.

        Args:
            patch_radius_px: of the similarity's patches.
            patch_stride_px: between patches.
            voxels_per_pixel: voxel spacing over the size of a pixel at the anatomy.
        """
        views, footprints_mm = [], []
        for view in self._case.views:
            factor = max(1, round(max(view.carm.size) / pixels))
            xray, carm = reduced_xray(view.xray, view.carm, factor)
            depth = transform_points(carm.camera_from_world, self._centre_world_mm)[2]
            views.append((xray, carm))
            footprints_mm.append(depth / carm.intrinsics[0, 0])
        volume = reduced_volume(self._volume, voxels_per_pixel * min(footprints_mm))
        projector = make_projector(volume, self._projector)
        return Objective(projector, views, self._centre_mm, patch_radius_px, patch_stride_px)
