"""Turns slice views onto the detector: as seen from the source, u to the right and v down, unless they are turned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import slicer
from numpy.typing import NDArray

from prostreg.geometry.frames import invert_rigid, transform_points
from ProSTRegistrationLib.Nodes.CArmNode import cameraFromPixel, carmOf
from ProSTRegistrationLib.Views.ViewTurn import viewTurnOf

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSliceLogic, vtkMRMLSliceNode

    from prostreg.geometry.carm import CArm

DRR_OPACITY = 0.5
ORIENTATION = "Detector"
SAME_AXES = 1e-5
SAME_PLANE_MM = 0.4
"""Less than half of the image's thickness: it is seen so far."""


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


def showAsLoaded(sliceLogic: vtkMRMLSliceLogic, fluoroscopyNode: vtkMRMLScalarVolumeNode) -> None:
    """Shows an image that was not placed yet as its file has it, fitted into the view."""
    showLayers(sliceLogic, fluoroscopyNode)
    sliceLogic.GetSliceNode().RotateToVolumePlane(fluoroscopyNode)
    sliceLogic.FitSliceToAll()


def showSlices(sliceLogic: vtkMRMLSliceLogic, ctNode: vtkMRMLScalarVolumeNode) -> None:
    """Shows slices of a CT along its own axes in one of Slicer's views, from its middle."""
    showLayers(sliceLogic, ctNode)
    sliceLogic.GetSliceNode().RotateToVolumePlane(ctNode)
    sliceLogic.FitSliceToAll()


def keepForItself(sliceLogic: vtkMRMLSliceLogic) -> None:
    """Keeps volumes that are loaded later out of the view; Slicer shows them in all views that let it."""
    sliceLogic.GetSliceCompositeNode().SetDoPropagateVolumeSelection(False)


def faceDetector(sliceLogic: vtkMRMLSliceLogic, fluoroscopyNode: vtkMRMLScalarVolumeNode) -> None:
    """Turns the view onto the image's detector and fits it in; to be repeated when the view has another size.

    Raises:
        InputError: the image was never placed.
    """
    carm, sliceNode = carmOf(fluoroscopyNode), sliceLogic.GetSliceNode()
    worldFromCamera = invert_rigid(carm.camera_from_world)
    centre = ((carm.width - 1) / 2, (carm.height - 1) / 2, 0)
    sliceToRas = np.eye(4)
    turn = viewTurnOf(fluoroscopyNode)
    sliceToRas[:3, :3] = turn.axes(_detectorAxes(carm))
    sliceToRas[:3, 3] = transform_points(worldFromCamera @ cameraFromPixel(carm), centre)
    _namePreset(sliceNode, sliceToRas[:3, :3])
    sliceNode.GetSliceToRAS().DeepCopy(slicer.util.vtkMatrixFromArray(sliceToRas))
    columns, rows, _ = sliceNode.GetDimensions()
    if not (columns and rows):
        # Pulled shut, or not laid out yet.
        return
    sides = carm.width * carm.detector_spacing_mm[0], carm.height * carm.detector_spacing_mm[1]
    across, upright = sides[::-1] if turn.quarters % 2 else sides
    pitch = max(across / columns, upright / rows)
    sliceNode.SetFieldOfView(pitch * columns, pitch * rows, 1.0)
    sliceNode.UpdateMatrices()


def lookOf(sliceLogic: vtkMRMLSliceLogic) -> tuple[object, ...]:
    """The layers, direction and depth of a view, to be compared: others when something else has taken the view over."""
    composite, sliceNode = sliceLogic.GetSliceCompositeNode(), sliceLogic.GetSliceNode()
    sliceToRas = slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS())
    depthMm = float(sliceToRas[:3, 2] @ sliceToRas[:3, 3])
    layers = composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()
    return *layers, np.round(sliceToRas[:3, :3], 5).tobytes(), round(depthMm, 2)


def isFacingDetector(sliceLogic: vtkMRMLSliceLogic, fluoroscopyNode: vtkMRMLScalarVolumeNode) -> bool:
    """False where something has turned the view away from the image's detector, or moved it off its plane.

    Raises:
        InputError: the image was never placed.
    """
    carm = carmOf(fluoroscopyNode)
    sliceToRas = slicer.util.arrayFromVTKMatrix(sliceLogic.GetSliceNode().GetSliceToRAS())
    offMm = transform_points(carm.camera_from_world, sliceToRas[:3, 3])[2] - carm.sdd_mm
    axes = viewTurnOf(fluoroscopyNode).axes(_detectorAxes(carm))
    return bool(np.allclose(sliceToRas[:3, :3], axes, atol=SAME_AXES) and abs(offMm) < SAME_PLANE_MM)


def _detectorAxes(carm: CArm) -> NDArray[np.float64]:
    """(3, 3) in the world: to the right and up in the image, and towards the source."""
    right, down = carm.camera_from_world[0, :3], carm.camera_from_world[1, :3]
    return np.column_stack([right, -down, np.cross(right, -down)])


def _namePreset(sliceNode: vtkMRMLSliceNode, axes: NDArray[np.float64]) -> None:
    # MRML logs an error when it loads an orientation without a name.
    if sliceNode.HasSliceOrientationPreset(ORIENTATION):
        sliceNode.RemoveSliceOrientationPreset(ORIENTATION)
    sliceNode.AddSliceOrientationPreset(ORIENTATION, slicer.util.vtkMatrixFromArray(axes))
