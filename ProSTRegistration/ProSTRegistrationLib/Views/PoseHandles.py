"""Handles by which a person turns and shifts the CT in the views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from slicer import vtkMRMLLinearTransformNode


def showHandles(transformNode: vtkMRMLLinearTransformNode, centreMm: NDArray[np.float64], isOn: bool) -> None:
    """Shows or hides the handles of a pose transform.

    Args:
        transformNode: vtkMRMLLinearTransformNode above the CT.
        centreMm: (3,) what is turned about, in the transform's own frame, that of the CT below it.
    """
    transformNode.CreateDefaultDisplayNodes()
    transformNode.SetCenterOfTransformation(*(float(value) for value in centreMm))
    display = transformNode.GetDisplayNode()
    wasModifying = display.StartModify()
    display.SetEditorTranslationEnabled(True)
    display.SetEditorTranslationSliceEnabled(True)
    display.SetEditorRotationEnabled(True)
    display.SetEditorRotationSliceEnabled(True)
    display.SetEditorScalingEnabled(False)
    display.SetEditorScalingSliceEnabled(False)
    display.SetEditorVisibility3D(True)
    display.SetEditorSliceIntersectionVisibility(True)
    display.SetEditorVisibility(isOn)
    display.EndModify(wasModifying)
