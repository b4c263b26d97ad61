"""Femora that turn in their hip joints between CT and X-ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.geometry.rotations import rotation_from_vector
from prostreg.geometry.spheres import HEAD_RADIUS_MM, sphere_among
from prostreg.images.anatomy import anatomy_bounds
from prostreg.images.grid_resampling import resampled
from prostreg.images.volume import Volume
from prostreg.simulation.fine_grid import refined_mask

Mask = NDArray[np.bool_]

AIR_HU = -1000.0
BONE_HU = 150.0
METAL_HU = 1800.0
SOFT_TISSUE_HU = 60.0
"""What is left where a femur was."""
JOINT_GAP_MM = 8.0
FEWEST_JOINT_VOXELS = 20
REACH_MM = 4.0
"""Around a femur's mask: belongs to its surface."""


@dataclass(frozen=True, eq=False)
class Femur:
    """A femur that can turn; its masks are in the grid of the CT.

    Attributes:
        around: the femur with its surface and its implants.
        others: bones that it turns against.
        centre_mm: of the hip joint, RAS.
    """

    around: Mask
    others: Mask
    centre_mm: NDArray[np.float64]


def joint_centres_mm(ct: Volume, masks: Sequence[Mask]) -> list[NDArray[np.float64] | None]:
    """Centre of each femur's hip joint (3,), RAS; None where the CT shows no joint.

    It is that of the sphere (by least squares) through the femur's voxels that lie within JOINT_GAP_MM of the
    pelvis; its radius has to be that of a femoral head.
    """
    if not masks:
        return []
    others = _others(ct, masks)
    return [_joint_centre_mm(ct, mask, others) for mask in masks]


def turnable_femora(ct: Volume, masks: Sequence[Mask], centres_mm: Sequence[NDArray[np.float64] | None]) -> list[Femur]:
    """The femora whose joint is known, with their implants, in the grid of ``ct``."""
    if not masks:
        return []
    others = _others(ct, masks)
    return [
        Femur(_grown(_with_implants(ct, mask), REACH_MM, ct.spacing_mm) & ~others, others, centre)
        for mask, centre in zip(masks, centres_mm, strict=True)
        if centre is not None
    ]


def _others(ct: Volume, masks: Sequence[Mask]) -> Mask:
    """Bones that are no femur."""
    bone = ct.values > BONE_HU
    for mask in masks:
        bone &= ~_with_implants(ct, mask)
    return _without_shells(bone)


def with_turned_femur(hu: Volume, ct: Volume, femur: Femur, rotation_vector_rad: NDArray[np.float64]) -> Volume:
    """The body (HU) with a femur turned about its joint; other bones stay as they are.

    Args:
        hu: body on a fine grid.
        ct: the grid of the femur's masks.
        rotation_vector_rad: axis times angle (3,) in RAS.
    """
    around = refined_mask(femur.around, ct, hu) > 0.5
    if not around.any():
        return hu
    first, size = anatomy_bounds(around, 2)
    alone = hu.with_values(np.where(around, hu.values, np.float32(AIR_HU))).cropped(first, size)
    turn = turn_about(femur.centre_mm, rotation_vector_rad)
    alone_from_hu = np.linalg.inv(alone.volume_from_index) @ invert_rigid(turn) @ hu.volume_from_index
    turned = resampled(alone.values, hu.size, alone_from_hu, "linear", AIR_HU)
    emptied = np.where(around, np.minimum(hu.values, np.float32(SOFT_TISSUE_HU)), hu.values)
    stays = refined_mask(femur.others, ct, hu) > 0.0
    return hu.with_values(np.where(stays, hu.values, np.maximum(emptied, turned)).astype(np.float32))


def turn_about(centre_mm: NDArray[np.float64], rotation_vector_rad: NDArray[np.float64]) -> Matrix:
    """The motion (4, 4) of a bone that turns by axis times angle (3,) about a centre (3,) in the same frame."""
    turn = np.eye(4)
    turn[:3, :3] = rotation_from_vector(rotation_vector_rad)
    turn[:3, 3] = centre_mm - turn[:3, :3] @ centre_mm
    return turn


def _joint_centre_mm(ct: Volume, mask: Mask, others: Mask) -> NDArray[np.float64] | None:
    near_pelvis = _grown(others, JOINT_GAP_MM, ct.spacing_mm)
    k, j, i = np.nonzero(mask & ~_shrunk(mask) & near_pelvis)
    if len(i) < FEWEST_JOINT_VOXELS:
        return None
    points = transform_points(ct.volume_from_index, np.stack([i, j, k], axis=-1))
    head = sphere_among(points, float(ct.spacing_mm.max()) / 2)
    return head.centre_mm if HEAD_RADIUS_MM[0] <= head.radius_mm <= HEAD_RADIUS_MM[1] else None


def _with_implants(ct: Volume, mask: Mask) -> Mask:
    """The mask and all metal that is connected with it."""
    together = sitk.GetImageFromArray(((ct.values > METAL_HU) | mask).astype(np.uint8))
    connected = sitk.BinaryReconstructionByDilation(sitk.GetImageFromArray(mask.astype(np.uint8)), together, 1.0, 0.0)
    return np.asarray(sitk.GetArrayFromImage(connected), dtype=bool)


def _without_shells(mask: Mask) -> Mask:
    opened = sitk.BinaryMorphologicalOpening(sitk.GetImageFromArray(mask.astype(np.uint8)), [1, 1, 1])
    return np.asarray(sitk.GetArrayFromImage(opened), dtype=bool)


def _shrunk(mask: Mask) -> Mask:
    return np.asarray(
        sitk.GetArrayFromImage(sitk.BinaryErode(sitk.GetImageFromArray(mask.astype(np.uint8)), [1, 1, 1])), dtype=bool
    )


def _grown(mask: Mask, radius_mm: float, spacing_mm: NDArray[np.float64]) -> Mask:
    radius = [max(1, round(radius_mm / float(s))) for s in spacing_mm]
    grown = sitk.BinaryDilate(sitk.GetImageFromArray(mask.astype(np.uint8)), radius)
    return np.asarray(sitk.GetArrayFromImage(grown), dtype=bool)
