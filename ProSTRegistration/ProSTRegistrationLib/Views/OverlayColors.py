"""The colours of overlay pictures: tables of 256 entries (red, green, blue, opacity), 0 to 1.

The lower part is transparent, so that a picture can leave pixels out. A view interpolates between these and their
neighbours: the wider the transparent part, the narrower the dark seam.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

if TYPE_CHECKING:
    from slicer import vtkMRMLColorTableNode

TRANSPARENT_BELOW = 160
LOWEST_VALUE = 164
SIZE = 256

Stops = tuple[tuple[float, tuple[float, float, float]], ...]
"""Shares with their colour."""

_BRIGHT_BONE: Stops = ((0.0, (0.30, 0.12, 0.00)), (0.6, (1.00, 0.55, 0.10)), (1.0, (1.00, 0.92, 0.65)))
_DARK_BONE = ((0.0, (1.00, 0.88, 0.70)), (0.4, (0.95, 0.55, 0.15)), (1.0, (0.30, 0.06, 0.00)))
_GREY = ((0.0, (0.0, 0.0, 0.0)), (1.0, (1.0, 1.0, 1.0)))
_TINTED_GREY = ((0.0, (0.0, 0.0, 0.0)), (1.0, (1.0, 0.93, 0.76)))
_DIFFERENCE = (
    (0.0, (0.05, 0.40, 1.00)),
    (0.5, (0.50, 0.50, 0.50)),
    (1.0, (1.00, 0.55, 0.05)),
)


def warmColors(isBoneBright: bool) -> NDArray[np.float64]:
    """For bone density: warm colours in which bone is as bright or dark as in the fluoroscopy."""
    return _table(_BRIGHT_BONE if isBoneBright else _DARK_BONE)


def greyColors(isTinted: bool) -> NDArray[np.float64]:
    """For brightness: grey, with a tint where the picture has to be told from the fluoroscopy beside it."""
    return _table(_TINTED_GREY if isTinted else _GREY)


def differenceColors() -> NDArray[np.float64]:
    """For differences: grey in the middle, blue below where only the fluoroscopy shows bone, orange above."""
    return _table(_DIFFERENCE)


def coded(shares: NDArray[Any], isShown: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """Shares from 0 to 1 as values of a picture, uint8; transparent where they are not shown."""
    values = np.rint(LOWEST_VALUE + (SIZE - 1 - LOWEST_VALUE) * shares).astype(np.uint8)
    return values if isShown is None else np.where(isShown, values, np.uint8(0))


def isFilledWith(colorNode: vtkMRMLColorTableNode, colors: NDArray[np.float64]) -> bool:
    """True if a vtkMRMLColorTableNode has these (256, 4); one from a scene that was saved without its file has none."""
    table = colorNode.GetLookupTable()
    if table is None or table.GetNumberOfTableValues() != len(colors):
        return False
    return bool(np.abs(vtk_to_numpy(table.GetTable()) - 255.0 * colors).max() <= 1.0)


def fillTable(colorNode: vtkMRMLColorTableNode, colors: NDArray[np.float64]) -> None:
    """Puts (256, 4) into a vtkMRMLColorTableNode."""
    wasModifying = colorNode.StartModify()
    colorNode.SetTypeToUser()
    colorNode.SetNumberOfColors(SIZE)
    for index, color in enumerate(colors):
        colorNode.SetColor(index, str(index), *color)
    colorNode.GetLookupTable().SetRange(0, SIZE - 1)
    colorNode.EndModify(wasModifying)


def _table(stops: Stops) -> NDArray[np.float64]:
    shares = (np.arange(SIZE) - LOWEST_VALUE) / (SIZE - 1 - LOWEST_VALUE)
    places, colors = zip(*stops, strict=True)
    channels = [np.interp(shares, places, channel) for channel in zip(*colors, strict=True)]
    return np.column_stack([*channels, np.arange(SIZE) >= TRANSPARENT_BELOW]).astype(float)
