"""The share of the anatomy that the X-rays show at a start, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from slicer.i18n import tr as _

from prostreg.geometry.frames import Matrix
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.StartPose import shareInSight

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

LITTLE_IN_SIGHT, SOME_IN_SIGHT = 0.1, 0.5


def sightOf(
    images: Sequence[vtkMRMLScalarVolumeNode], worldFromVolume: Matrix, pointsMm: NDArray[np.float64]
) -> tuple[str, bool]:
    """(how much of the anatomy the X-rays show, in words where that is little; whether it is too little).

    Args:
        images: placed X-rays.
        worldFromVolume: (4, 4), mm.
        pointsMm: of the anatomy (n, 3), in the CT's frame.
    """
    lines, isMissed = [], False
    for node in images:
        share = shareInSight(carmOf(node), worldFromVolume, pointsMm)
        if share < 0:
            text = _("The anatomy lies behind the X-ray source of '{name}': 'Show the CT so' brings it back.")
        elif share == 0:
            text = _("The anatomy lies outside of the beam of '{name}': 'Show the CT so' brings it back.")
        else:
            text = _("Only {percent:.0%} of the anatomy is in the picture '{name}'.")
        isMissed = isMissed or share < LITTLE_IN_SIGHT
        if share < SOME_IN_SIGHT:
            lines.append(text.format(name=node.GetName(), percent=share))
    return "\n".join(lines), isMissed
