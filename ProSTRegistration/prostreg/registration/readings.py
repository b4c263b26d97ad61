"""Readings of X-rays: with which polarity the registration took each, how sure that is, and what it left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from prostreg.choices import Polarity
from prostreg.images.attenuation import METAL_HU
from prostreg.images.metal import find_metal
from prostreg.images.xray import XRay
from prostreg.registration.case import Case, View
from prostreg.search.candidate import Reading

SIGNS_RIGHT = 0.5
"""Share of difficult pelves whose polarity their looks tell: no better than chance (139 of 330; of others
1,394 of 1,760). See Testing/Measurements/polarity_signs.py."""

LEAST_METAL_VOXELS = 20
"""An anatomy with as many voxels of metal is itself an implant, or carries one: then that of the image is wanted."""


@dataclass(frozen=True)
class PolarityUsed:
    """The polarity with which a view was read.

    Attributes:
        used: None where the line integrals were given.
        is_given: True if the user decided it, and False if the registration did.
        certainty: probability that it is the right one, 0 to 1.
        is_likelier: True if it is what the image looks like.
    """

    used: Polarity | None
    is_given: bool
    certainty: float
    is_likelier: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"used": self.used, "given": self.is_given, "certainty": self.certainty}


def xray_read_as(xray: XRay, is_other: bool) -> XRay:
    """The X-ray with its polarity decided: as it looks, or as the other."""
    return xray.other if is_other and xray.other is not None else replace(xray, other=None)


def case_read_as(case: Case, reading: Reading) -> Case:
    """The case with the polarity of every view decided."""
    views = [
        replace(view, xray=xray_read_as(view.xray, is_other))
        for view, is_other in zip(case.views, reading, strict=True)
    ]
    return replace(case, views=tuple(views))


def reading_of(case: Case, polarities: tuple[PolarityUsed, ...]) -> Reading:
    """The reading that a result was found with."""
    if len(polarities) != len(case.views):
        return (False,) * len(case.views)
    return tuple(not polarity.is_likelier for polarity in polarities)


def polarities_used(case: Case, reading: Reading, confidence: float) -> tuple[PolarityUsed, ...]:
    """The polarity of each view, as sure as its pose is right; where that is wrong, as sure as the signs are."""
    found = []
    for view, is_other in zip(case.views, reading, strict=True):
        used = xray_read_as(view.xray, is_other).polarity
        if view.xray.other is None:
            found.append(PolarityUsed(used, used is not None, 1.0, True))
        else:
            by_signs = 1 - SIGNS_RIGHT if is_other else SIGNS_RIGHT
            found.append(PolarityUsed(used, False, confidence + (1 - confidence) * by_signs, not is_other))
    return tuple(found)


def polarity_reasons(polarities: tuple[PolarityUsed, ...], is_accepted: bool) -> tuple[str, ...]:
    """Words on polarity: where a result is not accepted, and where an image was read against its looks."""
    return tuple(
        _reason(polarity, "" if len(polarities) == 1 else f" of view {number}", is_accepted)
        for number, polarity in enumerate(polarities, start=1)
        if polarity.used is not None and not (is_accepted and polarity.is_likelier)
    )


def _reason(polarity: PolarityUsed, where: str, is_accepted: bool) -> str:
    if is_accepted:
        return f"the polarity{where} was found to be {polarity.used}, against what the image looks like or its tags say"
    if polarity.is_given:
        return (
            f'the polarity{where} was given as {polarity.used} and no other was tried: if it may be wrong, give "auto"'
        )
    return (
        f"both polarities{where} were tried, and the image does not tell for sure: the pose was found with"
        f" {polarity.used}; mask or crop what is drawn on the image or lies in the way, or tell the polarity"
    )


def without_metal(case: Case) -> Case:
    """The case whose X-rays count where they show no instruments, with a note on each view that has some.

    Nothing is left out where the anatomy has metal in the CT.
    """
    if np.count_nonzero(case.ct.values[case.anatomy] >= METAL_HU) >= LEAST_METAL_VOXELS:
        return case
    return replace(case, views=tuple(_without_metal(view, number) for number, view in enumerate(case.views, start=1)))


def _without_metal(view: View, number: int) -> View:
    xray = _left_out(view.xray)
    share = 1 - float(np.count_nonzero(xray.mask)) / max(float(np.count_nonzero(view.xray.mask)), 1.0)
    if xray is view.xray:
        return view
    if not share:
        # Metal of the other reading alone.
        return replace(view, xray=xray)
    note = (
        f"view {number}: what looks like instruments or implants ({share:.0%} of the image) was left out, since the CT"
        " does not hold it"
    )
    return replace(view, xray=xray, notes=(*view.notes, note))


def _left_out(xray: XRay) -> XRay:
    """The X-ray with its metal masked, in both readings where its polarity is open; itself where there is none."""
    metal = find_metal(xray.line_integrals, xray.mask)
    other = None if xray.other is None else _left_out(xray.other)
    if not metal.any() and other is xray.other:
        return xray
    return replace(xray, mask=xray.mask & ~metal, other=other)
