"""The layout for judging a registration: fluoroscopy with overlay, DRR beside it, C-arm in 3D.

Its views are its own: they have their own names and their own group, so that linked views and Slicer's own slice views
are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slicer import (
        vtkMRMLAbstractViewNode,
        vtkMRMLLayoutNode,
        vtkMRMLPlotChartNode,
        vtkMRMLScene,
        vtkMRMLViewNode,
    )

LAYOUT_ID = 7023
MARKING_LAYOUT_ID = 7024
PLOTS_LAYOUT_ID = 7025
CT_VIEWS = ("Red", "Yellow", "Green")
FLUOROSCOPY_VIEW = "Fluoroscopy"
DRR_VIEW = "DRR"
CARM_VIEW = "CArm"
PLOT_VIEWS = {"turns": "Turns", "shifts": "Shifts"}
"""Names of the views of plots, by what they show."""
VIEW_GROUP = 7023
PREVIOUS_ATTRIBUTE = "ProSTRegistration.PreviousLayout"

_VIEW = """
    <view class="{className}" singletontag="{name}">
      {orientation}<property name="viewlabel" action="default">{label}</property>
      <property name="viewcolor" action="default">{color}</property>
      <property name="viewgroup" action="default">{group}</property>
    </view>"""
_LAYOUT = """
<layout type="horizontal" split="true">
  <item splitSize="650">{fluoroscopy}
  </item>
  <item splitSize="350">
    <layout type="vertical" split="true">
      <item splitSize="450">{drr}
      </item>
      <item splitSize="550">{carm}
      </item>
    </layout>
  </item>
</layout>"""


_MARKING_LAYOUT = """
<layout type="horizontal" split="true">
  <item splitSize="500">{fluoroscopy}
  </item>
  <item splitSize="500">
    <layout type="vertical" split="true">{slices}
    </layout>
  </item>
</layout>"""


_PLOTS_LAYOUT = """
<layout type="horizontal" split="true">
  <item splitSize="500">
    <layout type="vertical" split="true">
      <item splitSize="500">{fluoroscopy}
      </item>
      <item splitSize="500">{drr}
      </item>
    </layout>
  </item>
  <item splitSize="500">
    <layout type="vertical" split="true">{plots}
    </layout>
  </item>
</layout>"""


def registerCheckLayout(layoutNode: vtkMRMLLayoutNode) -> None:
    """Makes the layouts known to a vtkMRMLLayoutNode; doing so again changes nothing."""
    for number, description in (
        (LAYOUT_ID, _description()),
        (MARKING_LAYOUT_ID, _markingDescription()),
        (PLOTS_LAYOUT_ID, _plotsDescription()),
    ):
        if layoutNode.IsLayoutDescription(number):
            layoutNode.SetLayoutDescription(number, description)
        else:
            layoutNode.AddLayoutDescription(number, description)


def showMarkingLayout(layoutNode: vtkMRMLLayoutNode) -> None:
    """Changes to the X-ray beside the three slice views of Slicer, for landmarks in the CT."""
    registerCheckLayout(layoutNode)
    layoutNode.SetViewArrangement(MARKING_LAYOUT_ID)


def showPlotsLayout(layoutNode: vtkMRMLLayoutNode, charts: Mapping[str, vtkMRMLPlotChartNode]) -> None:
    """Changes from the check's layout to X-ray and DRR beside plots: charts by the names in PLOT_VIEWS."""
    registerCheckLayout(layoutNode)
    layoutNode.SetViewArrangement(PLOTS_LAYOUT_ID)
    for kind, chart in charts.items():
        view = layoutNode.GetScene().GetSingletonNode(PLOT_VIEWS[kind], "vtkMRMLPlotViewNode")
        view.SetPlotChartNodeID(chart.GetID())


