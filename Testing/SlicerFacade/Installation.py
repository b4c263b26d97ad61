"""Puts Slicer's Python in place for a while: qt, ctk, slicer.app, slicer.mrmlScene and the rest.

With the environment variable SLICER_BASE_PYTHON, the folder Base/Python of Slicer's sources, Slicer's own
ScriptedLoadableModule, parameterNodeWrapper and i18n are used instead of those written here.
"""

import contextlib
import functools
import importlib
import os
import sys
import types
from pathlib import Path

import slicer

from SlicerFacade import PythonQtDialect  # isort: skip  (before PySide6: it chooses how enums are)
from PySide6 import QtCore

from SlicerFacade.Complaints import complaintsGoTo
from SlicerFacade.Dialogs import Dialogs, interceptDialogs, useDialogs
from SlicerFacade.Profiles import SLICER_5_12

STAND_IN_MODULES = {
    "slicer.ScriptedLoadableModule": "SlicerFacade.ScriptedModule",
    "slicer.parameterNodeWrapper": "SlicerFacade.ParameterNodes",
    "slicer.i18n": "SlicerFacade.Translation",
}


class Facade:
    """One installation: what a test reaches the application by.

    Attributes:
        scene: the vtkMRMLScene.
        headless: ProSTRegistrationLib's HeadlessScene, which saves and loads.
        app: slicer.app.
        profile: the Profile of the Slicer that it behaves as.
        dialogs: Dialogs; what the user was shown, and the answers to come.
        dicomDatabase: DicomDatabase.
        views: OffscreenViews, or None where nothing can be drawn.
        uncaught: exceptions of slots and timers that no one caught, and Qt's own complaints.
    """

    def __init__(self, headless, profile):
        from SlicerFacade import Application
        from SlicerFacade.DicomDatabase import DicomDatabase
        from SlicerFacade.FileInputOutput import FileInputOutput
        from SlicerFacade.ModuleManagers import ModuleManager

        self.headless, self.scene, self.profile = headless, headless.scene, profile
        self.applicationLogic = headless.applicationLogic
        self.dialogs, self.dicomDatabase = Dialogs(), DicomDatabase()
        self.uncaught = []
        self._temporary = Application.temporaryFolder()
        self.folder = Application.asPath(self._temporary)
        Application.keepSettingsIn(self.folder)
        self.app = Application.application()
        self.app.start(self)
        self.moduleManager = ModuleManager()
        self.ioManager = FileInputOutput(headless, self.applicationLogic, profile)
        self.layoutManager = self.mainWindow = self.views = None

    def openWindow(self):
        """Makes the views and the main window; comes after slicer.mrmlScene is in place."""
        from SlicerFacade.Layouts import LayoutManager
        from SlicerFacade.MainWindow import MainWindow

        self.views = _offscreenViews(self.applicationLogic, self.scene)
        self.layoutManager = LayoutManager(self.applicationLogic, self.scene, self.views)
        self.mainWindow = MainWindow(self.layoutManager, self.moduleManager)

    def refreshViews(self):
        """Has all views of the layout drawn anew."""
        self.app.processEvents()
        self.layoutManager.refreshViews()
        self.app.processEvents()

    def close(self):
        """Unloads the modules and closes the window, whatever fails meanwhile."""
        with contextlib.ExitStack() as steps:
            steps.callback(self._temporary.cleanup)
            steps.callback(self.app.stop)
            # deleteLater() waits for an event loop; there is none between tests.
            steps.callback(QtCore.QCoreApplication.sendPostedEvents, None, QtCore.QEvent.DeferredDelete)
            if self.views is not None:
                steps.callback(self.views.close)
            if self.mainWindow is not None:
                steps.callback(self.mainWindow.deleteLater)
                steps.callback(self.mainWindow.close)
                steps.callback(self.layoutManager.close)
            for name in self.moduleManager.loadedModuleNames():
                steps.callback(self.moduleManager.unload, name)
            if self.mainWindow is not None:
                steps.callback(self.mainWindow.moduleSelector().selectModule, None)

    def raiseUncaught(self):
        """Raises the first exception that a slot or timer let go, if there was one."""
        if self.uncaught:
            first, self.uncaught[:] = self.uncaught[0], []
            raise first


