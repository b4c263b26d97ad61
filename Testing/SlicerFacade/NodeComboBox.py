"""Stand-ins for Slicer's combo boxes of nodes. They observe the scene as the real ones do.

As in Slicer, nothing is chosen by itself when a node is added, but when the chosen node is removed, the box goes to
the entry beside it, before anyone else hears of the removal. And a scene that is imported into the present one takes
the choice away, aloud.
"""

from PySide6 import QtCore, QtWidgets

from SlicerFacade.MrmlWidgets import SCENE_SIGNALS, SCENE_SLOTS, isOfType, nodesOfTypes
from SlicerFacade.SceneEvents import NodeEvents, SceneEvents

NODE_SIGNALS = {
    **SCENE_SIGNALS,
    "currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged",
    "currentNodeChanged(bool)": "currentNodeIsValid",
    "nodeActivated(vtkMRMLNode*)": "nodeActivated",
    "nodeAdded(vtkMRMLNode*)": "nodeAdded",
    "nodeAddedByUser(vtkMRMLNode*)": "nodeAddedByUser",
}
NODE_SLOTS = {**SCENE_SLOTS, "setCurrentNode(vtkMRMLNode*)": "setCurrentNode"}
CREATE, RENAME, REMOVE = "create", "rename", "remove"


