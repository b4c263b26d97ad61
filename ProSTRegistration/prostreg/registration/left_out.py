"""What an X-ray shows and a registration leaves out: metal that the CT does not hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from prostreg.images.attenuation import METAL_HU
from prostreg.images.metal import find_metal
from prostreg.images.xray import XRay
from prostreg.registration.case import Case, View

LEAST_METAL_VOXELS = 20
"""An anatomy with as many voxels of metal is itself an implant, or carries one: then that of the image is wanted."""


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
