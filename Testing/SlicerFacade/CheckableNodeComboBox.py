"""Stand-in for Slicer's combo box that checks several nodes."""

from PySide6 import QtCore

from SlicerFacade.NodeComboBox import qMRMLNodeComboBox


class qMRMLCheckableNodeComboBox(qMRMLNodeComboBox):
    """Chooses several nodes by check marks; no single one is current."""

    ownState = ("_checked",)
    checkedNodesChanged = QtCore.Signal()

    def __init__(self, parent=None):
        self._checked = set()
        super().__init__(parent)

    def setCheckState(self, node, state):
        """Checks a node that is offered, or takes its check mark away."""
        wanted = self._checked - {node.GetID()}
        self._check(wanted | ({node.GetID()} if state == QtCore.Qt.Checked else set()))

    def checkState(self, node):
        return QtCore.Qt.Checked if node.GetID() in self._checked else QtCore.Qt.Unchecked

    def checkedNodes(self):
        return tuple(self._scene.GetNodeByID(nodeID) for nodeID in self._shownIDs() if nodeID in self._checked)

    def uncheckedNodes(self):
        return tuple(self._scene.GetNodeByID(nodeID) for nodeID in self._shownIDs() if nodeID not in self._checked)

    def allChecked(self):
        return not self.uncheckedNodes()

    def noneChecked(self):
        return not self.checkedNodes()

    def setCurrentNodeID(self, nodeID):
        self._inner.setCurrentIndex(-1)

    def _show(self, node):
        super()._show(node)
        self._check(self._checked)

    def _hide(self, index):
        self._inner.removeItem(index)
        self._check(self._checked)

    def _refill(self):
        super()._refill()
        self._check(self._checked)

    def _repopulate(self):
        super()._repopulate()
        self._check(set())

    def _check(self, ids):
        wanted = ids & set(self._shownIDs())
        for index in range(self._inner.count):
            nodeID = self._inner.itemData(index)
            if isinstance(nodeID, str) and nodeID:
                state = QtCore.Qt.Checked if nodeID in wanted else QtCore.Qt.Unchecked
                self._inner.setItemData(index, state, QtCore.Qt.CheckStateRole)
        self._inner.setCurrentIndex(-1)
        names = [self._scene.GetNodeByID(nodeID).GetName() for nodeID in self._shownIDs() if nodeID in wanted]
        self._inner.setPlaceholderText(", ".join(names) or "None")
        if wanted != self._checked:
            self._checked = wanted
            self.checkedNodesChanged.emit()

    def _emitCurrent(self, *_):
        """No node is current."""

    def _onActivated(self, index):
        nodeID = self._inner.itemData(index)
        if isinstance(nodeID, str) and nodeID:
            self._check(self._checked ^ {nodeID})
        else:
            super()._onActivated(index)
