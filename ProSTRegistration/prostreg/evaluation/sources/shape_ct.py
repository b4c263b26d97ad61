"""A CT made of the shapes of bones: for patients of whom only label maps are shared.

Bones get a dense shell and a spongy inside, uneven in a way that is this patient's own; around them are muscle, and
fat below the skin. Values are of the order that textbooks give. It is no picture of that patient's tissue, only of the
shape of the bones.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.images.anatomy import anatomy_bounds
from prostreg.images.volume import Volume

MARGIN_MM = (35.0, 45.0, 0.0)
"""Body beyond the bones, to the sides, to front and back, and beyond the scan's ends."""

FAT_MM = 20.0
AIR_HU, FAT_HU, MUSCLE_HU = -1000.0, -100.0, 50.0

SHELL_HU, SHELL_MM = 1000.0, 1.5
SPONGY_HU, SPONGY_SPREAD_HU = 200.0, 60.0
UNEVEN_MM = 6.0
"""Size of the unevenness of the spongy inside."""


def ct_of_labels(labels: Volume) -> Volume:
    """A CT (HU) in the labels' grid, made wider by the body around; equal labels give equal voxels.

    Args:
        labels: not zero is bone.
    """
    rng = np.random.default_rng(int(labels.values.sum()))
    values, volume_from_index = _padded(labels)
    spacing = [float(mm) for mm in labels.spacing_mm]
    hu = _body_hu(values.shape, spacing)
    depth_mm = _depth_mm(values, spacing)
    uneven = _smooth(rng.standard_normal(values.shape), UNEVEN_MM, spacing)
    spongy = SPONGY_HU * rng.uniform(0.7, 1.3) + SPONGY_SPREAD_HU * uneven / uneven.std()
    shell = 1 / (1 + np.exp((depth_mm - SHELL_MM) / (SHELL_MM / 4)))
    bone = shell * SHELL_HU * rng.uniform(0.8, 1.1) + (1 - shell) * spongy
    hu = np.where(values != 0, np.maximum(bone, MUSCLE_HU), hu)
    return Volume(_smooth(hu, spacing[0] / 2, spacing).astype(np.float32), volume_from_index)


def _padded(labels: Volume) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    voxels = np.ceil(np.array(MARGIN_MM) / labels.spacing_mm).astype(int)
    values = np.pad(labels.values, [(int(count), int(count)) for count in voxels[::-1]]).astype(np.int32)
    matrix = labels.volume_from_index.copy()
    matrix[:3, 3] -= matrix[:3, :3] @ voxels
    return values, matrix


def _body_hu(shape: tuple[int, ...], spacing_mm: list[float]) -> NDArray[np.float64]:
    """Muscle in an oval that fills the grid's slices, fat around it, then air."""
    half_mm = [(count - 1) / 2 * mm for count, mm in zip(shape[::-1], spacing_mm, strict=True)]
    x, y = (np.linspace(-half, half, count) for half, count in zip(half_mm[:2], shape[:0:-1], strict=True))
    inside_mm = (1 - np.hypot(x[None, :] / half_mm[0], y[:, None] / half_mm[1])) * min(half_mm[:2])
    slice_hu = np.select([inside_mm > FAT_MM, inside_mm > 0], [MUSCLE_HU, FAT_HU], AIR_HU)
    return np.repeat(slice_hu[None], shape[0], axis=0)


def _depth_mm(values: NDArray[np.int32], spacing_mm: list[float]) -> NDArray[np.float64]:
    """The distance of each voxel from the surface of its bone; bones that touch keep their shells."""
    depth = np.zeros(values.shape)
    for value in np.unique(values[values != 0]):
        bone = values == value
        (i, j, k), (columns, rows, slices) = anatomy_bounds(bone)
        box = np.s_[max(k - 1, 0) : k + slices + 1, max(j - 1, 0) : j + rows + 1, max(i - 1, 0) : i + columns + 1]
        image = sitk.GetImageFromArray(bone[box].astype(np.uint8))
        image.SetSpacing(spacing_mm)
        outside = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
        depth[box] = np.where(bone[box], -sitk.GetArrayFromImage(outside), depth[box])
    return depth


def _smooth(values: NDArray[np.float64], sigma_mm: float, spacing_mm: list[float]) -> NDArray[np.float64]:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing_mm)
    return np.asarray(sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(image, sigma_mm)))
