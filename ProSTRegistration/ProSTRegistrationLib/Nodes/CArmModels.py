"""Shows where a C-arm stands: source, detector frame and the edges of its beam as surface data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import vtk
from numpy.typing import NDArray

from prostreg.geometry.frames import invert_rigid, transform_points
from ProSTRegistrationLib.Nodes.CArmNode import cameraFromPixel

if TYPE_CHECKING:
    from prostreg.geometry.carm import CArm

TUBE_LENGTH_MM = 40.0
TUBE_RADIUS_MM = 14.0


def sourceMm(carm: CArm) -> NDArray[np.float64]:
    """The X-ray source in the C-arm's world, (3,)."""
    return invert_rigid(carm.camera_from_world)[:3, 3]


def detectorCornersMm(carm: CArm) -> NDArray[np.float64]:
    """The detector's outer corners (4, 3) in the C-arm's world, going round from the first pixel along u."""
    left, top, right, bottom = -0.5, -0.5, carm.width - 0.5, carm.height - 0.5
    pixels = [(left, top, 0), (right, top, 0), (right, bottom, 0), (left, bottom, 0)]
    return transform_points(invert_rigid(carm.camera_from_world) @ cameraFromPixel(carm), pixels)


def detectorSurface(carm: CArm) -> vtk.vtkPolyData:
    """The detector as one quadrilateral whose texture coordinates put the first pixel of its image to u = v = 0."""
    points, cells, places = vtk.vtkPoints(), vtk.vtkCellArray(), vtk.vtkFloatArray()
    places.SetNumberOfComponents(2)
    cells.InsertNextCell(4)
    for corner, place in zip(detectorCornersMm(carm), ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        cells.InsertCellPoint(points.InsertNextPoint(corner))
        places.InsertNextTuple2(*place)
    data = vtk.vtkPolyData()
    data.SetPoints(points)
    data.SetPolys(cells)
    data.GetPointData().SetTCoords(places)
    return data


def carmSurfaces(carm: CArm) -> dict[str, vtk.vtkPolyData]:
    """vtkPolyData by name: "Source", "Detector", "Frustum".

    The source is the tip of a cone that lies behind it: a camera in the source does not see it.
    """
    source, corners = sourceMm(carm), detectorCornersMm(carm)
    beam = invert_rigid(carm.camera_from_world)[:3, 2]
    tube = vtk.vtkConeSource()
    tube.SetCenter(source - TUBE_LENGTH_MM / 2 * beam)
    tube.SetDirection(beam)
    tube.SetHeight(TUBE_LENGTH_MM)
    tube.SetRadius(TUBE_RADIUS_MM)
    tube.SetResolution(24)
    tube.Update()
    edges = [np.array([source, corner]) for corner in corners]
    return {
        "Source": tube.GetOutput(),
        "Detector": _lines([np.vstack([corners, corners[:1]])]),
        "Frustum": _lines(edges),
    }


def _lines(paths: Iterable[NDArray[np.float64]]) -> vtk.vtkPolyData:
    points, cells = vtk.vtkPoints(), vtk.vtkCellArray()
    points.SetDataTypeToDouble()
    for path in paths:
        cells.InsertNextCell(len(path))
        for point in path:
            cells.InsertCellPoint(points.InsertNextPoint(point))
    data = vtk.vtkPolyData()
    data.SetPoints(points)
    data.SetLines(cells)
    return data
