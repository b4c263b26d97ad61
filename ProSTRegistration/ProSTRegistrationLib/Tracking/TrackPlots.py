"""The motion of a track as plots that Slicer's Plots module shows: turns and shifts by the frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import vtk

from prostreg.tracking.track import Track

if TYPE_CHECKING:
    from slicer import vtkMRMLPlotChartNode, vtkMRMLScalarVolumeNode, vtkMRMLTableNode

    from ProSTRegistrationLib.Nodes.Scene import Scene

MOTION_ROLE = "track motion"
FRAME_COLUMN = "Frame"
PLOTS = {
    "turns": ("Tilt about u (deg)", "Tilt about v (deg)", "In-plane turn (deg)"),
    "shifts": ("Shift along u (mm)", "Shift along v (mm)", "Depth (mm)"),
}
"""Columns of the table of each plot, in the order of the pose chart's parameters."""

COLOURS = ((0.85, 0.2, 0.15), (0.1, 0.5, 0.25), (0.1, 0.35, 0.75))


def plotTrack(scene: Scene, imageNode: vtkMRMLScalarVolumeNode, track: Track) -> vtkMRMLTableNode:
    """Makes a table of the motion since the registered frame, and plots of it, in place of earlier ones.

    Frames that are lost have no row, and no point in the plots. Returns the table's node.
    """
    motions = [(frame.number, track.motion(frame)) for frame in track.frames]
    rows = np.array([[number, *motion] for number, motion in motions if motion is not None]).reshape(-1, 7)
    table = scene.ownedNode(imageNode, MOTION_ROLE, "vtkMRMLTableNode", f"{imageNode.GetName()} motion")
    columns = [column for names in PLOTS.values() for column in names]
    _fill(table, [FRAME_COLUMN, *columns], rows)
    for kind, names in PLOTS.items():
        _plot(scene, imageNode, table, kind, names, track.first_frame)
    return table


def plotCharts(scene: Scene, imageNode: vtkMRMLScalarVolumeNode) -> dict[str, vtkMRMLPlotChartNode]:
    """The charts of the track that is kept with an X-ray, by the names in PLOTS; empty where there are none."""
    charts = {kind: scene.findOwned(imageNode, f"track {kind}") for kind in PLOTS}
    return {kind: chart for kind, chart in charts.items() if chart is not None}


def _fill(table: vtkMRMLTableNode, names: Sequence[str], rows: np.ndarray) -> None:
    content = vtk.vtkTable()
    for name, values in zip(names, rows.T, strict=True):
        column = vtk.vtkDoubleArray()
        column.SetName(name)
        for value in values:
            column.InsertNextValue(float(value))
        content.AddColumn(column)
    table.SetAndObserveTable(content)


def _plot(
    scene: Scene,
    imageNode: vtkMRMLScalarVolumeNode,
    table: vtkMRMLTableNode,
    kind: str,
    columns: Sequence[str],
    first: int,
) -> None:
    chart = scene.ownedNode(imageNode, f"track {kind}", "vtkMRMLPlotChartNode", f"{imageNode.GetName()} {kind}")
    chart.RemoveAllPlotSeriesNodeIDs()
    for name, colour in zip(columns, COLOURS, strict=True):
        series = scene.ownedNode(imageNode, f"track {name}", "vtkMRMLPlotSeriesNode", name)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName(FRAME_COLUMN)
        series.SetYColumnName(name)
        series.SetPlotType(series.PlotTypeScatter)
        series.SetMarkerStyle(series.MarkerStyleCircle)
        series.SetColor(*colour)
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle(f"Motion since frame {first}")
    chart.SetXAxisTitle(FRAME_COLUMN)
