"""The voxels of a CT that are registered: chosen by labels, or bone by threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.grid_resampling import resampled
from prostreg.images.volume import Volume

BONE_THRESHOLD_HU = 200.0
SMALLEST_PART = 0.05
"""Bone pieces smaller than this fraction of the largest one are specks."""

LEAST_INSIDE = 0.5
"""Share of an anatomy that lies in the CT when both are of one patient: scans are cut, but not by more."""

BODY_THRESHOLD_HU = -300.0
TABLE_THICKNESS_MM = 12.0
"""Things in air that are thinner than this are not the patient."""

_MOST_VALUES_LISTED = 40


def anatomy_from_labels(ct: Volume, labels: Volume, values: Sequence[int]) -> NDArray[np.bool_]:
    """Voxels of the CT whose label is one of ``values``.

    Labels in another grid are brought into the CT's by nearest neighbour. Values that do not
    occur are passed over as long as one does: a list for the whole pelvis also fits half of one.

    Returns:
        Mask in the CT's grid, same shape as ``ct.values``; never empty.

    Raises:
        InputError: no value occurs in the labels, or none of its voxels lies in the CT.
    """
    return overlap_with_ct(ct, labels, chosen_voxels(labels, values))


def overlap_with_ct(ct: Volume, labels: Volume, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Chosen voxels of a label map, in the CT's grid.

    Raises:
        InputError: none of them lies in the CT.
    """
    mask = _in_grid_of(ct, labels, chosen)
    if not mask.any():
        raise InputError(
            "The labels do not overlap the CT: their voxels with the chosen values lie outside of it. "
            "Check that both files belong to the same scan and have the same orientation and origin."
        )
    return mask


def misfit(share_inside: float, hu: NDArray[Any]) -> Literal["outside", "in air"] | None:
    """The sign that an anatomy was made on another CT; None if there is none.

    Args:
        share_inside: of the anatomy that lies in the CT.
        hu: (n,) the CT's values there, all of them or a sample; may be empty where the share is 0.
    """
    if share_inside < LEAST_INSIDE:
        return "outside"
    return "in air" if float(np.median(hu)) < BODY_THRESHOLD_HU else None


def voxel_mm3(volume: Volume) -> float:
    """Volume of one voxel in mm^3."""
    return float(abs(np.linalg.det(volume.volume_from_index[:3, :3])))


def chosen_voxels(labels: Volume, values: Sequence[int]) -> NDArray[np.bool_]:
    """Voxels of a label map that have one of ``values``, in its own grid.

    Raises:
        InputError: there is none.
    """
    possible = [value for value in values if abs(value) <= np.iinfo(np.int64).max]
    chosen = np.isin(labels.values, np.asarray(possible, dtype=np.int64))
    if not chosen.any():
        raise InputError(
            f"No voxel of the labels has a value of the anatomy ({_listed(values)}). "
            f"{contained_values(labels)}: choose from these."
        )
    return chosen


def contained_values(labels: Volume) -> str:
    """The beginning of a sentence that lists the values of a label map, without the 0 of what is no part."""
    return f"The labels contain {_listed(np.unique(labels.values[labels.values != 0])) or 'nothing but 0'}"


