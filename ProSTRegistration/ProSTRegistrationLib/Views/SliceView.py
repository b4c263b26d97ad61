"""Turns slice views onto the detector: as seen from the source, u to the right and v down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import slicer
from numpy.typing import NDArray

from prostreg.geometry.frames import invert_rigid, transform_points
from ProSTRegistrationLib.Nodes.CArmNode import cameraFromPixel, carmOf

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSliceLogic, vtkMRMLSliceNode

DRR_OPACITY = 0.5
ORIENTATION = "Detector"


def showOverlay(
    sliceLogic: vtkMRMLSliceLogic, fluoroscopyNode: vtkMRMLScalarVolumeNode, drrNode: vtkMRMLScalarVolumeNode
) -> None:
    """Shows a fluoroscopy image with its DRR over it in the view of a slice logic.

    Raises:
        InputError: the image was never placed.
    """
    showLayers(sliceLogic, fluoroscopyNode, drrNode, DRR_OPACITY)
    faceDetector(sliceLogic, fluoroscopyNode)


def showLayers(
    sliceLogic: vtkMRMLSliceLogic,
    backgroundNode: vtkMRMLScalarVolumeNode | None,
    foregroundNode: vtkMRMLScalarVolumeNode | None = None,
    opacity: float = 0.0,
) -> None:
    """Shows one volume, or one over another, in the view of a slice logic; no other view follows."""
    composite = sliceLogic.GetSliceCompositeNode()
    wasModifying = composite.StartModify()
    composite.SetLinkedControl(False)
    composite.SetBackgroundVolumeID(backgroundNode.GetID() if backgroundNode else None)
    composite.SetForegroundVolumeID(foregroundNode.GetID() if foregroundNode else None)
    composite.SetForegroundOpacity(opacity)
    composite.SetCompositing(slicer.vtkMRMLSliceCompositeNode.Alpha)
    composite.EndModify(wasModifying)


def faceDetector(sliceLogic: vtkMRMLSliceLogic, fluoroscopyNode: vtkMRMLScalarVolumeNode) -> None:
    """Turns the view onto the image's detector and fits it in; to be repeated when the view has another size.

    Raises:
        InputError: the image was never placed.
    """
    carm, sliceNode = carmOf(fluoroscopyNode), sliceLogic.GetSliceNode()
    worldFromCamera = invert_rigid(carm.camera_from_world)
    centre = ((carm.width - 1) / 2, (carm.height - 1) / 2, 0)
    sliceToRas = np.eye(4)
    right, down = worldFromCamera[:3, 0], worldFromCamera[:3, 1]
    sliceToRas[:3, 0], sliceToRas[:3, 1], sliceToRas[:3, 2] = right, -down, np.cross(right, -down)
    sliceToRas[:3, 3] = transform_points(worldFromCamera @ cameraFromPixel(carm), centre)
    _namePreset(sliceNode, sliceToRas[:3, :3])
    sliceNode.GetSliceToRAS().DeepCopy(slicer.util.vtkMatrixFromArray(sliceToRas))
    columns, rows, _ = sliceNode.GetDimensions()
    pitch = max(carm.width * carm.detector_spacing_mm[0] / columns, carm.height * carm.detector_spacing_mm[1] / rows)
    sliceNode.SetFieldOfView(pitch * columns, pitch * rows, 1.0)
    sliceNode.UpdateMatrices()


def _namePreset(sliceNode: vtkMRMLSliceNode, axes: NDArray[np.float64]) -> None:
    # A view that was turned by hand finds back to the detector; and MRML logs an error when it loads an unnamed one.
    if sliceNode.HasSliceOrientationPreset(ORIENTATION):
        sliceNode.RemoveSliceOrientationPreset(ORIENTATION)
    sliceNode.AddSliceOrientationPreset(ORIENTATION, slicer.util.vtkMatrixFromArray(axes))
