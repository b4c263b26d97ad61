"""Stand-ins for Slicer's combo boxes of nodes. They observe the scene as the real ones do."""

from PySide6 import QtCore, QtWidgets

from SlicerFacade.MrmlWidgets import SCENE_SIGNALS, SCENE_SLOTS, defaultBaseName, isOfType, nodesOfTypes
from SlicerFacade.SceneEvents import NodeEvents, SceneEvents

NODE_ID_ROLE = QtCore.Qt.UserRole
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


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """Chooses one node of some classes. Without a scene it is disabled and chooses nothing."""

    ownState = (
        "_attributes", "_baseName", "_currentID", "_events", "_flags", "_hidden", "_inner", "_noneDisplay",
        "_nodeTypes", "_scene", "_nodeEvents",
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
        self.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self.setFocusProxy(self._inner)
        self._scene = self._events = self._currentID = None
        self._nodeTypes, self._hidden, self._attributes = (), (), []
        self._nodeEvents = NodeEvents(self._refill)
        self.destroyed.connect(self._nodeEvents.stop)
        self._baseName, self._noneDisplay = "", "None"
        self._flags = {"none": False, "add": True, "remove": True, "rename": False, "showHidden": False, "select": True}
        self._inner.activated.connect(self._onActivated)
        self._showEnabled()

    def comboBox(self):
        """The QComboBox inside."""
        return self._inner

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        if scene is self._scene:
            return
        self._stopObserving()
        self._scene = scene
        if scene is not None:
            self._events = SceneEvents(scene, self._onAdded, self._onRemoved, self._refill)
            self.destroyed.connect(self._events.stop)
        self._showEnabled()
        self._refill()
        self.mrmlSceneChanged.emit(scene)

    def currentNode(self):
        """The chosen node or None."""
        return self._scene.GetNodeByID(self._currentID) if self._scene is not None and self._currentID else None

    def setCurrentNode(self, node):
        """Chooses a node; one that is not offered counts as None."""
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    @QtCore.Slot(str)
    def setCurrentNodeID(self, nodeID):
        self._choose(nodeID if nodeID in self._offeredIDs() else None)

    def nodeCount(self):
        return len(self._offeredIDs())

    def nodeFromIndex(self, index):
        return self._scene.GetNodeByID(self._offeredIDs()[index])

    def addAttribute(self, nodeType, name, value=None):
        """Offers nodes of a class only with an attribute, of any value if none is given."""
        self._attributes.append((nodeType, name, value))
        self._refill()

    def removeAttribute(self, nodeType, name):
        self._attributes = [entry for entry in self._attributes if entry[:2] != (nodeType, name)]
        self._refill()

    def addNode(self, nodeType=None):
        """Makes a node as the entry "Create new" does, without choosing it unless that is wanted."""
        nodeType = nodeType or self._nodeTypes[0]
        name = self._scene.GenerateUniqueName(self._baseName or defaultBaseName(nodeType))
        node = self._scene.AddNewNodeByClass(nodeType, name)
        for wantedType, attribute, value in self._attributes:
            if node.IsA(wantedType):
                node.SetAttribute(attribute, str(value or ""))
        self._refill()
        if self._flags["select"]:
            self._choose(node.GetID())
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

    def _offeredIDs(self):
        if self._scene is None:
            return []
        return [node.GetID() for node in nodesOfTypes(self._scene, self._nodeTypes) if self.isOffered(node)]

    def _stopObserving(self):
        if self._events is not None:
            self._events.stop()
            self._events = None
        self._nodeEvents.stop()

    def _onAdded(self, node):
        if isOfType(node, self._nodeTypes):
            self._refill()
            if self.isOffered(node):
                self.nodeAdded.emit(node)

    def _onRemoved(self, node):
        if isOfType(node, self._nodeTypes) and not self._scene.IsBatchProcessing():
            self._refill()

    def _observeNames(self):
        self._nodeEvents.watch(nodesOfTypes(self._scene, self._nodeTypes) if self._scene is not None else [])

    def _refill(self):
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        self._observeNames()
        ids = self._offeredIDs()
        wanted = self._currentID if self._currentID in ids else None
        if wanted is None and ids and not self._flags["none"]:
            wanted = ids[0]
        with QtCore.QSignalBlocker(self._inner):
            self._fillInner(ids)
        self._choose(wanted)

    def _fillInner(self, ids):
        self._inner.clear()
        if self._flags["none"] and self._scene is not None:
            self._inner.addItem(self._noneDisplay, "")
        for nodeID in ids:
            self._inner.addItem(self._scene.GetNodeByID(nodeID).GetName() or nodeID, nodeID)
        actions = []
        if self._flags["add"]:
            actions += [(f"Create new {defaultBaseName(nodeType)}", CREATE) for nodeType in self._nodeTypes]
        if self._flags["rename"]:
            actions.append(("Rename current node", RENAME))
        if self._flags["remove"]:
            actions.append(("Delete current node", REMOVE))
        if actions and self._scene is not None:
            self._inner.insertSeparator(self._inner.count)
            for text, action in actions:
                self._inner.addItem(text, (action, text))

    def _choose(self, nodeID):
        with QtCore.QSignalBlocker(self._inner):
            self._inner.setCurrentIndex(self._inner.findData(nodeID or ""))
        if nodeID != self._currentID:
            self._currentID = nodeID
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIsValid.emit(nodeID is not None)
            self.currentNodeIDChanged.emit(nodeID or "")

    def _onActivated(self, index):
        data = self._inner.itemData(index)
        if not isinstance(data, (tuple, list)):
            self._choose(data or None)
            self.nodeActivated.emit(self.currentNode())
            return
        action, text = data
        current = self.currentNode()
        self._choose(self._currentID)
        if action == CREATE:
            nodeType = next(name for name in self._nodeTypes if text == f"Create new {defaultBaseName(name)}")
            self.nodeAddedByUser.emit(self.addNode(nodeType))
        elif action == REMOVE and current is not None:
            self._scene.RemoveNode(current)
        elif action == RENAME and current is not None:
            current.SetName(QtWidgets.QInputDialog.getText(self, "Rename", "New name:"))

    def _showEnabled(self):
        self._inner.setEnabled(self._scene is not None)

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

    def _setFlag(self, name, value):
        self._flags[name] = bool(value)
        self._refill()

    def resetAttributes(self):
        self._attributes = []
        self._refill()

    def _flag(name):
        return QtCore.Property(bool, lambda self: self._flags[name], lambda self, value: self._setFlag(name, value))

    nodeTypes = QtCore.Property("QStringList", lambda self: tuple(self._nodeTypes), _setNodeTypes)
    hideChildNodeTypes = QtCore.Property("QStringList", lambda self: tuple(self._hidden), _setHidden)
    baseName = QtCore.Property(str, lambda self: self._baseName, _setBaseName)
    noneDisplay = QtCore.Property(str, lambda self: self._noneDisplay, _setNoneDisplay)
    noneEnabled, addEnabled, removeEnabled = _flag("none"), _flag("add"), _flag("remove")
    renameEnabled, showHidden, selectNodeUponCreation = _flag("rename"), _flag("showHidden"), _flag("select")
    currentNodeID = QtCore.Property(
        str, lambda self: self._currentID or "", setCurrentNodeID, notify=currentNodeIDChanged
    )
    del _flag


class qMRMLCheckableNodeComboBox(qMRMLNodeComboBox):
    """Chooses several nodes by check marks."""

    ownState = ("_checked",)
    checkedNodesChanged = QtCore.Signal()

    def __init__(self, parent=None):
        self._checked = set()
        super().__init__(parent)

    def setCheckState(self, node, state):
        """Checks a node that is offered, or takes its check mark away."""
        wanted = set(self._checked)
        if state == QtCore.Qt.Checked and self.isOffered(node):
            wanted.add(node.GetID())
        else:
            wanted.discard(node.GetID())
        self._check(wanted)

    def checkState(self, node):
        return QtCore.Qt.Checked if node.GetID() in self._checked else QtCore.Qt.Unchecked

    def checkedNodes(self):
        return tuple(self._scene.GetNodeByID(nodeID) for nodeID in self._offeredIDs() if nodeID in self._checked)

    def uncheckedNodes(self):
        return tuple(self._scene.GetNodeByID(nodeID) for nodeID in self._offeredIDs() if nodeID not in self._checked)

    def allChecked(self):
        return not self.uncheckedNodes()

    def noneChecked(self):
        return not self.checkedNodes()

    def _fillInner(self, ids):
        super()._fillInner(ids)
        self._check(self._checked & set(ids))

    def _check(self, ids):
        self._showMarks(ids)
        if ids != self._checked:
            self._checked = ids
            self.checkedNodesChanged.emit()

    def _showMarks(self, ids):
        for index in range(self._inner.count):
            nodeID = self._inner.itemData(index)
            if isinstance(nodeID, str) and nodeID:
                state = QtCore.Qt.Checked if nodeID in ids else QtCore.Qt.Unchecked
                self._inner.setItemData(index, state, QtCore.Qt.CheckStateRole)
        names = [self._scene.GetNodeByID(nodeID).GetName() for nodeID in self._offeredIDs() if nodeID in ids]
        self._inner.setPlaceholderText(", ".join(names) or "None")

    def _choose(self, nodeID):
        # What is shown in the closed box are the names of the checked nodes.
        super()._choose(None)

    def _onActivated(self, index):
        nodeID = self._inner.itemData(index)
        if isinstance(nodeID, str) and nodeID:
            self._check(self._checked ^ {nodeID})
        else:
            super()._onActivated(index)
