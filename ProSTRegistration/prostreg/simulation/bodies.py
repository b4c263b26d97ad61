"""The bodies of one CT: each has other soft tissue and other hip angles, all have the same bones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix, transform_points
from prostreg.images.anatomy import anatomy_bounds
from prostreg.images.volume import Volume
from prostreg.projector.selection import make_projector
from prostreg.simulation.continuation import continued
from prostreg.simulation.deformation import BONE_HU, SoftTissue
from prostreg.simulation.femora import joint_centres_mm, turn_about, turnable_femora, with_turned_femur
from prostreg.simulation.fine_grid import FINEST_SPACING_MM, affordable, refined
from prostreg.simulation.random_streams import drawn, stream
from prostreg.simulation.settings import SimulatorSettings
from prostreg.simulation.tissue import MATERIALS, tissue_shares

MOST_KEPT = 4
BONE_POINTS = 3000


class Body:
    """Renders the lengths that rays run through each material.

    Args:
        hu: the body on a fine grid.
    """

    def __init__(self, hu: Volume) -> None:
        self._projectors = {}
        for material, shares in tissue_shares(hu.values).items():
            if (shares > 0).any():
                first, size = anatomy_bounds(shares > 0, 1)
                self._projectors[material] = make_projector(hu.with_values(shares).cropped(first, size))

    def lengths_mm(self, carm: CArm, camera_from_volume: Matrix) -> dict[str, NDArray[np.float32]]:
        """Length in each material (height, width), mm at the material's usual density."""
        pose = np.asarray(camera_from_volume, dtype=np.float64)[None]
        lengths = {material: projector.render(pose, carm)[0] for material, projector in self._projectors.items()}
        return lengths or {MATERIALS[0]: np.zeros((carm.height, carm.width), dtype=np.float32)}


class Bodies:
    """Builds bodies when they are first asked for, and keeps the last few.

    Args:
        ct: HU.
        settings: how much soft tissue and femora move, and how many bodies there are.
        femora: masks in the CT's grid.
        finest_mm: spacing below which no body is rendered.
    """

    def __init__(
        self,
        ct: Volume,
        settings: SimulatorSettings,
        femora: Sequence[NDArray[np.bool_]],
        finest_mm: float = FINEST_SPACING_MM,
    ) -> None:
        self._settings = settings
        reduced, masks = affordable(ct, femora if settings.femur_turn_deg[1] > 0 else ())
        centres_mm = joint_centres_mm(reduced, masks)
        self._whole, masks = continued(reduced, masks)
        self._hu = refined(self._whole, finest_mm)
        self._femora = turnable_femora(self._whole, masks, centres_mm)
        self._centres_mm = list(centres_mm)
        self._soft_tissue: SoftTissue | None = None
        if settings.soft_tissue_shift_mm[1] > 0:
            self._soft_tissue = SoftTissue(self._whole, np.any(masks, axis=0) if masks else None)
        self._kept: OrderedDict[int, Body] = OrderedDict()
        self.bone_points_mm = _bone_points_mm(ct)

    def body(self, seed: int) -> Body:
        """The body of an image's seed."""
        number = self._number(seed)
        if number not in self._kept:
            if len(self._kept) == MOST_KEPT:
                self._kept.popitem(last=False)
            self._kept[number] = Body(self.hu(number))
        self._kept.move_to_end(number)
        return self._kept[number]

    def hu(self, number: int) -> Volume:
        """The voxels of one body on the fine grid, HU; equal numbers give equal voxels."""
        hu = self._hu
        if self._soft_tissue is not None:
            rng = stream(number, "soft tissue")
            hu = self._soft_tissue.displaced(hu, drawn(rng, self._settings.soft_tissue_shift_mm), rng)
        for femur, turn_rad in zip(self._femora, self._turns_rad(number), strict=True):
            hu = with_turned_femur(hu, self._whole, femur, turn_rad)
        return hu

    def femur_motions(self, seed: int) -> list[Matrix]:
        """The motion (4, 4) of each femur in the CT's frame in an image of a seed; none for one without a joint."""
        turns_rad = iter(self._turns_rad(self._number(seed)))
        return [np.eye(4) if centre is None else turn_about(centre, next(turns_rad)) for centre in self._centres_mm]

    def _number(self, seed: int) -> int:
        """The body that an image of a seed shows."""
        if self._soft_tissue is None and not self._femora:
            return self._settings.first_body
        return self._settings.first_body + int(stream(seed, "body").integers(self._settings.bodies))

    def _turns_rad(self, number: int) -> list[NDArray[np.float64]]:
        """Axis times angle (3,) of each femur that has a joint."""
        rng, turns_rad = stream(number, "femora"), []
        for _ in self._femora:
            axis = rng.normal(size=3)
            angle = np.deg2rad(drawn(rng, self._settings.femur_turn_deg))
            turns_rad.append(np.asarray(angle * axis / np.linalg.norm(axis)))
        return turns_rad


def _bone_points_mm(ct: Volume) -> NDArray[np.float64]:
    """Some points of the CT's bone (n, 3), RAS."""
    places = np.flatnonzero(ct.values.ravel() > BONE_HU)
    chosen = np.sort(np.random.default_rng(0).choice(places, min(BONE_POINTS, len(places)), replace=False))
    k, j, i = np.unravel_index(chosen, ct.values.shape)
    return transform_points(ct.volume_from_index, np.stack([i, j, k], axis=-1))
