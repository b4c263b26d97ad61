"""The colours of overlay pictures: tables of 256 entries (red, green, blue, opacity), 0 to 1.

The lower part is transparent, so that a picture can leave pixels out. A view interpolates between these and their
neighbours: the wider the transparent part, the narrower the dark seam.
"""

import numpy as np

TRANSPARENT_BELOW = 160
LOWEST_VALUE = 164
SIZE = 256

_BRIGHT_BONE = ((0.0, (0.30, 0.12, 0.00)), (0.6, (1.00, 0.55, 0.10)), (1.0, (1.00, 0.92, 0.65)))
_DARK_BONE = ((0.0, (1.00, 0.88, 0.70)), (0.4, (0.95, 0.55, 0.15)), (1.0, (0.30, 0.06, 0.00)))
_GREY = ((0.0, (0.0, 0.0, 0.0)), (1.0, (1.0, 1.0, 1.0)))
_TINTED_GREY = ((0.0, (0.0, 0.0, 0.0)), (1.0, (1.0, 0.93, 0.76)))
_DIFFERENCE = (
    (0.0, (0.05, 0.40, 1.00)),
    (0.5, (0.50, 0.50, 0.50)),
    (1.0, (1.00, 0.55, 0.05)),
)


def warmColors(isBoneBright):
    """For bone density: warm colours in which bone is as bright or dark as in the fluoroscopy."""
    return _table(_BRIGHT_BONE if isBoneBright else _DARK_BONE)


def greyColors(isTinted):
    """For brightness: grey, with a tint where the picture has to be told from the fluoroscopy beside it."""
    return _table(_TINTED_GREY if isTinted else _GREY)


def differenceColors():
    """For differences: grey in the middle, blue below where only the fluoroscopy shows bone, orange above."""
    return _table(_DIFFERENCE)


def coded(shares, isShown=None):
    """Shares from 0 to 1 as values of a picture, uint8; transparent where they are not shown."""
    values = np.rint(LOWEST_VALUE + (SIZE - 1 - LOWEST_VALUE) * shares).astype(np.uint8)
    return values if isShown is None else np.where(isShown, values, np.uint8(0))


def fillTable(colorNode, colors):
    """Puts (256, 4) into a vtkMRMLColorTableNode."""
    wasModifying = colorNode.StartModify()
    colorNode.SetTypeToUser()
    colorNode.SetNumberOfColors(SIZE)
    for index, color in enumerate(colors):
        colorNode.SetColor(index, str(index), *color)
    colorNode.GetLookupTable().SetRange(0, SIZE - 1)
    colorNode.EndModify(wasModifying)


def _table(stops):
    shares = (np.arange(SIZE) - LOWEST_VALUE) / (SIZE - 1 - LOWEST_VALUE)
    places, colors = zip(*stops, strict=True)
    channels = [np.interp(shares, places, channel) for channel in zip(*colors, strict=True)]
    return np.column_stack([*channels, np.arange(SIZE) >= TRANSPARENT_BELOW]).astype(float)
