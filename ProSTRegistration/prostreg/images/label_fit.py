"""Do labels lie on the bone of their own CT, or would they fit it better elsewhere?

Bone is brighter than what is around it, so values fall across a label's surface. How fast they fall, as a mean over
the surface, is known for all offsets at once: the surface's normals are correlated with the CT's gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import ReferenceType, WeakKeyDictionary, ref

import numpy as np
from numpy.typing import NDArray

from prostreg.images.anatomy import anatomy_bounds
from prostreg.images.directions import offset_in_words
from prostreg.images.pyramid import reduced_volume
from prostreg.images.volume import Volume

GRID_MM = 3.5
MOST_VOXELS = 800_000
"""Of the grid on which offsets are tried; a larger box gets larger voxels, and the check about half a second."""

REACH_MM = 50.0
"""Offsets up to this length are tried."""

SOFT_HU, HARD_HU = 0.0, 600.0
"""Values beyond these count as these: neither lungs nor metal decide where bone is."""

LEAST_SURFACE = 0.5
"""Share of the surface that must lie in the CT at an offset that is compared."""

FAR_MM = 4.0
"""Labels that are dilated, eroded or partial fit best within this of their place."""

MUCH_BETTER, BETTER = 0.5, 0.7
"""The fit in place, as a share of the best one, below which labels are refused or doubted. Shifts by 5 mm left 0.2 to
0.6 of it and by 10 mm at most 0.22; labels grown by up to 3 mm kept 0.72 or more."""

EDGE_HU_PER_MM = 20.0
"""A fall of the values that only bone has at labels of its own shape: 28 to 60 where they are right."""

FAINT_HU_PER_MM = 5.0
"""Labels of this CT, grown by one voxel of 3 mm, still had 14."""


@dataclass(frozen=True, eq=False)
class LabelFit:
    """The fit of labels to the edges of bone in their CT.

    Attributes:
        here: mean fall of the values across the labels' surface in HU per mm, outwards.
        best: the largest fall among all offsets, ``here`` included.
        offset_mm: (3,), RAS: where to move the labels for it.
    """

    here: float
    best: float
    offset_mm: NDArray[np.float64]

    @property
    def is_elsewhere(self) -> bool:
        """True if the labels unmistakably belong to another place of the CT."""
        return self.best >= EDGE_HU_PER_MM and self._is_better_elsewhere(MUCH_BETTER)

    def doubt(self) -> str | None:
        """The objection to the labels, in words; None if there is none."""
        if self.best >= EDGE_HU_PER_MM and self._is_better_elsewhere(BETTER):
            return self.advice()
        if self.best >= EDGE_HU_PER_MM and self.here < FAINT_HU_PER_MM:
            return "the anatomy does not follow the edges of bone in the CT: were its labels made on this CT?"
        return None

    def advice(self) -> str:
        """The place where the labels would fit, and what may have gone wrong."""
        return (
            f"the labels fit the CT better when moved {offset_in_words(self.offset_mm)}: were they saved with another"
            " geometry (origin, qform or sform), or under another transform?"
        )

    def _is_better_elsewhere(self, share: float) -> bool:
        return self.here < share * self.best and float(np.linalg.norm(self.offset_mm)) > FAR_MM


_last_fits: WeakKeyDictionary[Volume, tuple[ReferenceType[NDArray[np.bool_]], LabelFit]] = WeakKeyDictionary()


def label_fit(ct: Volume, anatomy: NDArray[np.bool_]) -> LabelFit:
    """The fit of labels where they lie, and where they would fit best.

    It is asked for when a case is read and again of its result: a CT's last answer is kept as long as both arrays are.

    Args:
        ct: HU.
        anatomy: not empty, in the CT's grid.
    """
    asked, fit = _last_fits.get(ct, (None, None))
    if fit is None or asked is None or asked() is not anatomy:
        fit = _label_fit(ct, anatomy)
        _last_fits[ct] = ref(anatomy), fit
    return fit


def _label_fit(ct: Volume, anatomy: NDArray[np.bool_]) -> LabelFit:
    hu, inside = _on_coarse_grid(ct, anatomy)
    if min(inside.shape) < 3:
        return LabelFit(0.0, 0.0, np.zeros(3))
    spacing = hu.spacing_mm[::-1]
    gradient = _gradient(hu.values, spacing)
    falls = _falls(gradient, _normals(inside, spacing), spacing)
    middle = tuple(size // 2 for size in falls.shape)
    best = tuple(int(index) for index in np.unravel_index(falls.argmax(), falls.shape))
    if best == middle:
        return LabelFit(float(falls[middle]), float(falls[middle]), np.zeros(3))
    # Labels that are too thin or too thick for their bone are not in another place.
    others = [_fall(gradient, _normals(other, spacing)) for other in _thinner_and_thicker(inside)]
    here = max(float(falls[middle]), *others)
    steps = np.array([_peak(falls, best, axis) for axis in range(3)]) - middle
    return LabelFit(here, max(here, float(falls[best])), hu.volume_from_index[:3, :3] @ steps[::-1])


def _on_coarse_grid(ct: Volume, anatomy: NDArray[np.bool_]) -> tuple[Volume, NDArray[np.float32]]:
    """The CT around the anatomy, and the share (k, j, i) of each voxel that is anatomy."""
    first, size = anatomy_bounds(anatomy)
    reach = np.ceil(REACH_MM / ct.spacing_mm).astype(int) + 1
    low = np.maximum(np.array(first) - reach, 0)
    size = np.minimum(np.array(first) + size + reach, ct.size) - low
    grid_mm = max(GRID_MM, float(np.cbrt(np.prod(size * ct.spacing_mm) / MOST_VOXELS)))
    factors = np.maximum(np.rint(grid_mm / ct.spacing_mm).astype(int), 1)
    size = np.maximum(size // factors, 1) * factors  # whole blocks only: nothing is filled up, so no edge is added
    cropped = ct.cropped(low, size)
    i, j, k = low
    inside = anatomy[k : k + size[2], j : j + size[1], i : i + size[0]].astype(np.float32)
    hu = reduced_volume(cropped.with_values(np.clip(cropped.values, SOFT_HU, HARD_HU)), grid_mm)
    return hu, reduced_volume(cropped.with_values(inside), grid_mm).values


def _gradient(values: NDArray[np.float32], spacing_mm: NDArray[np.float64]) -> NDArray[np.float32]:
    """Derivatives (3, k, j, i) along the axes, per mm."""
    return np.array(np.gradient(values, *spacing_mm), dtype=np.float32)


def _normals(inside: NDArray[np.float32], spacing_mm: NDArray[np.float64]) -> NDArray[np.float32]:
    """Outward normals (3, k, j, i) of the labels' surface, as long as a voxel has of it."""
    return -_gradient(inside, spacing_mm)


