"""A scalar volume with its place in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prostreg.geometry.frames import Matrix, transform_points


@dataclass(frozen=True, eq=False)
class Volume:
    """Values on a regular grid, in the patient's RAS frame.

    Attributes:
        values: (slices, rows, columns) = [k, j, i], float32; HU or attenuation in 1/mm.
        volume_from_index: (4, 4), maps voxel-centre indices (i, j, k) to RAS mm.
        note: a sentence on its file that a result shall repeat as a warning.
    """

    values: NDArray[np.float32]
    volume_from_index: Matrix
    note: str | None = None

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels along (i, j, k)."""
        slices, rows, columns = self.values.shape
        return columns, rows, slices

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """Voxel spacing along (i, j, k)."""
        return np.asarray(np.linalg.norm(self.volume_from_index[:3, :3], axis=0))

    @property
    def centre_mm(self) -> NDArray[np.float64]:
        """Centre of the grid in RAS mm."""
        return transform_points(self.volume_from_index, (np.array(self.size) - 1) / 2)

    def corners_mm(self) -> NDArray[np.float64]:
        """The eight outer corners (8, 3), half a voxel beyond the voxel centres, in RAS mm."""
        low, high = -0.5 * np.ones(3), np.array(self.size) - 0.5
        corners = np.array([[(low, high)[b][axis] for axis, b in enumerate(bits)] for bits in np.ndindex(2, 2, 2)])
        return transform_points(self.volume_from_index, corners)

    def cropped(self, first: ArrayLike, size: ArrayLike) -> Volume:
        """The block that starts at index ``first`` (i, j, k) and has ``size`` voxels along (i, j, k)."""
        i, j, k = np.asarray(first, dtype=int)
        ni, nj, nk = np.asarray(size, dtype=int)
        volume_from_index = self.volume_from_index.copy()
        volume_from_index[:3, 3] = transform_points(self.volume_from_index, (i, j, k))
        return Volume(np.ascontiguousarray(self.values[k : k + nk, j : j + nj, i : i + ni]), volume_from_index)

    def with_values(self, values: NDArray[np.float32]) -> Volume:
        """The same grid with other values."""
        return Volume(values, self.volume_from_index)
