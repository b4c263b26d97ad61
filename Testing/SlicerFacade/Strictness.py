"""Faults that PySide6 lets pass and PythonQt does not, or that crash Slicer: they raise here."""

import shiboken6

FORBIDDEN_NAMES = {
    "Signal": "a signal declared in Python crashes Slicer: use a callback",
    "Slot": "PythonQt has no decorator for slots: connect any callable",
    "Property": "PythonQt declares no properties in Python",
    "QtCore": "PythonQt has one module for all of Qt: qt.QTimer, qt.QLabel",
    "QtGui": "PythonQt has one module for all of Qt: qt.QIcon, qt.QLabel",
    "QtWidgets": "PythonQt has one module for all of Qt: qt.QLabel",
}
# What stands for C++ classes: an attribute that was not declared in them cannot be set.
CPP_PACKAGES = ("PySide6.", "SlicerFacade.")


def refuseUnknownAttributes(cls):
    """Makes instances of a class of Qt refuse attributes that it does not have.

    Stand-ins name theirs in ownState. Classes that a module derives in Python may have any.
    """

    def assignKnown(self, name, value):
        found = _findInClass(self, name)
        if type(found).__name__ == "Property":
            if found.fset is None:
                raise AttributeError(f"{name!r} of {type(self).__name__} can only be read.")
            found.fset(self, value)
        elif hasattr(type(found), "__set__") or _isFree(self, name) or _isOfPySide(name, value):
            shiboken6.Object.__setattr__(self, name, value)
        elif _isDynamicProperty(self, name):
            self.setProperty(name, value)
        else:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r} that can be set.")

    cls.__setattr__ = assignKnown


def _findInClass(instance, name):
    for base in type(instance).__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


def _isFree(instance, name):
    cls = type(instance)
    if not cls.__module__.startswith(CPP_PACKAGES):
        return True
    for base in cls.__mro__:  # noqa: SIM110 (asked so often that a generator would be felt)
        if name in base.__dict__.get("ownState", ()):
            return True
    return False


def _isOfPySide(name, value):
    # PySide6 keeps the signals that were asked for and its own notes in the instance.
    return type(value).__name__ == "SignalInstance" or (name.startswith("__") and name.endswith("__"))


def _isDynamicProperty(instance, name):
    names = getattr(instance, "dynamicPropertyNames", None)
    return names is not None and name.encode() in [found.data() for found in names()]
