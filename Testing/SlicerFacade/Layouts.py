"""slicer.app.layoutManager(): real layout logic and view nodes; the pictures inside come from OffscreenViews."""

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from SlicerFacade.ViewWidgets import SliceWidget, ThreeDWidget


class LayoutManager(QtCore.QObject):
    """Builds a widget per view of the current layout; in a batch of changes of the scene only when that has ended.

    Args:
        applicationLogic: vtkSlicerApplicationLogic.
        scene: vtkMRMLScene.
        views: OffscreenViews, or None where nothing can be drawn.
    """

    ownState = ("_applicationLogic", "_logic", "_scene", "_sceneTags", "_tag", "_viewport", "_views", "_widgets")
    layoutChanged = QtCore.Signal(int)

    def __init__(self, applicationLogic, scene, views):
        super().__init__()
        self._applicationLogic, self._scene, self._views = applicationLogic, scene, views
        self._widgets = {}
        self._viewport = QtWidgets.QWidget()
        QtWidgets.QVBoxLayout(self._viewport).setContentsMargins(0, 0, 0, 0)
        for setLogics in (applicationLogic.SetSliceLogics, applicationLogic.SetViewLogics):
            setLogics(vtk.vtkCollection())
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(applicationLogic)
        self._logic.SetMRMLScene(scene)
        node = self._logic.GetLayoutNode()
        self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._follow())
        # As qMRMLLayoutManager and its view factories, which look away from all else that happens in a batch.
        self._sceneTags = [
            scene.AddObserver(scene.EndBatchProcessEvent, lambda *_: self._follow()),
            scene.AddObserver(scene.NodeRemovedEvent, lambda *_: self._dropGone()),
        ]
        self.setLayout(node.SlicerLayoutFourUpView)

    def close(self):
        """Lets go of the scene and of everything drawn."""
        self._logic.GetLayoutNode().RemoveObserver(self._tag)
        for tag in self._sceneTags:
            self._scene.RemoveObserver(tag)
        self._clear()
        for widget in list(self._widgets.values()):
            self._forget(widget)
        self._logic.SetMRMLScene(None)
        self._viewport.deleteLater()

    def viewport(self):
        return self._viewport

    def layoutLogic(self):
        return self._logic

    def setLayout(self, layoutID):
        self._logic.GetLayoutNode().SetViewArrangement(int(layoutID))
        self._follow()

    def readLayout(self):
        return self._logic.GetLayoutNode().GetViewArrangement()

    def sliceViewNames(self):
        return tuple(name for name, widget in self._named() if isinstance(widget, SliceWidget))

    def sliceWidget(self, name):
        """The widget of a slice view by its layout name; None if the scene has no such view."""
        return next((w for found, w in self._named() if found == name and isinstance(w, SliceWidget)), None)

    def threeDWidget(self, which):
        """The widget of a 3D view by its number or its layout name."""
        found = [(name, widget) for name, widget in self._named() if isinstance(widget, ThreeDWidget)]
        if isinstance(which, str):
            return next((widget for name, widget in found if name == which), None)
        return found[which][1]

    def resetSliceViews(self):
        for name in self.sliceViewNames():
            self.sliceWidget(name).sliceLogic().FitSliceToAll()

    def resetThreeDViews(self):
        for index in range(self.threeDViewCount):
            self.threeDWidget(index).threeDView().resetFocalPoint()

    def refreshViews(self):
        """Draws every view that is in the layout."""
        for widget in self._widgets.values():
            if widget.parentWidget() is not None and not widget.isHidden():
                widget.view().forceRender()

    layout = QtCore.Property(int, readLayout, setLayout, notify=layoutChanged)
    threeDViewCount = QtCore.Property(
        int, lambda self: sum(isinstance(widget, ThreeDWidget) for widget in self._widgets.values())
    )
    tableViewCount = plotViewCount = QtCore.Property(int, lambda self: 0)

    def _named(self):
        return [(widget.viewNode().GetLayoutName(), widget) for widget in self._widgets.values()]

    def _follow(self):
        if self._scene.IsBatchProcessing():
            return
        node = self._logic.GetLayoutNode()
        self._makeWidgets()
        description = node.GetLayoutRootElement()
        shown = self._viewport.property("description")
        text = f"{node.GetViewArrangement()}: {node.GetCurrentLayoutDescription()}"
        if description is not None and text != shown:
            self._viewport.setProperty("description", text)
            self._clear()
            box = self._build(description)
            self._viewport.layout().addWidget(box)
            box.show()
            self.layoutChanged.emit(node.GetViewArrangement())

    def _makeWidgets(self):
        self._dropGone()
        for nodeID, node in self._viewNodes().items():
            if nodeID not in self._widgets and node.IsA("vtkMRMLSliceNode"):
                self._widgets[nodeID] = SliceWidget(node, self._applicationLogic, self._views)
            elif nodeID not in self._widgets and node.IsA("vtkMRMLViewNode"):
                self._widgets[nodeID] = ThreeDWidget(node, self._applicationLogic, self._views)

    def _viewNodes(self):
        count = self._scene.GetNumberOfNodesByClass("vtkMRMLAbstractViewNode")
        nodes = (self._scene.GetNthNodeByClass(index, "vtkMRMLAbstractViewNode") for index in range(count))
        return {node.GetID(): node for node in nodes}

    def _dropGone(self):
        present = self._viewNodes()
        for nodeID in [known for known in self._widgets if self._widgets[known].viewNode() is not present.get(known)]:
            self._forget(self._widgets.pop(nodeID))

    def _forget(self, widget):
        widget.close()
        widget.letGo()
        widget.deleteLater()

    def _clear(self):
        for widget in self._widgets.values():
            widget.setParent(None)
        layout = self._viewport.layout()
        while layout.count():
            layout.takeAt(0).widget().deleteLater()

    def _build(self, element):
        if element.GetName() == "view":
            name = element.GetAttribute("singletontag")
            wanted = element.GetAttribute("class")
            for found, widget in self._named():
                if found == name and widget.viewNode().IsA(wanted):
                    widget.setParent(self._viewport)
                    widget.show()
                    return widget
            return QtWidgets.QLabel(f"{wanted} {name}")
        items = [element.GetNestedElement(index) for index in range(element.GetNumberOfNestedElements())]
        items = [item for item in items if item.GetName() == "item"]
        return self._arrange(element.GetAttribute("type") or "vertical", items)

    def _arrange(self, kind, items):
        contents = [(item, self._build(item.GetNestedElement(0))) for item in items]
        if kind == "tab":
            box = QtWidgets.QTabWidget()
            for item, content in contents:
                box.addTab(content, item.GetAttribute("name") or "")
            return box
        box = QtWidgets.QWidget()
        layout = QtWidgets.QGridLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for position, (item, content) in enumerate(contents):
            if kind == "grid":
                row, column = int(item.GetAttribute("row") or 0), int(item.GetAttribute("column") or 0)
            else:
                row, column = (0, position) if kind == "horizontal" else (position, 0)
            stretch = int(item.GetAttribute("splitSize") or 1)
            layout.addWidget(content, row, column)
            (layout.setColumnStretch if kind == "horizontal" else layout.setRowStretch)(
                column if kind == "horizontal" else row, stretch
            )
        return box
