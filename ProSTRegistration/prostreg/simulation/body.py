"""A body as the X-rays meet it: how far every ray runs through each material."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix
from prostreg.images.anatomy import anatomy_bounds
from prostreg.images.volume import Volume
from prostreg.projector.selection import make_projector
from prostreg.simulation.tissue import MATERIALS, tissue_shares


class Body:
    """Renders the lengths that rays run through each material.

    Args:
        hu: the body on a fine grid.
    """

    def __init__(self, hu: Volume) -> None:
        self._projectors = {}
        for material in MATERIALS:
            shares = tissue_shares(hu.values, material)
            if (shares > 0).any():
                first, size = anatomy_bounds(shares > 0, 1)
                self._projectors[material] = make_projector(hu.with_values(shares).cropped(first, size))

    def lengths_mm(self, carm: CArm, camera_from_volume: Matrix) -> dict[str, NDArray[np.float32]]:
        """Length in each material (height, width), mm at the material's usual density."""
        pose = np.asarray(camera_from_volume, dtype=np.float64)[None]
        lengths = {material: projector.render(pose, carm)[0] for material, projector in self._projectors.items()}
        return lengths or {MATERIALS[0]: np.zeros((carm.height, carm.width), dtype=np.float32)}