def _flag(name):
    def assign(self, value):
        self._flags[name] = bool(value)
        self._refill()

    return QtCore.Property(bool, lambda self: self._flags[name], assign)


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """Chooses one node of some classes. Without a scene it is disabled and chooses nothing."""

    ownState = (
        "_attributes", "_baseName", "_events", "_flags", "_hidden", "_inner", "_nodeEvents", "_nodeTypes",
        "_noneDisplay", "_requestedID", "_scene",
    )  # fmt: skip
    currentNodeChanged = QtCore.Signal(object)
    currentNodeIsValid = QtCore.Signal(bool)
    currentNodeIDChanged = QtCore.Signal(str)
    nodeActivated = QtCore.Signal(object)
    nodeAdded = QtCore.Signal(object)
    nodeAddedByUser = QtCore.Signal(object)
    mrmlSceneChanged = QtCore.Signal(object)
    vtkSignals = NODE_SIGNALS
    vtkSlots = NODE_SLOTS

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._inner = QtWidgets.QComboBox(self)
        layout.addWidget(self._inner)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Fixed)
        self._inner.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Expanding)
        self.setFocusProxy(self._inner)
        self._scene, self._events, self._requestedID = None, None, ""
        self._nodeTypes, self._hidden, self._attributes = (), (), []
        self._baseName, self._noneDisplay = "", "None"
        self._flags = {"none": False, "add": True, "remove": True, "rename": False, "showHidden": False, "select": True}
        self._nodeEvents = NodeEvents(self._onModified)
        self.destroyed.connect(self._nodeEvents.stop)
        self._inner.currentIndexChanged.connect(self._emitCurrent)
        self._inner.activated.connect(self._onActivated)
        self.setEnabled(False)

    def comboBox(self):
        """The QComboBox inside."""
        return self._inner

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        if scene is self._scene:
            return
        wanted = self.currentNodeID or self._requestedID
        if self._events is not None:
            self._events.stop()
            self._events = None
        self._nodeEvents.stop()
        self._scene, self._requestedID = scene, ""
        if scene is not None:
            self._events = SceneEvents(scene, self._onAdded, self._onRemoval, self._repopulate)
            self.destroyed.connect(self._events.stop)
        self._refill()
        self.setCurrentNodeID(wanted)
        self.setEnabled(scene is not None)
        self.mrmlSceneChanged.emit(scene)

    def currentNode(self):
        """The chosen node or None."""
        return self._scene.GetNodeByID(self.currentNodeID) if self.currentNodeID else None

    def setCurrentNode(self, node):
        """Chooses a node; one that is not offered counts as None."""
        self.setCurrentNodeID(node.GetID() if node is not None and node.GetID() else "")

    @QtCore.Slot(str)
    def setCurrentNodeID(self, nodeID):
        if self._scene is None:
            self._requestedID = nodeID
        index = self._inner.findData(nodeID) if nodeID else -1
        self._inner.setCurrentIndex(max(index, 0 if self._flags["none"] and self._scene is not None else -1))

    def nodeCount(self):
        return len(self._shownIDs())

    def nodeFromIndex(self, index):
        return self._scene.GetNodeByID(self._shownIDs()[index])

    def addAttribute(self, nodeType, name, value=None):
        """Offers nodes of a class only with an attribute, of any value if none is given."""
        self._attributes.append((nodeType, name, value))
        self._refill()

    def removeAttribute(self, nodeType, name):
        self._attributes = [entry for entry in self._attributes if entry[:2] != (nodeType, name)]
        self._refill()

    def addNode(self, nodeType=None):
        """Makes a node as the entry "Create new" does."""
        nodeType = nodeType or self._nodeTypes[0]
        name = self._baseName or self._scene.GetTagByClassName(nodeType)
        node = self._scene.CreateNodeByClass(nodeType)
        node.UnRegister(None)
        node.SetName(self._scene.GenerateUniqueName(name))
        for wantedType, attribute, value in self._attributes:
            if node.IsA(wantedType):
                node.SetAttribute(attribute, str(value or ""))
        self._scene.AddNode(node)
        if self._flags["select"]:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def isOffered(self, node):
        """Whether a node can be chosen."""
        if not isOfType(node, self._nodeTypes) or (self._hidden and isOfType(node, self._hidden)):
            return False
        if node.GetHideFromEditors() and not self._flags["showHidden"]:
            return False
        for nodeType, name, value in self._attributes:
            found = node.GetAttribute(name) if node.IsA(nodeType) else None
            if node.IsA(nodeType) and (found is None or (value is not None and found != str(value))):
                return False
        return True

    def _shownIDs(self):
        data = (self._inner.itemData(index) for index in range(self._inner.count))
        return [found for found in data if isinstance(found, str) and found]

    def _watched(self):
        return nodesOfTypes(self._scene, self._nodeTypes) if self._scene is not None else []

    def _onAdded(self, node):
        if isOfType(node, self._nodeTypes):
            self._nodeEvents.watch(self._watched())
            self._show(node)

    def _onRemoval(self, node):
        self._nodeEvents.watch([watched for watched in self._watched() if watched is not node])
        index = self._inner.findData(node.GetID())
        if index >= 0:
            self._hide(index)

    def _onModified(self, node):
        index = self._inner.findData(node.GetID())
        if index < 0:
            self._show(node)
        elif not self.isOffered(node):
            self._hide(index)
        elif self._inner.itemText(index) != node.GetName():
            self._inner.setItemText(index, node.GetName())
            if index == self._inner.currentIndex:
                self._emitCurrent()

    def _show(self, node):
        if self.isOffered(node):
            self._inner.insertItem(len(self._shownIDs()) + self._flags["none"], node.GetName() or "", node.GetID())
            self.nodeAdded.emit(node)

    def _hide(self, index):
        self._inner.removeItem(index)
        if self.currentNode() is None:
            self.setCurrentNode(None)

    def _refill(self):
        before = self.currentNodeID
        with QtCore.QSignalBlocker(self._inner):
            self._inner.clear()
            self._fill()
            self.setCurrentNodeID(before)
        self._nodeEvents.watch(self._watched())
        if self.currentNodeID != before:
            self._emitCurrent()

    def _repopulate(self):
        """Takes all rows out and puts them in again, as qMRMLSceneModel::updateScene: the choice is lost with them."""
        hadChoice = bool(self.currentNodeID)
        with QtCore.QSignalBlocker(self._inner):
            self._inner.clear()
            self._fill()
            self.setCurrentNodeID("")
        self._nodeEvents.watch(self._watched())
        if hadChoice:
            self._emitCurrent()

    def _fill(self):
        if self._scene is None:
            return
        if self._flags["none"]:
            self._inner.addItem(self._noneDisplay, "")
        for node in self._watched():
            if self.isOffered(node):
                self._inner.addItem(node.GetName() or "", node.GetID())
        actions = []
        if self._flags["rename"]:
            actions.append(("Rename current node", RENAME, ""))
        if self._flags["add"]:
            names = [(nodeType, self._scene.GetTypeDisplayNameByClassName(nodeType)) for nodeType in self._nodeTypes]
            actions += [(f"Create new {name}", CREATE, nodeType) for nodeType, name in names]
        if self._flags["remove"]:
            actions.append(("Delete current node", REMOVE, ""))
        if actions:
            self._inner.insertSeparator(self._inner.count)
        for text, action, nodeType in actions:
            self._inner.addItem(text, (action, nodeType))

    def _emitCurrent(self, *_):
        node, index = self.currentNode(), self._inner.currentIndex
        if node is None and index != (0 if self._flags["none"] and self._scene is not None else -1):
            # A separator or an action cannot be chosen: the last node is, if there is one.
            if self._shownIDs():
                self.setCurrentNodeID(self._shownIDs()[-1])
            return
        self.currentNodeChanged.emit(node)
        self.currentNodeIsValid.emit(node is not None)
        self.currentNodeIDChanged.emit(self.currentNodeID)

    def _onActivated(self, index):
        data = self._inner.itemData(index)
        if isinstance(data, str):
            self.nodeActivated.emit(self.currentNode())
            return
        action, nodeType = data
        current = self.currentNode()
        if action == CREATE:
            self.addNode(nodeType)
        elif action == REMOVE and current is not None:
            self._scene.RemoveNode(current)
        elif action == RENAME and current is not None:
            current.SetName(QtWidgets.QInputDialog.getText(self, "Rename", "New name:"))

    def _readCurrentID(self):
        data = self._inner.itemData(self._inner.currentIndex)
        return data if isinstance(data, str) else ""

    def _setNodeTypes(self, value):
        self._nodeTypes = tuple(value)
        self._refill()

    def _setHidden(self, value):
        self._hidden = tuple(value)
        self._refill()

    def _setBaseName(self, value):
        self._baseName = value

    def _setNoneDisplay(self, value):
        self._noneDisplay = value
        self._refill()

    nodeTypes = QtCore.Property("QStringList", lambda self: tuple(self._nodeTypes), _setNodeTypes)
    hideChildNodeTypes = QtCore.Property("QStringList", lambda self: tuple(self._hidden), _setHidden)
    baseName = QtCore.Property(str, lambda self: self._baseName, _setBaseName)
    noneDisplay = QtCore.Property(str, lambda self: self._noneDisplay, _setNoneDisplay)
    noneEnabled, addEnabled, removeEnabled = _flag("none"), _flag("add"), _flag("remove")
    renameEnabled, showHidden, selectNodeUponCreation = _flag("rename"), _flag("showHidden"), _flag("select")
    currentNodeID = QtCore.Property(str, _readCurrentID, setCurrentNodeID, notify=currentNodeIDChanged)
