"""A ruler in an X-ray: one line on its detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ProSTRegistrationLib.Nodes.ImageMarks import isMarked, marksPx
from ProSTRegistrationLib.Nodes.Scene import ROLE_ATTRIBUTE

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsLineNode, vtkMRMLScalarVolumeNode

    from prostreg.geometry.carm import CArm
    from ProSTRegistrationLib.Nodes.Scene import Scene

RULER_ROLE = "ruler"
COLOR = (1.0, 0.9, 0.2)


def addRuler(scene: Scene, fluoroscopyNode: vtkMRMLScalarVolumeNode, viewId: str) -> vtkMRMLMarkupsLineNode:
    """The empty ruler of a placed image, in place of the one that it had.

    Args:
        scene: Scene.
        viewId: of the node of the view that shows it.
    """
    scene.removeOwned(fluoroscopyNode, RULER_ROLE)
    node = scene.addOwned(fluoroscopyNode, RULER_ROLE, "vtkMRMLMarkupsLineNode", f"{fluoroscopyNode.GetName()} ruler")
    node.SetAndObserveTransformNodeID(fluoroscopyNode.GetTransformNodeID())
    node.SetControlPointLabelFormat("")
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSelectedColor(*COLOR)
    # Slicer's own label tells the distance in the scene, which is that on the detector alone.
    display.SetPropertiesLabelVisibility(False)
    display.SetPointLabelsVisibility(True)
    display.SetViewNodeIDs([viewId])
    return node


def isWhole(ruler: vtkMRMLMarkupsLineNode) -> bool:
    """True when both ends were placed."""
    return bool(ruler.GetNumberOfControlPoints() == 2 and isMarked(ruler, 0) and isMarked(ruler, 1))


def lengthMm(ruler: vtkMRMLMarkupsLineNode, carm: CArm) -> float:
    """The length of a whole ruler on the detector plane of a C-arm in the world, mm; NaN for an end without a pixel."""
    ends = marksPx(ruler, carm)
    return float(np.linalg.norm((ends[1] - ends[0]) * carm.detector_spacing_mm))


def labelRuler(ruler: vtkMRMLMarkupsLineNode, text: str) -> None:
    """Writes a text beside the second end of a ruler."""
    # A label of its own change would come back here.
    if ruler.GetNthControlPointLabel(1) != text:
        ruler.SetNthControlPointLabel(0, "")
        ruler.SetNthControlPointLabel(1, text)


def showRuler(scene: Scene, shown: vtkMRMLMarkupsLineNode | None) -> None:
    """Shows a ruler, and no other: those of images that are not in the view lie on other detectors."""
    mrmlScene, className = scene.mrmlScene, "vtkMRMLMarkupsLineNode"
    for index in range(mrmlScene.GetNumberOfNodesByClass(className)):
        node = mrmlScene.GetNthNodeByClass(index, className)
        display = node.GetDisplayNode()
        if node.GetAttribute(ROLE_ATTRIBUTE) == RULER_ROLE and display is not None:
            display.SetVisibility(node is shown)
