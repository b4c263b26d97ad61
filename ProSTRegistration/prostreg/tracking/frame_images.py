"""Frames of runs as the X-rays of a case: its CT, C-arms, masks and polarity, and other pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from prostreg.images.dicom.run import XRayRun
from prostreg.images.pyramid import block_means
from prostreg.images.radiation_field import coarse_mask
from prostreg.images.xray import XRay
from prostreg.images.xray_preparation import prepare_xray, prepared_like
from prostreg.images.xray_reading import one_channel
from prostreg.registration.case import Case, View
from prostreg.registration.readings import without_metal


class Runs(Protocol):
    """Runs that were taken together, one for each view of a case."""

    @property
    def count(self) -> int:
        """Frames in each of them."""

    def pixels(self, number: int) -> Sequence[NDArray[np.float32]]:
        """Grey values (height, width) of a frame in each view, counted from 1, as the case's C-arms see them.

        Raises:
            InputError: the frame cannot be read.
        """

    def time_s(self, number: int) -> float | None:
        """Seconds of a frame since the first one; None where it is not known."""


class DicomRuns:
    """The runs in the files that a case was read from.

    Args:
        case: as it was read.

    Raises:
        InputError: an X-ray is no run, or runs differ in their length.
    """

    def __init__(self, case: Case) -> None:
        if case.files is None:
            raise InputError("The case was not read from files: its frames are not known.")
        faults = FaultList()
        runs = [faults.collect(lambda path=path: XRayRun(path)) for path in case.files.xrays]  # type: ignore[misc]
        self._runs = [run for run in runs if run is not None]
        counts = [run.count for run in self._runs]
        if len(set(counts)) > 1:
            faults.add(f"The runs have {' and '.join(map(str, counts))} frames: give runs that were taken together.")
        faults.raise_if_any()
        self._views = case.views
        self.count = counts[0]

    def refuse_moving(self, first: int, asked: tuple[int, int]) -> None:
        """Refuses frames, counted from 1, in which the C-arm of a view is not as in the one that is registered.

        Raises:
            InputError: names every such view.
        """
        faults = FaultList()
        for run in self._runs:
            faults.collect(partial(run.refuse_moving, first, asked))
        faults.raise_if_any()

    def pixels(self, number: int) -> Sequence[NDArray[np.float32]]:
        """As `Runs.pixels`."""
        images = [run.frame(number) for run in self._runs]
        grey = [image if image.ndim == 2 else one_channel(image, f"Frame {number}") for image in images]
        return [_as_read(image, view) for image, view in zip(grey, self._views, strict=True)]

    def time_s(self, number: int) -> float | None:
        """As `Runs.time_s`."""
        times_s = self._runs[0].times_s
        return None if times_s is None else times_s[number - 1]


def _as_read(pixels: NDArray[np.float32], view: View) -> NDArray[np.float32]:
    """Grey values (height, width) of a file as the view's C-arm sees them."""
    straight = pixels if view.undistortion is None else view.undistortion.image(pixels)
    return np.ascontiguousarray(straight[:, ::-1] if view.is_flipped else straight)


LEAST_CONTRAST = 0.03
"""Of the first frame's: a frame with less shows noise, as while the beam is off."""

_CONTRAST_BLOCKS = 12
"""Along the longer side of an image: their means have hardly any noise."""


class FrameImages:
    """Cases with the X-rays of single frames.

    Args:
        case: the frame that is registered first, its polarity decided.
        runs: its pixels before and behind.
    """

    def __init__(self, case: Case, runs: Runs) -> None:
        self._case, self._runs = case, runs
        clean = without_metal(case).views
        self._contrasts = [_contrast(p, v.xray.mask) for p, v in self._pairs(case.views[0].frames.first)]
        self._has_metal = any(one.xray is not other.xray for one, other in zip(clean, case.views, strict=True))

    def frame(self, number: int) -> Case:
        """A frame in the mask and polarity of the first one; metal is looked for where the first one showed some.

        Raises:
            InputError: the frame cannot be read, or shows nothing.
        """
        case = self._with([prepared_like(p, v.xray) for p, v in self._shown(number)])
        return without_metal(case) if self._has_metal else case

    def frame_anew(self, number: int) -> Case:
        """A frame that is prepared as a single image is: what radiation did not reach and metal are looked for.

        Raises:
            InputError: the frame cannot be read, or shows nothing.
        """
        xrays = [prepare_xray(p, v.xray.polarity or "bone-bright", v.xray.mask) for p, v in self._shown(number)]
        return without_metal(self._with(xrays))

    def _shown(self, number: int) -> list[tuple[NDArray[np.float32], View]]:
        """As `_pairs`; refuses a frame that is blank in a view."""
        pairs = self._pairs(number)
        for (pixels, view), contrast in zip(pairs, self._contrasts, strict=True):
            if _contrast(pixels, view.xray.mask) < LEAST_CONTRAST * contrast:
                raise InputError(f"Frame {number} shows nothing, or noise alone.")
        return pairs

    def _pairs(self, number: int) -> list[tuple[NDArray[np.float32], View]]:
        return list(zip(self._runs.pixels(number), self._case.views, strict=True))

    def _with(self, xrays: Sequence[XRay]) -> Case:
        views = [replace(view, xray=xray) for view, xray in zip(self._case.views, xrays, strict=True)]
        return replace(self._case, views=tuple(views))


def _contrast(pixels: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Standard deviation of block means where the image counts; 0 for one that holds no numbers."""
    if not np.isfinite(pixels).all():
        return 0.0
    factor = max(1, max(pixels.shape) // _CONTRAST_BLOCKS)
    inside = coarse_mask(mask, factor)
    return float(block_means(pixels.astype(np.float64), factor)[inside].std()) if inside.any() else 0.0
