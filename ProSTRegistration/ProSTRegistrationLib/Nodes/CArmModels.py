"""Shows where a C-arm stands: source, detector frame and the edges of its beam as surface data."""

import numpy as np
import vtk

from prostreg.geometry.frames import invert_rigid, transform_points
from ProSTRegistrationLib.Nodes.CArmNode import cameraFromPixel

SOURCE_RADIUS_MM = 6.0


def sourceMm(carm):
    """The X-ray source in the C-arm's world, (3,)."""
    return invert_rigid(carm.camera_from_world)[:3, 3]


def detectorCornersMm(carm):
    """The detector's outer corners (4, 3) in the C-arm's world, going round from the first pixel along u."""
    left, top, right, bottom = -0.5, -0.5, carm.width - 0.5, carm.height - 0.5
    pixels = [(left, top, 0), (right, top, 0), (right, bottom, 0), (left, bottom, 0)]
    return transform_points(invert_rigid(carm.camera_from_world) @ cameraFromPixel(carm), pixels)


def carmSurfaces(carm):
    """vtkPolyData by name: "Source", "Detector", "Frustum"."""
    source, corners = sourceMm(carm), detectorCornersMm(carm)
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(source)
    sphere.SetRadius(SOURCE_RADIUS_MM)
    sphere.Update()
    edges = [np.array([source, corner]) for corner in corners]
    return {
        "Source": sphere.GetOutput(),
        "Detector": _lines([np.vstack([corners, corners[:1]])]),
        "Frustum": _lines(edges),
    }


def _lines(paths):
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
