"""slicer.modules and what loads modules into it."""

import importlib.util
import sys
from pathlib import Path

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from SlicerFacade.MrmlWidgets import qMRMLWidget


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The widget that Slicer gives a module's panel to lie in."""

    ownState = ("_isEntered", "_module", "_python")

    def __init__(self, module):
        super().__init__()
        self._module, self._python, self._isEntered = module, None, False
        self.setLayout(QtWidgets.QVBoxLayout())
        self.setMRMLScene(slicer.mrmlScene)

    def self(self):
        """The module's own widget object."""
        return self._python

    def module(self):
        return self._module

    def moduleName(self):
        return self._module.name

    def setup(self):
        """Makes the module's widget object and has it set up, as on first sight of the panel."""
        self._python = getattr(sys.modules[self._module.name], f"{self._module.name}Widget")(self)
        setattr(slicer.modules, f"{self._module.name}Widget", self._python)
        self._python.setup()

    reload = setup

    def enter(self):
        self._isEntered = True
        getattr(self._python, "enter", lambda: None)()

    def exit(self):
        self._isEntered = False
        getattr(self._python, "exit", lambda: None)()

    isEntered = QtCore.Property(bool, lambda self: self._isEntered)


class qSlicerScriptedLoadableModule(QtCore.QObject):
    """What a module's class gets as its parent."""

    ownState = (
        "_widget", "acknowledgementText", "associatedNodeTypes", "categories", "contributors", "dependencies",
        "helpText", "hidden", "icon", "index", "path", "title", "version", "widgetRepresentationCreationEnabled",
    )  # fmt: skip

    def __init__(self, path):
        super().__init__()
        self.setObjectName(Path(path).stem)
        self.path, self.icon, self.hidden, self._widget = str(path), QtGui.QIcon(), False, None
        self.title = self.helpText = self.acknowledgementText = self.version = ""
        self.categories = self.dependencies = self.contributors = self.associatedNodeTypes = ()
        self.index, self.widgetRepresentationCreationEnabled = -1, True

    def widgetRepresentation(self):
        if self._widget is None:
            self._widget = qSlicerScriptedLoadableModuleWidget(self)
            self._widget.setup()
        return self._widget

    def deleteWidget(self):
        """Deletes the panel if it has been opened."""
        if self._widget is not None:
            self._widget.deleteLater()


class CppModule(QtCore.QObject):
    """Stands for a module of Slicer that is written in C++: slicer.modules.volumes.logic()."""

    ownState = ("_logic", "title")

    def __init__(self, name, logic):
        super().__init__()
        self.setObjectName(name)
        self.title, self._logic = name, logic

    def logic(self):
        return self._logic

    def widgetRepresentation(self):
        return None


class ModuleManager(QtCore.QObject):
    """slicer.app.moduleManager(): loads, enters and unloads modules."""

    ownState = ("_modules", "_selected")
    moduleLoaded = QtCore.Signal(str)
    moduleAboutToBeUnloaded = QtCore.Signal(str)

    def __init__(self):
        super().__init__()
        self._modules, self._selected = {}, None

    def factoryManager(self):
        return self

    def loadedModuleNames(self):
        return tuple(self._modules)

    modulesNames = loadedModuleNames

    def module(self, name):
        return self._modules.get(name)

    def selected(self):
        """The module whose panel is shown, or None."""
        return self._selected

    def addCpp(self, name, logic):
        """Makes a module's logic known as that of a C++ module."""
        self._add(CppModule(name, logic))

    def load(self, path):
        """Loads a module's file as Slicer does when it starts; returns its qSlicerScriptedLoadableModule."""
        path = Path(path).resolve()
        name = path.stem
        if str(path.parent) not in sys.path:
            sys.path.insert(0, str(path.parent))
        spec = importlib.util.spec_from_file_location(name, path)
        python = importlib.util.module_from_spec(spec)
        sys.modules[name] = python
        spec.loader.exec_module(python)
        module = qSlicerScriptedLoadableModule(path)
        instance = getattr(python, name)(module)
        self._add(module)
        setattr(slicer.modules, f"{name}Instance", instance)
        self.moduleLoaded.emit(name)
        return module

    def select(self, name, panel):
        """Leaves the module shown before, and shows and enters another in a QScrollArea; None only leaves."""
        if self._selected is not None:
            left, self._selected = self._selected, None
            left.widgetRepresentation().exit()
            panel.takeWidget().setParent(None)
        if name is not None:
            widget = self._modules[name].widgetRepresentation()
            self._selected = self._modules[name]
            panel.setWidget(widget)
            widget.show()
            widget.enter()

    def unload(self, name):
        """Unloads a module: its panel is cleaned up first."""
        self.moduleAboutToBeUnloaded.emit(name)
        module = self._modules.pop(name)
        if isinstance(module, qSlicerScriptedLoadableModule):
            sys.modules.pop(name, None)
            module.deleteWidget()

    def _add(self, module):
        self._modules[module.name] = module
        setattr(slicer.modules, module.name.lower(), module)
