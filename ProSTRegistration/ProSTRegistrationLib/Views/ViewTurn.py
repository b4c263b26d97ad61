"""The turn of an X-ray's views on the screen, as the monitor in the room shows them: image and geometry stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from slicer import vtkMRMLNode

TURN_ATTRIBUTE = "ProSTRegistration.ViewTurn"
MIRRORED = "mirrored"


@dataclass(frozen=True)
class ViewTurn:
    """A turn by quarters, and then a mirroring.

    Attributes:
        quarters: 0 to 3, clockwise.
        isMirrored: left and right are exchanged on the screen afterwards.
    """

    quarters: int = 0
    isMirrored: bool = False

    @property
    def isUpright(self) -> bool:
        """True while the screen shows the image as its file has it."""
        return self == ViewTurn()

    def turned(self) -> ViewTurn:
        """The next one, a quarter further clockwise as the screen shows it."""
        return ViewTurn((self.quarters + (-1 if self.isMirrored else 1)) % 4, self.isMirrored)

    def axes(self, upright: NDArray[np.float64]) -> NDArray[np.float64]:
        """(3, 3) to the right, up and towards the eye on the screen, from the same of the upright image."""
        right, up = upright[:, 0], upright[:, 1]
        for _ in range(self.quarters):
            right, up = up, -right
        right = -right if self.isMirrored else right
        return np.column_stack([right, up, np.cross(right, up)])


def viewTurnOf(fluoroscopyNode: vtkMRMLNode) -> ViewTurn:
    """The turn that an image's views have; upright where its attribute tells none."""
    quarters, _, rest = (fluoroscopyNode.GetAttribute(TURN_ATTRIBUTE) or "").partition(" ")
    return ViewTurn(int(quarters) if quarters in ("1", "2", "3") else 0, rest == MIRRORED)


def setViewTurn(fluoroscopyNode: vtkMRMLNode, turn: ViewTurn) -> None:
    """Keeps a turn with the image, and so with the scene."""
    text = f"{turn.quarters} {MIRRORED if turn.isMirrored else ''}".strip()
    fluoroscopyNode.SetAttribute(TURN_ATTRIBUTE, None if turn.isUpright else text)
