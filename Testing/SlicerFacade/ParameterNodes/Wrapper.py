"""The decorator: an annotated class becomes a view of a parameter node, with widgets bound to its fields."""

import typing

import slicer
import vtk
from PySide6 import QtWidgets

from SlicerFacade.ParameterNodes.Annotations import Default, findAnnotation, splitAnnotated
from SlicerFacade.ParameterNodes.Connectors import connectorFor
from SlicerFacade.ParameterNodes.Storage import storageFor

SlicerParameterNamePropertyName = "SlicerParameterName"


class _Parameter:
    """One field as a descriptor: reads from and writes to the parameter node of its instance."""

    def __init__(self, name, annotated, default):
        self.name, self.annotated, self.storage = name, annotated, storageFor(annotated)
        self._default = default

    @property
    def default(self):
        return Default(self.storage.default) if self._default is None else self._default

    def __get__(self, wrapper, owner):
        if wrapper is None:
            return self
        # A closed scene empties the parameter node of a module, but keeps it.
        self.fill(wrapper)
        return self.storage.read(wrapper.parameterNode, wrapper._stored(self.name))

    def __set__(self, wrapper, value):
        self.storage.check(value)
        self.storage.write(wrapper.parameterNode, wrapper._stored(self.name), value)

    def fill(self, wrapper):
        if not self.storage.isIn(wrapper.parameterNode, wrapper._stored(self.name)):
            self.__set__(wrapper, self.default.value)


class ParameterNodeWrapper:
    """What every decorated class can do."""

    allParameters: typing.ClassVar[dict] = {}

    def __init__(self, parameterNode, prefix=None):
        self.parameterNode = parameterNode
        self._prefix = prefix or ""
        self._guis = {}
        self._nextTag = 0
        self._isWritingGui = False
        for parameter in self.allParameters.values():
            parameter.fill(self)

    @classmethod
    def dataType(cls, name):
        return cls._parameter(name).annotated

    def default(self, name):
        return self._parameter(name).default

    def getValue(self, name):
        return self._parameter(name).__get__(self, type(self))

    def setValue(self, name, value):
        self._parameter(name).__set__(self, value)

    def isCached(self, name):
        self._parameter(name)
        return False

    def connectGui(self, gui):
        """Binds all widgets that carry the dynamic property SlicerParameterName; returns a tag for disconnectGui."""
        if getattr(gui, "isWidgetType", lambda: False)():
            widgets = gui.findChildren(QtWidgets.QWidget)
        else:
            widgets = gui.__dict__.values()
        named = ((widget.property(SlicerParameterNamePropertyName), widget) for widget in widgets)
        return self.connectParametersToGui({name: widget for name, widget in named if name})

    def connectParametersToGui(self, mapping):
        for name in mapping:
            self._parameter(name)
        connectors = {name: connectorFor(widget, self.dataType(name)) for name, widget in mapping.items()}
        tag = self._nextTag
        self._nextTag += 1
        slots = []
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            if connector.signal is not None:
                slot = self._slot(name, connector)
                connector.signal.connect(slot)
                slots.append((connector.signal, slot))
        observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._writeGui())
        self._guis[tag] = (connectors, slots, observer)
        return tag

    def disconnectGui(self, tag):
        if tag not in self._guis:
            return
        _, slots, observer = self._guis.pop(tag)
        for signal, slot in slots:
            signal.disconnect(slot)
        if slicer.app.profile.endsGuiObservers:
            self.RemoveObserver(observer)

    def StartModify(self):
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified):
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event, callback, priority=0.0):
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag):
        self.parameterNode.RemoveObserver(tag)

    def Modified(self):
        self.parameterNode.Modified()

    @classmethod
    def _parameter(cls, name):
        if name not in cls.allParameters:
            raise ValueError(f"There is no parameter {name!r}, only {', '.join(cls.allParameters)}.")
        return cls.allParameters[name]

    def _stored(self, name):
        return f"{self._prefix}{name}"

    def _slot(self, name, connector):
        def changed(*_):
            if not self._isWritingGui:
                with slicer.util.NodeModify(self):
                    self.setValue(name, connector.read())

        return changed

    def _writeGui(self):
        if self._isWritingGui:
            return
        self._isWritingGui = True
        try:
            with slicer.util.NodeModify(self):
                for connectors, _, _ in list(self._guis.values()):
                    for name, connector in connectors.items():
                        connector.write(self.getValue(name))
        finally:
            self._isWritingGui = False


def parameterNodeWrapper(classtype=None):
    """The decorator, with or without parentheses."""
    return _wrap if classtype is None else _wrap(classtype)


def _wrap(cls):
    parameters = {}
    for name, annotated in typing.get_type_hints(cls, include_extras=True).items():
        if hasattr(ParameterNodeWrapper, name):
            raise ValueError(f"{name!r} cannot be the name of a parameter.")
        default = findAnnotation(splitAnnotated(annotated)[1], Default)
        if hasattr(cls, name):
            default = Default(getattr(cls, name))
        parameters[name] = _Parameter(name, annotated, default)
        setattr(cls, name, parameters[name])
    for name, value in vars(ParameterNodeWrapper).items():
        if not name.startswith("__") or name == "__init__":
            setattr(cls, name, value)
    cls.allParameters = parameters
    return cls


def isParameterNodeWrapper(classOrInstance):
    """Whether the decorator was applied."""
    return hasattr(classOrInstance, "allParameters")


def findChildWidgetForParameter(widget, parameter):
    """The child that carries a parameter's name, or None."""
    children = widget.findChildren(QtWidgets.QWidget)
    return next((child for child in children if child.property(SlicerParameterNamePropertyName) == parameter), None)