def anatomy_by_threshold(ct: Volume, threshold_hu: float = BONE_THRESHOLD_HU) -> NDArray[np.bool_]:
    """Bone by threshold, without specks and without the table.

    Voxels at or above the threshold, as connected pieces (26 neighbours) that lie for the most part
    in the patient's body and have at least 5 % of the largest one's size, with enclosed holes
    filled. The body is what remains above -300 HU when thin things such as a table are opened away.

    Returns:
        Mask in the CT's grid, same shape as ``ct.values``; never empty.

    Raises:
        InputError: nothing in the CT reaches the threshold.
    """
    bright = ct.values >= threshold_hu
    if not bright.any():
        raise InputError(
            f"The CT has no bone: nothing reaches {threshold_hu:g} HU (its largest value is {ct.values.max():g}). "
            "Check that the values are HU, or give the anatomy as labels."
        )
    pieces = sitk.ConnectedComponent(sitk.GetImageFromArray(bright.astype(np.uint8)), True)
    labelled = sitk.GetArrayViewFromImage(pieces)
    sizes = np.bincount(labelled[bright])
    in_body = np.bincount(labelled[bright & _body(ct)], minlength=sizes.size)
    patient = in_body >= 0.5 * sizes if (in_body[1:] > 0).any() else np.ones(sizes.size, dtype=bool)
    kept = patient & (sizes > 0) & (sizes >= SMALLEST_PART * sizes[patient].max())
    mask = sitk.BinaryFillhole(sitk.GetImageFromArray(kept[labelled].astype(np.uint8)))
    return np.asarray(sitk.GetArrayFromImage(mask), dtype=bool)


def anatomy_bounds(
    mask: NDArray[np.bool_], margin_voxels: int = 0
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Index box of a mask, grown by a margin and cut at the grid's border.

    Returns:
        First voxel (i, j, k) and size along (i, j, k), as ``Volume.cropped`` takes them.

    Raises:
        InputError: the mask is empty.
    """
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    if len(slices) == 0:
        raise InputError("The anatomy mask is empty: choose labels or a threshold that select something.")
    flattened = np.any(mask[slices[0] : slices[-1] + 1], axis=0)
    columns, rows = np.flatnonzero(flattened.any(axis=0)), np.flatnonzero(flattened.any(axis=1))
    first, size = [], []
    for occupied, count in zip((columns, rows, slices), mask.shape[::-1], strict=True):
        low = max(int(occupied[0]) - margin_voxels, 0)
        high = min(int(occupied[-1]) + margin_voxels, count - 1)
        first.append(low)
        size.append(high - low + 1)
    return (first[0], first[1], first[2]), (size[0], size[1], size[2])


def _in_grid_of(ct: Volume, labels: Volume, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    same_place = np.allclose(ct.volume_from_index, labels.volume_from_index, atol=1e-3)
    if same_place and ct.values.shape == labels.values.shape:
        return chosen
    labels_from_ct = np.linalg.inv(labels.volume_from_index) @ ct.volume_from_index
    return np.asarray(resampled(chosen.astype(np.uint8), ct.size, labels_from_ct, "nearest", 0), dtype=bool)


def _body(ct: Volume) -> NDArray[np.bool_]:
    """The patient without the table, on a grid of about 4 mm."""
    step = [max(1, round(4.0 / s)) for s in ct.spacing_mm]
    coarse = np.ascontiguousarray(ct.values[:: step[2], :: step[1], :: step[0]] > BODY_THRESHOLD_HU)
    solid = sitk.GetImageFromArray(coarse.astype(np.uint8))
    spacing = ct.spacing_mm * step
    radius = [max(1, round(TABLE_THICKNESS_MM / 2 / s)) for s in spacing]
    # Padding keeps the opening from eating the body where the scan cuts through it.
    padded = sitk.ZeroFluxNeumannPad(solid, radius, radius)
    opened = sitk.BinaryMorphologicalOpening(padded, radius)
    opened = sitk.Crop(opened, radius, radius)
    largest = sitk.RelabelComponent(sitk.ConnectedComponent(opened, False), sortByObjectSize=True) == 1
    fine = np.asarray(sitk.GetArrayFromImage(largest), dtype=bool)
    for axis, n in zip((2, 1, 0), step, strict=True):
        fine = np.repeat(fine, n, axis=axis)
    nk, nj, ni = ct.values.shape
    return fine[:nk, :nj, :ni]


def _listed(values: Sequence[int] | NDArray[np.generic]) -> str:
    shown = [f"{int(v)}" for v in values[:_MOST_VALUES_LISTED]]
    return ", ".join(shown) + (", …" if len(values) > _MOST_VALUES_LISTED else "")