def _falls(
    gradient: NDArray[np.float32], normals: NDArray[np.float32], spacing_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean falls across the surface for all offsets within reach (k, j, i), that of no offset in the middle."""
    steps = [int(REACH_MM / spacing) for spacing in spacing_mm]
    shape = [size + step for size, step in zip(gradient.shape[1:], steps, strict=True)]
    area = np.linalg.norm(normals, axis=0)

    def spectrum(values: NDArray[np.float32]) -> NDArray[np.complexfloating]:
        return np.fft.rfftn(values, shape, axes=(0, 1, 2))

    # One axis after the other: the spectra of all of them would take gigabytes for a whole CT.
    along = sum(np.conj(spectrum(normal)) * spectrum(slope) for normal, slope in zip(normals, gradient, strict=True))
    within = np.conj(spectrum(area)) * spectrum(np.ones_like(area))
    offsets = np.ix_(*(np.arange(-step, step + 1) for step in steps))
    fall, covered = (np.fft.irfftn(product, shape, axes=(0, 1, 2))[offsets] for product in (-along, within))
    is_near = sum((axis * spacing) ** 2 for axis, spacing in zip(offsets, spacing_mm, strict=True)) <= REACH_MM**2
    least = LEAST_SURFACE * float(area.sum())
    return np.where(is_near & (covered > least), fall / np.maximum(covered, max(least, 1e-6)), -np.inf)


def _fall(gradient: NDArray[np.float32], normals: NDArray[np.float32]) -> float:
    """Mean fall across the surface where it lies."""
    area = float(np.linalg.norm(normals, axis=0).sum())
    return -float((gradient * normals).sum()) / area if area > 0 else -np.inf


def _thinner_and_thicker(inside: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The labels with one voxel less and with one more all around."""
    return -_largest_around(-inside), _largest_around(inside)


def _largest_around(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest value among a voxel (k, j, i) and its 26 neighbours."""
    for axis in range(values.ndim):
        lines = np.moveaxis(values, axis, 0)
        largest = lines.copy()
        np.maximum(largest[1:], lines[:-1], out=largest[1:])
        np.maximum(largest[:-1], lines[1:], out=largest[:-1])
        values = np.moveaxis(largest, 0, axis)
    return values


def _peak(falls: NDArray[np.float64], best: tuple[int, ...], axis: int) -> float:
    """The place of the maximum along an axis, between the grid's steps, by a parabola."""
    line, at = np.moveaxis(falls, axis, -1)[best[:axis] + best[axis + 1 :]], best[axis]
    if not 0 < at < len(line) - 1 or not np.isfinite(line[[at - 1, at + 1]]).all():
        return float(at)
    before, top, after = line[at - 1 : at + 2]
    bend = before - 2 * top + after
    return float(at + (0.5 * (before - after) / bend if bend < 0 else 0.0))
