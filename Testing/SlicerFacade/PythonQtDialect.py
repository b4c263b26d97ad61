"""Makes PySide6 speak as PythonQt does inside Slicer: properties are attributes, signals are connected by signature.

PySide6's classes are changed once and for the rest of the process; nothing else in the tests uses PySide6.
"""

import sys

if "PySide6" in sys.modules and not hasattr(sys, "pyside6_option_python_enum"):
    raise ImportError("PySide6 was imported before SlicerFacade.PythonQtDialect: its enums are no numbers any more.")
# Enums that are numbers (0x02), as PythonQt has them; PySide6 reads this while it is imported.
sys.pyside6_option_python_enum = 0x02

import shiboken6  # noqa: E402
from PySide6 import QtCore, QtGui, QtNetwork, QtUiTools, QtWidgets  # noqa: E402

from SlicerFacade import Strictness  # noqa: E402
from SlicerFacade.Connections import connectBySignature, disconnectBySignature  # noqa: E402

QT_MODULES = (QtCore, QtGui, QtWidgets, QtNetwork, QtUiTools)
# Their getters are static and called on the class, as QApplication.font().
APPLICATION_CLASSES = (QtCore.QCoreApplication, QtGui.QGuiApplication, QtWidgets.QApplication)
EXECUTABLE_CLASSES = (QtWidgets.QDialog, QtWidgets.QMenu, QtCore.QEventLoop, QtCore.QCoreApplication, QtGui.QDrag)
STRING_LIST_METHODS = {
    QtWidgets.QFileDialog: ("selectedFiles", "nameFilters", "history"),
    QtCore.QDir: ("entryList", "nameFilters"),
    QtCore.QSettings: ("allKeys", "childKeys", "childGroups"),
    QtCore.QMimeData: ("formats",),
    QtCore.QProcess: ("arguments",),
}


def applyDialect():
    """Changes PySide6's classes; does nothing when that has happened already."""
    if "name" in QtCore.QObject.__dict__:
        return
    startOnce = QtCore.QTimer.singleShot
    for cls in _classesOfQt(QtCore.QObject):
        if cls not in APPLICATION_CLASSES:
            _makePropertiesAttributes(cls)
    QtCore.QObject.name = property(
        lambda self: self.objectName, lambda self, value: self.setObjectName(value), doc="The object's name."
    )
    QtCore.QObject.className = lambda self: self.metaObject().className()
    QtCore.QTimer.singleShot = _SingleShot(startOnce)
    for cls in EXECUTABLE_CLASSES:
        cls.exec_ = _executeMethod(cls.exec)
    for cls, names in STRING_LIST_METHODS.items():
        for name in names:
            setattr(cls, name, _tupleMethod(getattr(cls, name)))
    _overrideConnect()
    for cls in _classesOfQt(shiboken6.Object):
        Strictness.refuseUnknownAttributes(cls)


def _classesOfQt(base):
    found = []
    for module in QT_MODULES:
        for name in dir(module):
            value = getattr(module, name)
            if isinstance(value, type) and issubclass(value, base) and value.__module__.startswith("PySide6"):
                found.append(value)
    return found


def _makePropertiesAttributes(cls):
    meta = cls.staticMetaObject
    for index in range(meta.propertyCount()):
        prop = meta.property(index)
        name = prop.name()
        isInherited = index < meta.propertyOffset()
        # A class that only overrides the getter of an inherited property would show a method in its place.
        if isInherited and name not in cls.__dict__:
            continue
        if not isinstance(getattr(cls, name, None), property) or not isInherited:
            setattr(cls, name, _attribute(cls, name, prop.isWritable()))


def _attribute(cls, name, isWritable):
    capital = name[0].upper() + name[1:]
    getter = next((found for found in map(cls.__dict__.get, (name, f"is{capital}", f"has{capital}")) if found), None)
    read = getter if callable(getter) else lambda self: QtCore.QObject.property(self, name)
    setter = getattr(cls, f"set{capital}", None)

    def get(self):
        return withTuples(read(self))

    def assign(self, value):
        if setter is not None:
            setter(self, value)
        elif not self.setProperty(name, value):
            raise TypeError(f"{cls.__name__}.{name} cannot be set to {value!r}")

    return property(get, assign if isWritable else None)


def withTuples(value):
    """Lists of strings as tuples, in which PythonQt hands them out."""
    return tuple(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else value


def _tupleMethod(method):
    return lambda self, *args: withTuples(method(self, *args))


def _executeMethod(execute):
    return lambda self, *args: execute(self, *args)


class _SingleShot:
    """QTimer.singleShot(ms, f) on the class, the property singleShot on a timer."""

    def __init__(self, static):
        self._static = static

    def __get__(self, timer, owner):
        return self._static if timer is None else timer.isSingleShot()

    def __set__(self, timer, value):
        timer.setSingleShot(value)


def _overrideConnect():
    original = QtCore.QObject.__getattribute__

    # PySide6 answers these two itself, so that attributes of the class are not asked.
    ours = {"connect": connectBySignature, "disconnect": disconnectBySignature}

    def getAttribute(self, name):
        if name not in ours:
            return original(self, name)
        return lambda *args: ours[name](self, original(self, name), *args)

    QtCore.QObject.__getattribute__ = getAttribute