def showCheckLayout(layoutNode: vtkMRMLLayoutNode) -> None:
    """Changes to the layout and remembers what was shown before."""
    registerCheckLayout(layoutNode)
    current = layoutNode.GetViewArrangement()
    if current == LAYOUT_ID:
        return
    if current not in (MARKING_LAYOUT_ID, PLOTS_LAYOUT_ID):
        layoutNode.SetAttribute(PREVIOUS_ATTRIBUTE, str(current))
    layoutNode.SetViewArrangement(LAYOUT_ID)


def leaveCheckLayout(layoutNode: vtkMRMLLayoutNode) -> None:
    """Goes back to what was shown before, or to four views; a layout that was chosen meanwhile stays."""
    # Here, because Slicer registers the layout at its start, and shall not load the engine for that.
    from ProSTRegistrationLib.Nodes.KeptTexts import keptWhole

    previous = layoutNode.GetAttribute(PREVIOUS_ATTRIBUTE)
    layoutNode.RemoveAttribute(PREVIOUS_ATTRIBUTE)
    if layoutNode.GetViewArrangement() in (LAYOUT_ID, MARKING_LAYOUT_ID, PLOTS_LAYOUT_ID):
        layoutNode.SetViewArrangement(keptWhole(previous) or layoutNode.SlicerLayoutFourUpView)


def tidyThreeD(node: vtkMRMLViewNode) -> None:
    """Leaves out of a 3D view what would hide the C-arm: box and letters; a labelled cube tells the directions."""
    wasModifying = node.StartModify()
    node.SetBoxVisible(False)
    node.SetAxisLabelsVisible(False)
    node.SetOrientationMarkerType(node.OrientationMarkerTypeCube)
    node.EndModify(wasModifying)


def viewNode(mrmlScene: vtkMRMLScene, name: str) -> vtkMRMLAbstractViewNode | None:
    """The node of one of the layout's views by its name; None before the layout was shown."""
    className = "vtkMRMLViewNode" if name == CARM_VIEW else "vtkMRMLSliceNode"
    return mrmlScene.GetSingletonNode(name, className)


def pictureViewIds(mrmlScene: vtkMRMLScene) -> list[str]:
    """IDs of the nodes of the views that show X-ray and DRR; none before the layout was shown."""
    views = [viewNode(mrmlScene, name) for name in (FLUOROSCOPY_VIEW, DRR_VIEW)]
    return [view.GetID() for view in views if view is not None]


def _description() -> str:
    return _LAYOUT.format(
        fluoroscopy=_view("vtkMRMLSliceNode", FLUOROSCOPY_VIEW, "X-ray", "#E8A33D"),
        drr=_view("vtkMRMLSliceNode", DRR_VIEW, "DRR", "#4FA3D9"),
        carm=_view("vtkMRMLViewNode", CARM_VIEW, "C-arm", "#7FB069"),
    )


def _markingDescription() -> str:
    slices = "".join(f'<item><view class="vtkMRMLSliceNode" singletontag="{name}"/></item>' for name in CT_VIEWS)
    return _MARKING_LAYOUT.format(
        fluoroscopy=_view("vtkMRMLSliceNode", FLUOROSCOPY_VIEW, "X-ray", "#E8A33D"), slices=slices
    )


def _plotsDescription() -> str:
    views = (_view("vtkMRMLPlotViewNode", name, name, "#7FB069") for name in PLOT_VIEWS.values())
    return _PLOTS_LAYOUT.format(
        fluoroscopy=_view("vtkMRMLSliceNode", FLUOROSCOPY_VIEW, "X-ray", "#E8A33D"),
        drr=_view("vtkMRMLSliceNode", DRR_VIEW, "DRR", "#4FA3D9"),
        plots="".join(f"<item>{view}</item>" for view in views),
    )


def _view(className: str, name: str, label: str, color: str) -> str:
    isSlice = className == "vtkMRMLSliceNode"
    orientation = '<property name="orientation" action="default">Axial</property>\n      ' if isSlice else ""
    return _VIEW.format(
        className=className, name=name, orientation=orientation, label=label, color=color, group=VIEW_GROUP
    )
