"""The lines of a DRR's bone as VTK holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk

if TYPE_CHECKING:
    from prostreg.geometry.frames import Matrix
    from prostreg.outputs.bone_lines import Lines


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
