"""The outline and the strong inner edges of a DRR as smooth lines."""

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ProSTRegistrationLib.Views.OverlayPictures import averaged, blurred, footprint

MOST_PIXELS = 400
"""Lines lie between pixels, so a DRR of this size gives smooth ones; a larger one is reduced."""
OUTLINE_SHARE = 0.12
"""Line integrals above this share of the highest ones lie inside the outline."""
BLUR_WIDTH = 0.005
"""Standard deviation, as a share of the image's width: takes the steps of the CT's slices off the lines."""
STRONG_EDGE_QUANTILE = 0.93
WEAK_SHARE = 0.5
"""An edge goes on from a strong place while it keeps this share of its strength."""
SHORTEST_WIDTH = 0.1
"""Lines shorter than this share of the image's width are left out."""


def boneContours(drr):
    """Lines of a DRR (height, width) as vtkPolyData with points (u, v, 0) in its pixels."""
    factor = max(1, -(-max(drr.shape) // MOST_PIXELS))
    small = averaged(np.asarray(drr, dtype=np.float32), factor)
    isShown = footprint(small, OUTLINE_SHARE)
    append = vtk.vtkAppendPolyData()
    if isShown.any() and min(small.shape) > 2:
        sigma = max(1.0, BLUR_WIDTH * small.shape[1])
        silhouette = _levelLines(blurred(isShown.astype(np.float32), sigma), 0.5)
        append.AddInputData(_without(silhouette, lambda points: _isAtBorder(points, small.shape)))
        append.AddInputData(_innerEdges(small, isShown, sigma))
    else:
        append.AddInputData(vtk.vtkPolyData())
    append.Update()
    lines = _longOnes(append.GetOutput(), SHORTEST_WIDTH * small.shape[1])
    # Pixel centres of the reduced image lie between those of the image.
    _setPoints(lines, _points(lines) * (factor, factor, 1) + ((factor - 1) / 2, (factor - 1) / 2, 0))
    return lines


def _innerEdges(drr, isShown, sigma):
    """Where the slope of the DRR is steepest along its own direction, and steep enough."""
    smooth = blurred(drr, sigma).astype(np.float64)
    slopeV, slopeU = np.gradient(smooth)
    strength = np.hypot(slopeU, slopeV)
    alongV, alongU = np.gradient(strength)
    steeper = slopeU * alongU + slopeV * alongV
    strong = np.quantile(strength[isShown], STRONG_EDGE_QUANTILE)
    lines = _without(_levelLines(steeper, 0.0), lambda points: _sampled(strength, points) < WEAK_SHARE * strong)
    lines = _without(lines, lambda points: _sampled(_grownOutside(isShown, sigma), points) > 0.05)
    return _longOnes(lines, 0.0, strength, strong)


def _grownOutside(isShown, sigma):
    return blurred((~isShown).astype(np.float32), 2 * sigma)


def _levelLines(image, level):
    data = vtk.vtkImageData()
    data.SetDimensions(image.shape[1], image.shape[0], 1)
    values = np.ascontiguousarray(image, dtype=np.float32)
    data.GetPointData().SetScalars(numpy_to_vtk(values.ravel(), deep=True))
    edges = vtk.vtkFlyingEdges2D()
    edges.SetInputData(data)
    edges.SetValue(0, level)
    edges.Update()
    return edges.GetOutput()


def _without(lines, isUnwanted):
    """The segments of which no end is unwanted."""
    if lines.GetNumberOfLines() == 0:
        return lines
    ends = vtk_to_numpy(lines.GetLines().GetConnectivityArray()).reshape(-1, 2)
    isKept = ~isUnwanted(_points(lines))[ends].any(axis=1)
    return _segments(_points(lines), ends[isKept])


def _longOnes(segments, shortestPixels, strength=None, strongest=0.0):
    """Joins segments to lines and keeps those that are long and, where a strength image is given, reach a strength."""
    if segments.GetNumberOfLines() == 0:
        return segments
    strips = vtk.vtkStripper()
    strips.SetInputData(segments)
    strips.SetMaximumLength(segments.GetNumberOfPoints() + 1)
    strips.JoinContiguousSegmentsOn()
    strips.Update()
    joined = strips.GetOutput()
    points, ids = _points(joined), vtk_to_numpy(joined.GetLines().GetConnectivityArray())
    starts = vtk_to_numpy(joined.GetLines().GetOffsetsArray())[:-1]
    lineOfId = np.zeros(len(ids), dtype=int)
    lineOfId[starts[1:]] = 1
    lineOfId = lineOfId.cumsum()
    ends = np.column_stack([ids[:-1], ids[1:]])[lineOfId[:-1] == lineOfId[1:]]
    lineOfSegment = lineOfId[:-1][lineOfId[:-1] == lineOfId[1:]]
    lengths = np.bincount(lineOfSegment, np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1))
    isKept = lengths >= shortestPixels
    if strength is not None:
        isKept &= np.maximum.reduceat(_sampled(strength, points[ids]), starts) >= strongest
    return _segments(points, ends[isKept[lineOfSegment]])


def _segments(points, ends):
    used, ends = np.unique(ends, return_inverse=True)
    data, cells = vtk.vtkPolyData(), vtk.vtkCellArray()
    ends = np.ascontiguousarray(ends.reshape(-1, 2), dtype=np.int64)
    offsets = np.arange(0, ends.size + 1, 2, dtype=np.int64)
    cells.SetData(
        numpy_to_vtk(offsets, deep=True, array_type=vtk.VTK_ID_TYPE),
        numpy_to_vtk(ends.ravel(), deep=True, array_type=vtk.VTK_ID_TYPE),
    )
    _setPoints(data, points[used])
    data.SetLines(cells)
    return data


def _points(data):
    return vtk_to_numpy(data.GetPoints().GetData()).astype(np.float64) if data.GetNumberOfPoints() else np.empty((0, 3))


def _setPoints(data, points):
    made = vtk.vtkPoints()
    made.SetDataTypeToDouble()
    made.SetData(numpy_to_vtk(np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 3), deep=True))
    data.SetPoints(made)


def _isAtBorder(points, shape):
    nearest = np.minimum(points[:, :2], np.array(shape[::-1]) - 1 - points[:, :2]).min(axis=1)
    return nearest < 1.5


def _sampled(image, points):
    """The image's values at points (n, 3), linear between pixels."""
    columns = np.clip(points[:, 0], 0, image.shape[1] - 1.001)
    rows = np.clip(points[:, 1], 0, image.shape[0] - 1.001)
    column, row = columns.astype(int), rows.astype(int)
    right, down = columns - column, rows - row
    upper = image[row, column] * (1 - right) + image[row, column + 1] * right
    lower = image[row + 1, column] * (1 - right) + image[row + 1, column + 1] * right
    return upper * (1 - down) + lower * down
