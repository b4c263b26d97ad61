"""The module ``qt`` of Slicer's Python: all of Qt under one name."""

import types

from SlicerFacade import PythonQtDialect, Strictness
from SlicerFacade.UiLoading import UiLoader


class QtModule(types.ModuleType):
    """Finds names in PySide6's modules; refuses those that PythonQt does not have."""

    def __init__(self):
        super().__init__("qt", "Qt in PythonQt's dialect.")
        self.QUiLoader = UiLoader

    def __getattr__(self, name):
        if name in Strictness.FORBIDDEN_NAMES:
            raise AttributeError(f"qt has no {name}: {Strictness.FORBIDDEN_NAMES[name]}.")
        for module in PythonQtDialect.QT_MODULES:
            if not name.startswith("__") and hasattr(module, name):
                self.__dict__[name] = getattr(module, name)  # found at once from now on
                return self.__dict__[name]
        raise AttributeError(f"qt has no {name!r}.")
