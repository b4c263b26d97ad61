"""Loads Designer's files with the stand-ins for the widgets of CTK and Slicer.

Unlike Qt's own loader it lets no fault of a file pass: unknown classes, properties, names, signals and slots raise.
"""

import xml.etree.ElementTree as ElementTree
from functools import lru_cache
from typing import NamedTuple

from PySide6 import QtCore, QtUiTools, QtWidgets

# Properties that exist in Designer alone.
DESIGNER_PROPERTIES = {"Line": {"orientation"}, "QLabel": {"buddy"}}
DESIGNER_CLASSES = ("Line",)
# What Designer plugins would make known; filled by UiLoader.register().
CUSTOM_CLASSES = {}


class UiFileError(RuntimeError):
    """All faults of one .ui file."""


class UiLoader(QtUiTools.QUiLoader):
    """Stands for QUiLoader in the module ``qt``."""

    ownState = ("_errors", "_made")
    customClasses = CUSTOM_CLASSES

    @classmethod
    def register(cls, widgetClasses):
        """Makes widgets known by their class names, as Designer plugins do."""
        cls.customClasses.update({widgetClass.__name__: widgetClass for widgetClass in widgetClasses})

    def load(self, device, parentWidget=None):
        """The root widget of an open file.

        Raises:
            UiFileError: what is wrong with it.
        """
        root, connections, names, withoutConnections = _parsed(device.readAll().data())
        _raise(self._faultsOfNames(names))
        self._made, self._errors = [], []
        buffer = QtCore.QBuffer()
        buffer.setData(withoutConnections)
        buffer.open(QtCore.QIODevice.ReadOnly)
        widget = super().load(buffer, parentWidget)
        if self._errors:
            raise self._errors[0]
        _raise(_faultsOfProperties(root, widget) + _connect(connections, widget))
        return widget

    def createWidget(self, className, parent=None, name=""):
        """Called by Qt for every widget of the file."""
        if className not in self.customClasses:
            return super().createWidget(className, parent, name)
        try:
            widget = self.customClasses[className](parent)
        except Exception as error:
            # Qt would go on without the widget.
            self._errors.append(error)
            raise
        widget.setObjectName(name)
        # Qt owns the widget, but Python's half of it has to live as long.
        self._made.append(widget)
        return widget

    def _faultsOfNames(self, names):
        known = {*self.customClasses, *DESIGNER_CLASSES}
        faults = [
            f"unknown class {name}" for name in names.classes if name not in known and not hasattr(QtWidgets, name)
        ]
        return faults + [f"the name {name} is used twice" for name in names.usedTwice]


class _Names(NamedTuple):
    classes: list
    usedTwice: list


@lru_cache(maxsize=8)
def _parsed(content):
    """A file's elements, connections, names, and bytes without connections; the panel's own is read in each test."""
    root = ElementTree.fromstring(content)
    names = _namesIn(root)
    connections = _takeConnections(root)
    return root, connections, names, ElementTree.tostring(root)


def _namesIn(root):
    used = {element.get("class") for element in root.iter("widget")} | {
        element.text for element in root.iter("class")
    } - {element.text for element in root.findall("class")}
    names = [element.get("name") for element in root.iter() if element.tag in ("widget", "layout", "action")]
    return _Names(sorted(used), sorted(name for name in set(names) if names.count(name) > 1))


def _raise(faults):
    if faults:
        raise UiFileError("The .ui file has faults: " + "; ".join(faults))


def _takeConnections(root):
    found = [
        tuple(element.findtext(tag) for tag in ("sender", "signal", "receiver", "slot"))
        for element in root.iter("connection")
    ]
    for block in root.findall("connections"):
        root.remove(block)
    return found


def _named(root, name):
    return root if root.objectName == name else root.findChild(QtCore.QObject, name)


def _faultsOfProperties(root, widget):
    faults = []
    for element in root.iter("widget"):
        target = _named(widget, element.get("name"))
        for prop in element.findall("property"):
            name = prop.get("name")
            if prop.get("stdset") == "0" or name in DESIGNER_PROPERTIES.get(element.get("class"), ()):
                continue
            if target.metaObject().indexOfProperty(name) < 0:
                faults.append(f"{element.get('class')} {element.get('name')} has no property {name}")
    return faults


def _connect(connections, widget):
    faults = []
    for senderName, signal, receiverName, slot in connections:
        sender, receiver = _named(widget, senderName), _named(widget, receiverName)
        missing = [name for name, found in ((senderName, sender), (receiverName, receiver)) if found is None]
        if missing:
            faults += [f"a connection names {name}, which is not there" for name in missing]
            continue
        try:
            sender.connect(signal, receiver, slot)
        except AttributeError as error:
            faults.append(str(error))
    return faults
