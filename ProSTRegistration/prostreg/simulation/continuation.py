"""Continues the body where the scan cuts through it, so that the CT's edge does not show in an X-ray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.images.volume import Volume
from prostreg.simulation.smoothing import smoothed

BODY_HU = -300.0
AIR_HU = -1000.0
SMALLEST_CUT = 0.01
"""Share of a border slice that the body has to fill for the scan to have cut through it there."""
ALONG_BODY_MM = 110.0
BLUR_PER_MM = 0.2
LARGEST_BLUR_MM = 12.0
DENSEST_HU = np.float32(1200.0)
"""Implants do not go on."""
SIDEWAYS_MM = 60.0

Mask = NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)


def continued(ct: Volume, rigid: Sequence[Mask] = ()) -> tuple[Volume, list[Mask]]:
    """The CT with more slices beyond every side on which it cuts the body.

    Along the patient the body goes on and loses its structure; sideways it closes like a barrel.

    Args:
        ct: HU.
        rigid: masks in the CT's grid, continued likewise.

    Returns:
        The larger CT, and the masks in its grid.
    """
    masks = [np.asarray(mask, dtype=bool) for mask in rigid]
    along = _axis_along_body(ct)
    for axis in sorted(range(3), key=lambda a: a == along):  # the sides first: what is added goes on along the body
        for at_end in (False, True):
            if np.mean(_face(ct.values, axis, at_end) > BODY_HU) >= SMALLEST_CUT:
                ct, masks = _continued_at(ct, masks, axis, at_end, axis == along)
    return ct, masks


def _axis_along_body(ct: Volume) -> int:
    """Array axis of [k, j, i] that runs along the patient."""
    return 2 - int(np.argmax(np.abs(ct.volume_from_index[2, :3]) / ct.spacing_mm))


def _continued_at(ct: Volume, masks: list[Mask], axis: int, at_end: bool, is_along: bool) -> tuple[Volume, list[Mask]]:
    spacing = ct.spacing_mm[::-1]
    step_mm, across_mm = float(spacing[axis]), [float(s) for a, s in enumerate(spacing) if a != axis]
    face, faces = _face(ct.values, axis, at_end), [_face(mask, axis, at_end) for mask in masks]
    added = _fading(face, faces, step_mm, across_mm) if is_along else _closing(face, step_mm, across_mm)
    longer: list[NDArray[Any]] = []
    for values, new in zip(
        (ct.values, *masks), (added, *(np.stack([mask] * len(added)) for mask in faces)), strict=True
    ):
        outwards = np.moveaxis(new if at_end else new[::-1], 0, axis)
        longer.append(np.concatenate([values, outwards] if at_end else [outwards, values], axis=axis))
    volume_from_index = ct.volume_from_index.copy()
    if not at_end:
        volume_from_index[:3, 3] -= len(added) * volume_from_index[:3, 2 - axis]
    return Volume(longer[0], volume_from_index), longer[1:]


def _fading(
    face: NDArray[np.float32], rigid: list[Mask], step_mm: float, across_mm: list[float]
) -> NDArray[np.float32]:
    """The face again and again, blurred more and more within the body; bones that keep their structure excepted."""
    face = np.minimum(face, DENSEST_HU)
    body = (face > BODY_HU).astype(np.float32)
    kept = np.any(rigid, axis=0).astype(np.float32) if rigid else np.zeros_like(body)
    weight = _blurred(kept, 0.7 * max(across_mm), across_mm)
    slices: list[NDArray[np.float32]] = []
    for number in range(1, int(np.ceil(ALONG_BODY_MM / step_mm)) + 1):
        if BLUR_PER_MM * (number - 1) * step_mm >= LARGEST_BLUR_MM:  # the one before is blurred as much as any
            slices.append(slices[-1])
            continue
        sigma_mm = min(BLUR_PER_MM * number * step_mm, LARGEST_BLUR_MM)
        share = np.maximum(_blurred(body, sigma_mm, across_mm), np.float32(1e-3))
        blurred = np.where(body > 0, _blurred(face * body, sigma_mm, across_mm) / share, face)
        slices.append(blurred + weight * (face - blurred))
    return np.stack(slices).astype(np.float32)


def _face(values: NDArray[Scalar], axis: int, at_end: bool) -> NDArray[Scalar]:
    """The border slice of an array at one end of an axis."""
    return values[(slice(None),) * axis + (-1 if at_end else 0,)]


def _closing(face: NDArray[np.float32], step_mm: float, across_mm: list[float]) -> NDArray[np.float32]:
    """The face within an outline that shrinks to nothing like a circle's end."""
    body = sitk.GetImageFromArray((face > BODY_HU).astype(np.uint8))
    body.SetSpacing(across_mm[::-1])
    distance = sitk.SignedMaurerDistanceMap(body, insideIsPositive=True, squaredDistance=False, useImageSpacing=True)
    inside_mm = sitk.GetArrayFromImage(distance)
    radius_mm = max(float(inside_mm.max()), step_mm)
    length_mm = min(radius_mm, SIDEWAYS_MM)
    slices = []
    for number in range(1, int(np.ceil(length_mm / step_mm)) + 1):
        share = min(number * step_mm / length_mm, 1.0)
        shrunk_mm = radius_mm * (1 - np.sqrt(1 - share**2))
        weight = np.clip((inside_mm - shrunk_mm) / max(across_mm) + 0.5, 0, 1)
        slices.append((AIR_HU + weight * (face - AIR_HU)).astype(np.float32))
    return np.stack(slices)


def _blurred(face: NDArray[np.float32], sigma_mm: float, across_mm: list[float]) -> NDArray[np.float32]:
    return smoothed(face, [sigma_mm, sigma_mm], across_mm[::-1])
