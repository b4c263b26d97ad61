"""The part of an X-ray that its DICOM tags call covered: by the display's shutter, and by the collimator's blades."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.images.dicom_tags import Tags, number_within, numbers_of, value_of, words_of

LEAST_OPEN = 0.1
"""Share of the image that a shutter leaves open; one that leaves less is not that of this image."""

_KINDS = ("Shutter", "Collimator")
_EDGES = ("LeftVerticalEdge", "RightVerticalEdge", "UpperHorizontalEdge", "LowerHorizontalEdge")
SHUTTER_KEYWORDS = tuple(
    keyword
    for kind in _KINDS
    for keyword in (
        f"{kind}Shape",
        *(f"{kind}{edge}" for edge in _EDGES),
        f"CenterOfCircular{kind}",
        f"RadiusOfCircular{kind}",
        f"VerticesOfThePolygonal{kind}",
    )
)
"""All that `open_part` asks for."""

_FARTHEST = 1e5
_MOST_CORNERS = 1000

Mask = NDArray[np.bool_]


def open_part(tags: Tags, shape: tuple[int, int]) -> tuple[Mask | None, str | None]:
    """True where nothing covers the image (height, width), and a sentence; None where the tags tell of no cover."""
    inside = np.ones(shape, dtype=bool)
    told = []
    for kind in _KINDS:
        for form in words_of(tags, f"{kind}Shape"):
            part = _part(tags, kind, form, shape)
            if part is not None and not part.all():
                inside &= part
                told.append(f"{kind}Shape")
    if not told:
        return None, None
    covered, names = 1 - float(inside.mean()), " and ".join(dict.fromkeys(told))
    if inside.mean() < LEAST_OPEN:
        return None, f"By {names} {covered:.0%} of the image are covered, which cannot be: that is not used."
    return inside, f'By {names} {covered:.0%} of the image are covered and left out; "mask" of the view overrules it.'


def _part(tags: Tags, kind: str, form: str, shape: tuple[int, int]) -> Mask | None:
    """The open part of one cover; rows and columns count from 1."""
    rows, columns = np.mgrid[1 : shape[0] + 1, 1 : shape[1] + 1].astype(np.float64)
    if form == "RECTANGULAR":
        edges = [number_within(tags, f"{kind}{edge}", -_FARTHEST, _FARTHEST) for edge in _EDGES]
        left, right, upper, lower = edges
        if left is None or right is None or upper is None or lower is None:
            return None
        return np.asarray((columns >= left) & (columns <= right) & (rows >= upper) & (rows <= lower))
    if form == "CIRCULAR":
        centre = numbers_of(tags, f"CenterOfCircular{kind}", 2)
        radius = number_within(tags, f"RadiusOfCircular{kind}", 1.0, _FARTHEST)
        if not centre or radius is None:
            return None
        return np.asarray(np.hypot(rows - centre[0], columns - centre[1]) <= radius)
    return _inside_polygon(tags, f"VerticesOfThePolygonal{kind}", shape) if form == "POLYGONAL" else None


def _inside_polygon(tags: Tags, keyword: str, shape: tuple[int, int]) -> Mask | None:
    found = value_of(tags, keyword)
    corners = numbers_of(tags, keyword, len(found)) if hasattr(found, "__len__") else []
    if len(corners) < 6 or len(corners) % 2 or len(corners) > 2 * _MOST_CORNERS:
        return None
    points = np.array(corners).reshape(-1, 2)
    rows, columns = (np.arange(1.0, length + 1) for length in shape)
    inside = np.zeros(shape, dtype=bool)
    for (row, column), (next_row, next_column) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if row == next_row:
            continue
        crosses = (row > rows) != (next_row > rows)
        at = column + (rows[crosses] - row) * (next_column - column) / (next_row - row)
        inside[crosses] ^= columns < at[:, None]
    return inside
