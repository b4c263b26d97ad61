"""The DRR alone, as the fluoroscopy beside it: same orientation, same field of view, bone as bright or dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import slicer

from ProSTRegistrationLib.Views.SliceView import faceDetector, isFacingDetector, showLayers

if TYPE_CHECKING:
    from slicer import vtkMRMLDisplayNode, vtkMRMLScalarVolumeNode, vtkMRMLSliceLogic

OWN_WINDOW_ATTRIBUTE = "ProSTRegistration.OwnWindow"
BRIGHTEST_PERCENTILE = 99.5


def showDrrAlone(
    sliceLogic: vtkMRMLSliceLogic, fluoroscopyNode: vtkMRMLScalarVolumeNode, drrNode: vtkMRMLScalarVolumeNode
) -> None:
    """Shows a DRR in the view of a slice logic.

    Raises:
        InputError: the fluoroscopy image was never placed.
    """
    composite = sliceLogic.GetSliceCompositeNode()
    isNew = composite.GetBackgroundVolumeID() != drrNode.GetID()
    showLayers(sliceLogic, drrNode)
    if isNew or not isFacingDetector(sliceLogic, fluoroscopyNode):
        faceDetector(sliceLogic, fluoroscopyNode)


def windowDrr(drrNode: vtkMRMLScalarVolumeNode, isBoneBright: bool) -> None:
    """Sets window and level of a DRR to what it shows, unless a person has changed them since.

    Args:
        isBoneBright: whether the fluoroscopy shows bone bright; only the first time does the DRR take that over.
    """
    display = drrNode.GetDisplayNode()
    own = display.GetAttribute(OWN_WINDOW_ATTRIBUTE)
    if own is not None and own != _windowText(display):
        return
    voxels = slicer.util.arrayFromVolume(drrNode)
    shown = voxels[voxels > 0]
    top = float(np.percentile(shown, BRIGHTEST_PERCENTILE)) if shown.size else 1.0
    wasModifying = display.StartModify()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(top, top / 2)
    if own is None:
        display.SetAndObserveColorNodeID(f"vtkMRMLColorTableNode{'Grey' if isBoneBright else 'InvertedGrey'}")
    display.SetAttribute(OWN_WINDOW_ATTRIBUTE, _windowText(display))
    display.EndModify(wasModifying)


def _windowText(display: vtkMRMLDisplayNode) -> str:
    return f"{display.GetWindow():.6g} {display.GetLevel():.6g}"
