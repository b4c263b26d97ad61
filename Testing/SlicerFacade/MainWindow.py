"""Slicer's main window: the module's panel as a dock at the left, the views in the middle."""

from PySide6 import QtCore, QtWidgets

from SlicerFacade.Shortcuts import addApplicationShortcuts

SIZE_PX = (1500, 950)
PANEL_WIDTH_PX = 500


class MainWindow(QtWidgets.QMainWindow):
    """Shows one module's panel beside the views.

    Args:
        layoutManager: Layouts.LayoutManager.
        moduleManager: ModuleManagers.ModuleManager.
    """

    ownState = ("_panel", "_selector")

    def __init__(self, layoutManager, moduleManager):
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("3D Slicer (facade)")
        self.setCentralWidget(layoutManager.viewport())
        dock = QtWidgets.QDockWidget("Module", self)
        dock.setObjectName("PanelDockWidget")
        self._panel = QtWidgets.QScrollArea()
        self._panel.setWidgetResizable(True)
        self._panel.setMinimumWidth(PANEL_WIDTH_PX)
        self._panel.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarAlwaysOff)
        dock.setWidget(self._panel)
        self.addDockWidget(QtCore.Qt.LeftDockWidgetArea, dock)
        self._selector = ModuleSelector(moduleManager, self._panel)
        addApplicationShortcuts(self)
        self.resize(*SIZE_PX)

    def moduleSelector(self):
        return self._selector

    def panel(self):
        """The QScrollArea around the module's panel."""
        return self._panel


class ModuleSelector(QtCore.QObject):
    """mainWindow().moduleSelector()."""

    ownState = ("_manager", "_panel")
    moduleSelected = QtCore.Signal(str)

    def __init__(self, manager, panel):
        super().__init__()
        self._manager, self._panel = manager, panel

    @QtCore.Slot(str)
    def selectModule(self, name):
        self._manager.select(name, self._panel)
        if name is not None:
            self.moduleSelected.emit(name)

    selectedModule = QtCore.Property(
        str, lambda self: "" if self._manager.selected() is None else self._manager.selected().name
    )
