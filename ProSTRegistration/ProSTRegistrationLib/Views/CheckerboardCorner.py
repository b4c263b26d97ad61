"""The point by which a checkerboard is dragged: where four tiles meet, kept on the detector plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import slicer
from numpy.typing import NDArray

from prostreg.geometry.frames import invert_rigid, transform_points
from ProSTRegistrationLib.Nodes.CArmNode import cameraFromPixel, nodeCarmOf

if TYPE_CHECKING:
    from slicer import vtkMRMLAbstractViewNode, vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.Nodes.Scene import Scene

ROLE = "checkerboard corner"
COLOR = (1.0, 0.8, 0.2)
GLYPH_SCALE = 6.0
"""Per cent of the view's diagonal: large enough to be seen as something to drag."""


class CheckerboardCorner:
    """The corner of one fluoroscopy image; a scene that was reloaded goes on with the point it has.

    Args:
        scene: Scene.
        fluoroscopyNode: a placed image.
        viewNode: the slice view in which the point can be seen and dragged.
        onMoved: called without arguments whenever it was moved.
    """

    def __init__(
        self,
        scene: Scene,
        fluoroscopyNode: vtkMRMLScalarVolumeNode,
        viewNode: vtkMRMLAbstractViewNode,
        onMoved: Callable[[], object],
    ) -> None:
        self._fluoroscopyNode = fluoroscopyNode
        self._onMoved = onMoved
        self._node = scene.ownedNode(fluoroscopyNode, ROLE, "vtkMRMLMarkupsFiducialNode", "Checkerboard corner")
        self._node.SetAndObserveTransformNodeID(fluoroscopyNode.GetTransformNodeID())
        self._node.CreateDefaultDisplayNodes()
        self._showIn(viewNode)
        if self._node.GetNumberOfControlPoints() != 1:
            self._node.RemoveAllControlPoints()
            self._node.AddControlPoint(*self._placeOf(self._middle()), "")
        self._tag = self._node.AddObserver(slicer.vtkMRMLMarkupsNode.PointModifiedEvent, self._moved)

    @property
    def pixel(self) -> tuple[float, float]:
        """(u, v) of the point in the fluoroscopy image, within it."""
        carm = nodeCarmOf(self._fluoroscopyNode)
        pixelFromNode = np.linalg.inv(cameraFromPixel(carm)) @ carm.camera_from_world
        place = transform_points(pixelFromNode, np.array(self._node.GetNthControlPointPosition(0)))
        return tuple(np.clip(place[:2], -0.5, np.array(carm.size) - 0.5))

    def moveTo(self, pixel: tuple[float, float]) -> None:
        """Puts the point to (u, v)."""
        self._node.SetNthControlPointPosition(0, *self._placeOf(pixel))

    def release(self) -> None:
        """Hides the point and no longer listens to it."""
        self._node.RemoveObserver(self._tag)
        if self._node.GetDisplayNode():
            self._node.GetDisplayNode().SetVisibility(False)

    def _moved(self, *_: object) -> None:
        if self._node.GetNumberOfControlPoints() == 1:
            self._onMoved()

    def _middle(self) -> tuple[float, float]:
        carm = nodeCarmOf(self._fluoroscopyNode)
        return (carm.width - 1) / 2, (carm.height - 1) / 2

    def _placeOf(self, pixel: tuple[float, float]) -> NDArray[np.float64]:
        carm = nodeCarmOf(self._fluoroscopyNode)
        return transform_points(invert_rigid(carm.camera_from_world) @ cameraFromPixel(carm), (*pixel, 0))

    def _showIn(self, viewNode: vtkMRMLAbstractViewNode) -> None:
        display = self._node.GetDisplayNode()
        display.SetViewNodeIDs([viewNode.GetID()])
        display.SetSelectedColor(COLOR)
        display.SetColor(COLOR)
        display.SetGlyphTypeFromString("Cross2D")
        display.SetGlyphScale(GLYPH_SCALE)
        display.SetTextScale(0)
        display.SetVisibility(True)
