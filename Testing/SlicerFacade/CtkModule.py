"""The module ``ctk`` of Slicer's Python, as far as there are stand-ins."""

import types

from SlicerFacade import CtkCollapsible, CtkInputs, CtkNumbers

STAND_INS = [
    value
    for module in (CtkCollapsible, CtkInputs, CtkNumbers)
    for name, value in vars(module).items()
    if name.startswith("ctk")
]


class ctkWidgetsUtils:
    """Pictures of widgets."""

    @staticmethod
    def grabWidget(widget, rectangle=None):
        """A QImage of a widget."""
        return (widget.grab() if rectangle is None else widget.grab(rectangle)).toImage()


def ctkModule():
    """The module object."""
    module = types.ModuleType("ctk", "Stand-ins for the widgets of CTK.")
    for standIn in STAND_INS:
        setattr(module, standIn.__name__, standIn)
    module.ctkWidgetsUtils = ctkWidgetsUtils
    return module
