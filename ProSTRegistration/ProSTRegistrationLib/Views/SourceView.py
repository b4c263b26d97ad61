"""The 3D view: the C-arm from outside, or the CT and the fluoroscopy behind it as the X-ray source sees them.

From the source, bone and its shadow on the detector coincide whichever way the camera points. So where the principal
point is off centre, the camera aims at the detector's middle, which MRML keeps with the scene, instead of shifting the
window, which it does not: the detector then looks slightly keystoned, and all still fits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from ProSTRegistrationLib.Nodes.CArmModels import detectorCornersMm, detectorSurface, sourceMm
from ProSTRegistrationLib.Nodes.CArmNode import nodeDrawnCarmOf
from ProSTRegistrationLib.Nodes.Scene import ROLE_ATTRIBUTE, Scene

if TYPE_CHECKING:
    from slicer import (
        vtkMRMLAbstractViewNode,
        vtkMRMLCameraNode,
        vtkMRMLScalarVolumeNode,
        vtkMRMLViewNode,
        vtkMRMLVolumePropertyNode,
        vtkMRMLVolumeRenderingDisplayNode,
    )

    from prostreg.geometry.carm import CArm

PICTURE_ROLE = "detector picture"
BONE_ROLE = "bone rendering"
BONE_COLORS_ROLE = "bone rendering colours"
OPACITY_OF_HU = ((-1024, 0.0), (180, 0.0), (330, 0.08), (600, 0.3), (1200, 0.65), (3000, 0.9))
COLOR_OF_HU = (
    (-1024, (0.5, 0.25, 0.15)),
    (130, (0.75, 0.45, 0.30)),
    (400, (0.95, 0.84, 0.66)),
    (1200, (1.0, 0.98, 0.92)),
)
OPACITY_OF_SLOPE = ((0, 0.2), (40, 0.6), (150, 1.0))
"""Surfaces show, flat insides hardly: HU per mm."""
MARGIN = 1.05
OUTSIDE_ANGLE_DEG = 30.0


def cameraOf(viewNode: vtkMRMLViewNode) -> vtkMRMLCameraNode:
    """The vtkMRMLCameraNode of a 3D view; made where the view has none yet."""
    scene = viewNode.GetScene()
    node = slicer.vtkMRMLViewLogic.GetCameraNode(scene, viewNode.GetLayoutName())
    if node is None:
        node = slicer.vtkMRMLCameraNode()
        node.SetName(f"{viewNode.GetLayoutName()} camera")
        node.SetLayoutName(viewNode.GetLayoutName())
        node = scene.AddNode(node)
    return node


def lookFromSource(cameraNode: vtkMRMLCameraNode, carm: CArm, viewAspect: float = 1.0) -> None:
    """Puts a camera into the X-ray source, looking at the detector, which just fits into the view.

    Args:
        cameraNode: vtkMRMLCameraNode.
        carm: CArm in the world.
        viewAspect: width of the view over its height; 1 fits in all views that are not upright.
    """
    source, corners = sourceMm(carm), detectorCornersMm(carm)
    middle = corners.mean(axis=0)
    up = -carm.camera_from_world[1, :3]
    forward = _unit(middle - source)
    right = _unit(np.cross(forward, up))
    rays = (corners - source) @ np.column_stack([right, np.cross(right, forward), forward])
    widest = max(np.abs(rays[:, 0] / rays[:, 2]).max() / viewAspect, np.abs(rays[:, 1] / rays[:, 2]).max())
    _aim(cameraNode, source, middle, up, 2 * np.degrees(np.arctan(MARGIN * widest)))


def lookAtCArm(cameraNode: vtkMRMLCameraNode, carm: CArm) -> None:
    """Puts a camera beside a C-arm, so that source, beam and detector are all seen, the patient's front up."""
    source, corners = sourceMm(carm), detectorCornersMm(carm)
    beam = _unit(corners.mean(axis=0) - source)
    front, head = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    # From the feet; where the beam runs along the patient, from the side.
    towards = -head if abs(beam @ head) < 0.8 else np.array([1.0, 0.0, 0.0])
    aside = _unit(towards - (towards @ beam) * beam)
    direction = _unit(aside + 0.3 * np.cross(beam, aside) + 0.25 * front - 0.7 * beam)
    points = np.vstack([corners, source])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    radius = np.linalg.norm(points - middle, axis=1).max()
    distance = radius / np.sin(np.radians(OUTSIDE_ANGLE_DEG / 2))
    up = front if abs(direction @ front) < 0.95 else head
    _aim(cameraNode, middle + distance * direction, middle, up, OUTSIDE_ANGLE_DEG)


