"""Stand-ins for Slicer's widgets that know the MRML scene, but for the node combo boxes."""

import vtk
from PySide6 import QtCore, QtWidgets

from SlicerFacade.CtkCollapsible import ctkCollapsibleButton
from SlicerFacade.CtkNumbers import ctkDoubleSpinBox, ctkRangeWidget, ctkSliderWidget

SCENE_SIGNALS = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}
SCENE_SLOTS = {"setMRMLScene(vtkMRMLScene*)": "setMRMLScene"}
TABLE_SLOTS = {**SCENE_SLOTS, "setMRMLTableNode(vtkMRMLNode*)": "setMRMLTableNode"}


class qMRMLWidget(QtWidgets.QWidget):
    """Hands its scene only to what its file connects to mrmlSceneChanged, as in Slicer."""

    ownState = ("_scene",)
    mrmlSceneChanged = QtCore.Signal(object)
    vtkSignals = SCENE_SIGNALS
    vtkSlots = SCENE_SLOTS

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class qSlicerWidget(qMRMLWidget):
    """The same under its other name."""


class qMRMLCollapsibleButton(ctkCollapsibleButton):
    """A foldable section that passes the scene on."""

    ownState = ("_scene",)
    mrmlSceneChanged = QtCore.Signal(object)
    vtkSignals = SCENE_SIGNALS
    vtkSlots = SCENE_SLOTS

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    mrmlScene = qMRMLWidget.mrmlScene
    setMRMLScene = qMRMLWidget.setMRMLScene


class qMRMLSliderWidget(ctkSliderWidget):
    """A slider that can take its unit from the scene; here it does not."""

    ownState = ("_quantity", "_scene")
    vtkSlots = SCENE_SLOTS

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._quantity = None, ""

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        self._scene = scene

    def _setQuantity(self, value):
        self._quantity = value

    quantity = QtCore.Property(str, lambda self: self._quantity, _setQuantity)


class qMRMLSpinBox(ctkDoubleSpinBox):
    """A spin box that can take its unit from the scene; here it does not."""

    ownState = ("_quantity", "_scene")
    vtkSlots = SCENE_SLOTS

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._quantity = None, ""

    mrmlScene = qMRMLSliderWidget.mrmlScene
    setMRMLScene = qMRMLSliderWidget.setMRMLScene
    _setQuantity = qMRMLSliderWidget._setQuantity
    quantity = QtCore.Property(str, lambda self: self._quantity, _setQuantity)


class qMRMLRangeWidget(ctkRangeWidget):
    """Two ends of a range."""

    ownState = ("_scene",)
    vtkSlots = SCENE_SLOTS

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    mrmlScene = qMRMLSliderWidget.mrmlScene
    setMRMLScene = qMRMLSliderWidget.setMRMLScene


class qMRMLTableView(QtWidgets.QTableView):
    """Shows a vtkMRMLTableNode and follows its changes; nothing can be edited in it."""

    ownState = ("_rows", "_scene", "_tableNode", "_tag")
    vtkSlots = TABLE_SLOTS

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = self._tableNode = self._tag = None
        self._rows = TableNodeModel(self)
        self.setModel(self._rows)
        self.setEditTriggers(QtWidgets.QAbstractItemView.NoEditTriggers)

    mrmlScene = qMRMLSliderWidget.mrmlScene

    def setMRMLScene(self, scene):
        self._scene = scene
        if scene is None or (self._tableNode is not None and self._tableNode.GetScene() is not scene):
            self.setMRMLTableNode(None)

    def mrmlTableNode(self):
        return self._tableNode

    def setMRMLTableNode(self, node):
        if self._tag is not None:
            self._tableNode.RemoveObserver(self._tag)
        self._tableNode = node
        self._tag = None if node is None else node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._follow())
        self._follow()

    def selectedRows(self):
        return tuple(sorted({index.row() for index in self.selectionModel().selectedIndexes()}))

    def _follow(self):
        self._rows.show(self._tableNode)


class TableNodeModel(QtCore.QAbstractTableModel):
    """A table node's cells as text."""

    ownState = ("_node",)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._node = None

    def show(self, node):
        """Shows another node, or the same after a change."""
        self.beginResetModel()
        self._node = node
        self.endResetModel()

    def rowCount(self, parent=None):
        return self._node.GetNumberOfRows() if self._node is not None else 0

    def columnCount(self, parent=None):
        return self._node.GetNumberOfColumns() if self._node is not None else 0

    def data(self, index, role=QtCore.Qt.DisplayRole):
        if role != QtCore.Qt.DisplayRole:
            return None
        return self._node.GetCellText(index.row(), index.column())

    def headerData(self, section, orientation, role=QtCore.Qt.DisplayRole):
        if role != QtCore.Qt.DisplayRole:
            return None
        return self._node.GetColumnName(section) if orientation == QtCore.Qt.Horizontal else str(section + 1)


def isOfType(node, nodeTypes):
    """Whether a node is of one of the named classes or derived from one."""
    return any(node.IsA(nodeType) for nodeType in nodeTypes)


def nodesOfTypes(scene, nodeTypes):
    """All such nodes of a scene, in its order."""
    nodes = (scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes()))
    return [node for node in nodes if isOfType(node, nodeTypes)]
