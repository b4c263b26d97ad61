"""The inputs of the fused kernels, wherever they run: a volume as flat arrays, and poses as flat numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume
from prostreg.projector.occupancy import occupancy_cells
from prostreg.projector.rays import index_rays, padded_index_from_volume, padded_values


class KernelInputs:
    """A volume as `plane_march.pixel` reads it.

    Args:
        volume: attenuation in 1/mm.

    Attributes:
        values: of the padded volume, flat.
        cells: of its occupancy grid, flat.
        grid: strides of the values, strides of the cells, and the size without padding, each along (i, j, k).
    """

    def __init__(self, volume: Volume) -> None:
        padded = padded_values(volume)
        cells = occupancy_cells(padded)
        self.values, self.cells = padded.ravel(), cells.ravel()
        self.grid = (*_strides(padded), *_strides(cells), *volume.size)
        self._index_from_volume = padded_index_from_volume(volume)

    def poses(self, camera_from_volume: NDArray[np.float64], carms: Sequence[CArm]) -> NDArray[np.float64]:
        """The numbers (n, NUMBERS_PER_POSE) of poses (n, 4, 4), seen by one C-arm or each by its own of the same size.

        Raises:
            ValueError: the C-arms' images differ in size.
        """
        if len({carm.size for carm in carms}) != 1:
            raise ValueError("images of one call have one size")
        index_from_camera, source = index_rays(self._index_from_volume, camera_from_volume)
        camera_from_pixel = np.array([np.linalg.inv(carm.intrinsics).ravel() for carm in carms])
        count = len(camera_from_volume)
        return np.concatenate(
            [np.broadcast_to(camera_from_pixel, (count, 9)), index_from_camera.reshape(count, 9), source], axis=1
        )


def _strides(values: NDArray[np.generic]) -> tuple[int, int, int]:
    """Along i, j and k of values [k, j, i]."""
    return 1, values.shape[2], values.shape[2] * values.shape[1]
