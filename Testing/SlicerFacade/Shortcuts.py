"""The keys that Slicer's main window and toolbars take, in every module."""

from PySide6 import QtCore, QtGui

APPLICATION_SHORTCUTS = {
    # Base/QTApp/Resources/UI/qSlicerMainWindow.ui
    "FileAddDataAction": ("Ctrl+O",),
    "FileSaveSceneAction": ("Ctrl+S",),
    "FileCloseSceneAction": ("Ctrl+W",),
    "EditUndoAction": ("Ctrl+Z",),
    "EditRedoAction": ("Ctrl+Y",),
    "ViewExtensionsManagerAction": ("Ctrl+4",),
    "EditApplicationSettingsAction": ("Ctrl+2",),
    "CutAction": ("Ctrl+X",),
    "CopyAction": ("Ctrl+C",),
    "PasteAction": ("Ctrl+V",),
    "WindowMaximizeViewAction": ("Ctrl+6",),
    "ModuleHomeAction": ("Ctrl+H",),
    # Base/QTApp/qSlicerMainWindow.cxx
    "PanelDockWidget": ("Ctrl+5",),
    "ErrorLogToggleViewAction": ("Ctrl+0",),
    "PythonConsoleToggleViewAction": ("Ctrl+3", "Ctrl+`"),
    # Applications/SlicerApp/qSlicerAppMainWindow.cxx
    "helpDocumentationAction": ("Ctrl+1",),
    # Base/QTGUI/qSlicerModuleSelectorToolBar.cxx; QKeySequence::Back and Forward are Alt with an arrow but on macOS
    "ViewFindModuleAction": ("Ctrl+F",),
    "PreviousModuleAction": ("Ctrl+Left", "Alt+Left"),
    "NextModuleAction": ("Ctrl+Right", "Alt+Right"),
    # Modules/Loadable/Markups/Widgets/qMRMLMarkupsToolBar.cxx
    "CreateMarkupsNode": ("Ctrl+Shift+A",),
    "TogglePersistence": ("Ctrl+Shift+T",),
    "PlacePoint": ("Ctrl+Shift+Space",),
    # Modules/Loadable/Sequences/Widgets/qMRMLSequenceBrowserPlayWidget.cxx
    "SequencePlayPause": ("Ctrl+Shift+Down",),
    "SequencePrevious": ("Ctrl+Shift+Left",),
    "SequenceNext": ("Ctrl+Shift+Right",),
    # Modules/Loadable/SubjectHierarchy/Widgets/qSlicerSubjectHierarchyViewContextMenuPlugin.cxx
    "ToggleTiltLockAction": ("Ctrl+B",),
}


def addApplicationShortcuts(window):
    """Adds an action for each of them to a main window; they do nothing."""
    for name, keys in APPLICATION_SHORTCUTS.items():
        action = QtGui.QAction(name, window)
        action.setObjectName(name)
        action.setShortcuts([QtGui.QKeySequence(key) for key in keys])
        action.setShortcutContext(QtCore.Qt.ApplicationShortcut)
        window.addAction(action)