def showDetectorPicture(
    fluoroscopyNode: vtkMRMLScalarVolumeNode, viewNode: vtkMRMLAbstractViewNode, isOn: bool
) -> None:
    """Shows a fluoroscopy image on its detector in one 3D view, with window and level as in the slice views.

    To be called again in a scene that was reloaded: pictures on models are not saved.

    Raises:
        InputError: the image was never placed.
    """
    surface = detectorSurface(nodeDrawnCarmOf(fluoroscopyNode))
    name = f"{fluoroscopyNode.GetName()} on detector"
    node = Scene(fluoroscopyNode.GetScene()).ownedNode(fluoroscopyNode, PICTURE_ROLE, "vtkMRMLModelNode", name)
    node.SetAndObserveTransformNodeID(fluoroscopyNode.GetTransformNodeID())
    node.SetAndObservePolyData(surface)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    wasModifying = display.StartModify()
    display.SetViewNodeIDs([viewNode.GetID()])
    display.SetTextureImageDataConnection(fluoroscopyNode.GetDisplayNode().GetImageDataConnection())
    display.SetInterpolateTexture(True)
    display.SetColor(1, 1, 1)
    display.SetLighting(False)
    display.SetBackfaceCulling(False)
    display.SetVisibility2D(False)
    display.SetVisibility(isOn)
    display.EndModify(wasModifying)


def showVolumeRendering(ctNode: vtkMRMLScalarVolumeNode, viewNode: vtkMRMLAbstractViewNode, isOn: bool) -> None:
    """Shows the bone of a CT in one 3D view; it moves with the CT."""
    displays = (ctNode.GetNthDisplayNode(index) for index in range(ctNode.GetNumberOfDisplayNodes()))
    display = next((node for node in displays if node and node.GetAttribute(ROLE_ATTRIBUTE) == BONE_ROLE), None)
    if isOn:
        display = display or _addBoneDisplay(ctNode)
        display.SetAndObserveVolumePropertyNodeID(_boneColors(ctNode).GetID())
    if display is not None:
        display.SetViewNodeIDs([viewNode.GetID()])
        display.SetVisibility(isOn)


def _addBoneDisplay(ctNode: vtkMRMLScalarVolumeNode) -> vtkMRMLVolumeRenderingDisplayNode:
    className = "vtkMRMLGPURayCastVolumeRenderingDisplayNode"
    display = ctNode.GetScene().AddNewNodeByClass(className, f"{ctNode.GetName()} bone")
    display.SetAttribute(ROLE_ATTRIBUTE, BONE_ROLE)
    ctNode.AddAndObserveDisplayNodeID(display.GetID())
    return display


def _boneColors(ctNode: vtkMRMLScalarVolumeNode) -> vtkMRMLVolumePropertyNode:
    name = f"{ctNode.GetName()} bone colours"
    colors = Scene(ctNode.GetScene()).ownedNode(ctNode, BONE_COLORS_ROLE, "vtkMRMLVolumePropertyNode", name)
    if colors.GetScalarOpacity().GetSize() == slicer.vtkMRMLVolumePropertyNode().GetScalarOpacity().GetSize():
        # New, or as good as new: from a scene that was saved without its file.
        colors.SetHideFromEditors(True)
        _setBoneColors(colors)
    return colors


def _setBoneColors(propertyNode: vtkMRMLVolumePropertyNode) -> None:
    opacity, slope, color = vtk.vtkPiecewiseFunction(), vtk.vtkPiecewiseFunction(), vtk.vtkColorTransferFunction()
    for hu, value in OPACITY_OF_HU:
        opacity.AddPoint(hu, value)
    for huPerMm, value in OPACITY_OF_SLOPE:
        slope.AddPoint(huPerMm, value)
    for hu, rgb in COLOR_OF_HU:
        color.AddRGBPoint(hu, *rgb)
    propertyNode.SetScalarOpacity(opacity)
    propertyNode.SetGradientOpacity(slope)
    propertyNode.SetColor(color)
    shading = propertyNode.GetVolumeProperty()
    shading.SetInterpolationTypeToLinear()
    shading.ShadeOn()
    shading.SetAmbient(0.25)
    shading.SetDiffuse(0.8)
    shading.SetSpecular(0.15)


def _aim(
    cameraNode: vtkMRMLCameraNode,
    position: NDArray[np.float64],
    focalPoint: NDArray[np.float64],
    up: NDArray[np.float64],
    angleDeg: float,
) -> None:
    wasModifying = cameraNode.StartModify()
    cameraNode.SetParallelProjection(False)
    cameraNode.SetPosition(*position)
    cameraNode.SetFocalPoint(*focalPoint)
    cameraNode.SetViewUp(*up)
    cameraNode.SetViewAngle(float(angleDeg))
    cameraNode.EndModify(wasModifying)
    cameraNode.ResetClippingRange()


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / np.linalg.norm(vector)
