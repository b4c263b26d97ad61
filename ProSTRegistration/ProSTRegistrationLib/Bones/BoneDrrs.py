"""The DRRs of several bones, kept beside the one of all of them: each bone's edges are drawn in a colour of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import slicer
from numpy.typing import NDArray

from prostreg.outputs.bone_colours import colour_of
from ProSTRegistrationLib.Nodes.DrrOrigin import areMadeAlike, keepOrigin

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from prostreg.worker.protocol import Arrays
    from ProSTRegistrationLib.Nodes.Scene import Scene

BONE_DRRS_ROLE = "DRRs of bones"


def showRendered(
    scene: Scene, fluoroscopyNode: vtkMRMLScalarVolumeNode, arrays: Arrays, downsampling: int, origin: str
) -> None:
    """Shows what the worker rendered for a fluoroscopy image, and writes down what it was made of.

    Args:
        arrays: of the answer to ``render``.
        downsampling: by which it was asked for.
        origin: as `DrrOrigin.originOf` tells it.
    """
    keepBoneDrrs(scene, fluoroscopyNode, arrays.get("bone_drrs"), origin)
    keepOrigin(scene.showDrr(fluoroscopyNode, arrays["drr"], downsampling), origin)


def keepBoneDrrs(
    scene: Scene, fluoroscopyNode: vtkMRMLScalarVolumeNode, drrs: NDArray[np.float32] | None, origin: str
) -> None:
    """Keeps the DRRs (bones, height, width) of a fluoroscopy image; None for one body, which has no others.

    Args:
        origin: of the DRR of all of them.
    """
    if drrs is None:
        scene.removeOwned(fluoroscopyNode, BONE_DRRS_ROLE)
        return
    name = f"{fluoroscopyNode.GetName()} DRRs of bones"
    node = scene.ownedNode(fluoroscopyNode, BONE_DRRS_ROLE, "vtkMRMLScalarVolumeNode", name)
    node.SetHideFromEditors(True)
    slicer.util.updateVolumeFromArray(node, np.asarray(drrs, dtype=np.float32))
    keepOrigin(node, origin)


def boneDrrsOf(
    scene: Scene, fluoroscopyNode: vtkMRMLScalarVolumeNode, drrNode: vtkMRMLScalarVolumeNode
) -> NDArray[np.float32] | None:
    """The DRRs (bones, height, width) that add up to that of a fluoroscopy image; None where there are no such."""
    node = scene.findOwned(fluoroscopyNode, BONE_DRRS_ROLE)
    if node is None or not node.GetImageData() or not areMadeAlike(node, drrNode):
        return None
    drrs: NDArray[np.float32] = slicer.util.arrayFromVolume(node)
    return drrs if drrs.shape[1:] == slicer.util.arrayFromVolume(drrNode).shape[1:] else None


def boneColor(number: int) -> tuple[float, float, float]:
    """The colour of a bone, 0 to 1, as in the command line's picture of all bones; the first is 0."""
    red, green, blue = colour_of(number)
    return red / 255, green / 255, blue / 255
