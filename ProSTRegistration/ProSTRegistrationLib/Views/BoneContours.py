"""The edges of a DRR's bone over its fluoroscopy image, as VTK draws them: of several bones each in its own colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk

from prostreg.geometry.frames import invert_rigid
from prostreg.outputs.bone_lines import bone_lines
from ProSTRegistrationLib.Bones.BoneDrrs import boneColor
from ProSTRegistrationLib.Nodes.CArmNode import cameraFromPixel

if TYPE_CHECKING:
    from slicer import vtkMRMLDisplayNode, vtkMRMLModelNode, vtkMRMLScalarVolumeNode, vtkMRMLSliceNode

    from prostreg.geometry.frames import Matrix
    from prostreg.outputs.bone_lines import Lines
    from ProSTRegistrationLib.Nodes.Scene import Scene
    from ProSTRegistrationLib.Views.ComparedImages import ComparedImages

CONTOURS_ROLE = "bone contours"
"""Of one body or the first bone; the second has this and a 2."""
CONTOUR_COLOR = (0.24, 1.0, 0.55)
THINNEST_PIXELS, THICKEST_PIXELS = 1, 4


class BoneContours:
    """The edges in one slice view.

    Args:
        scene: Scene.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def draw(
        self, owner: vtkMRMLScalarVolumeNode, images: ComparedImages, sliceNode: vtkMRMLSliceNode, strength: float
    ) -> None:
        """Draws the edges of a fluoroscopy image's DRR in a view.

        Args:
            strength: 0 to 1, how thick they are.
        """
        drrs, colors = [images.drr], [CONTOUR_COLOR]
        if images.boneDrrs is not None:
            drrs, colors = list(images.boneDrrs), [boneColor(number) for number in range(len(images.boneDrrs))]
        nodeFromPixel = invert_rigid(images.carm.camera_from_world) @ cameraFromPixel(images.carm)
        for number, (drr, color) in enumerate(zip(drrs, colors, strict=True)):
            node = self._node(owner, number)
            node.SetAndObserveTransformNodeID(owner.GetTransformNodeID())
            node.SetAndObservePolyData(linesOnDetector(bone_lines(drr), nodeFromPixel))
            node.CreateDefaultDisplayNodes()
            display = node.GetDisplayNode()
            wasModifying = display.StartModify()
            display.SetViewNodeIDs([sliceNode.GetID()])
            display.SetColor(color)
            display.SetSliceIntersectionThickness(_pixels(strength))
            display.SetSliceDisplayModeToProjection()
            display.SetVisibility2D(True)
            display.SetVisibility(True)
            display.EndModify(wasModifying)
        for display in self._displays(owner)[len(drrs) :]:
            display.SetVisibility(False)

    def setThickness(self, owner: vtkMRMLScalarVolumeNode, strength: float) -> None:
        """Sets how thick the edges of a fluoroscopy image's DRR are, 0 to 1."""
        for display in self._displays(owner):
            display.SetSliceIntersectionThickness(_pixels(strength))

    def hide(self, owner: vtkMRMLScalarVolumeNode) -> None:
        """Takes the edges of a fluoroscopy image's DRR out of the view; their nodes stay for the next time."""
        for display in self._displays(owner):
            display.SetVisibility(False)

    def _node(self, owner: vtkMRMLScalarVolumeNode, number: int) -> vtkMRMLModelNode:
        name = f"{owner.GetName()} {_role(number)}"
        return self._scene.ownedNode(owner, _role(number), "vtkMRMLModelNode", name)

    def _displays(self, owner: vtkMRMLScalarVolumeNode) -> list[vtkMRMLDisplayNode]:
        displays: list[vtkMRMLDisplayNode] = []
        while (node := self._scene.findOwned(owner, _role(len(displays)))) is not None and node.GetDisplayNode():
            displays.append(node.GetDisplayNode())
        return displays


def _role(number: int) -> str:
    return CONTOURS_ROLE if number == 0 else f"{CONTOURS_ROLE} {number + 1}"


def _pixels(strength: float) -> int:
    return round(THINNEST_PIXELS + (THICKEST_PIXELS - THINNEST_PIXELS) * strength)


def linesOnDetector(lines: Lines, nodeFromPixel: Matrix) -> vtk.vtkPolyData:
    """The engine's Lines as vtkPolyData on the detector plane.

    Args:
        nodeFromPixel: (4, 4) from pixels (u, v, 0) into the frame of the node.
    """
    places = np.column_stack([lines.points, np.zeros(len(lines.points)), np.ones(len(lines.points))])
    points = vtk.vtkPoints()
    points.SetDataTypeToDouble()
    points.SetData(numpy_to_vtk(np.ascontiguousarray((places @ nodeFromPixel.T)[:, :3]), deep=True))
    cells = vtk.vtkCellArray()
    cells.SetData(_ids(np.arange(0, lines.ends.size + 1, 2)), _ids(lines.ends.ravel()))
    data = vtk.vtkPolyData()
    data.SetPoints(points)
    data.SetLines(cells)
    return data


def _ids(values: NDArray[np.integer[Any]]) -> vtk.vtkDataArray:
    return numpy_to_vtk(np.ascontiguousarray(values, dtype=np.int64), deep=True, array_type=vtk.VTK_ID_TYPE)