@contextlib.contextmanager
def installed(headless, profile=SLICER_5_12):
    """Everything in place, with an opened HeadlessScene; yields a Facade. What was there before comes back.

    Args:
        profile: one of Profiles.EACH_SLICER.

    Raises:
        the first exception of a slot or timer that no one caught nor looked at.
    """
    with contextlib.ExitStack() as stack:
        interfaces = _interfaces()
        stack.enter_context(_inPlace(sys.modules, interfaces.modules))
        stack.enter_context(_inPlace(vars(slicer), interfaces.attributes))
        stack.enter_context(_pathKept())
        facade = Facade(headless, profile)
        # Slots that raise: Qt tells the hook and goes on.
        hook = sys.excepthook
        stack.callback(setattr, sys, "excepthook", hook)
        sys.excepthook = lambda _type, error, _traceback: facade.uncaught.append(error)
        stack.enter_context(_inPlace(vars(slicer), _attributesOf(facade)))
        stack.callback(complaintsGoTo(facade.uncaught))
        useDialogs(facade.dialogs)
        stack.callback(useDialogs, None)
        stack.callback(facade.close)
        facade.openWindow()
        yield facade
        facade.raiseUncaught()


def _attributesOf(facade):
    modules = types.ModuleType("slicer.modules")
    return {
        "app": facade.app,
        "mrmlScene": facade.scene,
        "modules": modules,
        "moduleNames": types.ModuleType("slicer.moduleNames"),
        "dicomDatabase": facade.dicomDatabase,
        "selfTests": {},
    }


class _Interfaces:
    """What belongs to the process rather than to one installation: module objects and classes."""

    def __init__(self):
        PythonQtDialect.applyDialect()
        interceptDialogs()
        from SlicerFacade.CtkModule import STAND_INS, ctkModule
        from SlicerFacade.QtModule import QtModule
        from SlicerFacade.UiLoading import UiLoader

        widgets = _slicerWidgets()
        UiLoader.register([*STAND_INS, *widgets.values()])
        self.modules = {"qt": QtModule(), "ctk": ctkModule()}
        self.attributes = dict(widgets)
        with _inPlace(sys.modules, self.modules), _inPlace(vars(slicer), self.attributes):
            python = _realModules() if os.environ.get("SLICER_BASE_PYTHON") else _standInModules()
        self.modules.update(python)
        topLevel = {name.partition(".")[2]: module for name, module in python.items() if name.count(".") == 1}
        self.attributes.update(topLevel)


@functools.lru_cache(maxsize=1)
def _interfaces():
    return _Interfaces()


def _slicerWidgets():
    from SlicerFacade import CheckableNodeComboBox, ModuleManagers, MrmlWidgets, NodeComboBox

    found = {}
    for module in (MrmlWidgets, NodeComboBox, CheckableNodeComboBox, ModuleManagers):
        found.update({name: value for name, value in vars(module).items() if name.startswith(("qMRML", "qSlicer"))})
    return found


def _standInModules():
    return {name: importlib.import_module(source) for name, source in STAND_IN_MODULES.items()}


def _realModules():
    folder = Path(os.environ["SLICER_BASE_PYTHON"]) / "slicer"
    before = set(sys.modules)
    slicer.__path__.append(str(folder))
    try:
        for name in STAND_IN_MODULES:
            importlib.import_module(name)
    finally:
        slicer.__path__.remove(str(folder))
    found = {name: sys.modules[name] for name in set(sys.modules) - before if name.startswith("slicer.")}
    for name in found:
        del sys.modules[name]
        if name.count(".") == 1:
            vars(slicer).pop(name.partition(".")[2], None)
    return found


@contextlib.contextmanager
def _inPlace(namespace, entries):
    absent = object()
    before = {name: namespace.get(name, absent) for name in entries}
    namespace.update(entries)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is absent:
                namespace.pop(name, None)
            else:
                namespace[name] = value


@contextlib.contextmanager
def _pathKept():
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before


def _offscreenViews(applicationLogic, scene):
    from SlicerFacade.OffscreenViews import NoOpenGL, OffscreenViews

    try:
        return OffscreenViews(applicationLogic, scene)
    except NoOpenGL:
        # The panel can be tested all the same; the views stay black.
        return None
