"""Which widget can show which type, and how. Only exact classes count, as in Slicer."""

import enum
from dataclasses import dataclass

from PySide6 import QtWidgets

from SlicerFacade.CtkInputs import (
    ctkCheckablePushButton,
    ctkCheckBox,
    ctkComboBox,
    ctkDirectoryButton,
    ctkPathLineEdit,
)
from SlicerFacade.CtkNumbers import ctkDoubleSlider, ctkDoubleSpinBox, ctkSliderWidget
from SlicerFacade.MrmlWidgets import qMRMLSliderWidget, qMRMLSpinBox
from SlicerFacade.NodeComboBox import qMRMLNodeComboBox
from SlicerFacade.ParameterNodes.Annotations import (
    Choice,
    Decimals,
    Maximum,
    Minimum,
    SingleStep,
    WithinRange,
    findAnnotation,
    splitAnnotated,
)
from SlicerFacade.ParameterNodes.Storage import PATH_TYPES, nodeClassesOf

BUTTONS = (QtWidgets.QCheckBox, ctkCheckBox, QtWidgets.QPushButton, ctkCheckablePushButton)
REAL_NUMBERS = (
    QtWidgets.QDoubleSpinBox, ctkSliderWidget, qMRMLSliderWidget, ctkDoubleSlider, ctkDoubleSpinBox, qMRMLSpinBox,
)  # fmt: skip
SLIDERS = (QtWidgets.QSlider, ctkSliderWidget, qMRMLSliderWidget)
WHOLE_NUMBERS = (QtWidgets.QSlider, QtWidgets.QSpinBox)
COMBO_BOXES = (QtWidgets.QComboBox, ctkComboBox)
LARGEST_INT = 2**31 - 1


@dataclass
class Connector:
    """One widget bound to one parameter: a signal, a function that reads and one that writes."""

    signal: object
    read: object
    write: object


def connectorFor(widget, annotated):
    """Binds a widget to a type.

    Raises:
        RuntimeError: this widget cannot show this type.
    """
    base, annotations = splitAnnotated(annotated)
    kind = type(widget)
    if base is bool and kind in BUTTONS:
        return _boolean(widget)
    if base is int and kind in WHOLE_NUMBERS:
        return _number(widget, annotations, int)
    if base in (int, float) and kind in REAL_NUMBERS:
        return _number(widget, annotations, base)
    if kind in COMBO_BOXES and isinstance(base, type) and issubclass(base, enum.Enum):
        label = getattr(base, "label", lambda member: member.name)
        return _choices(widget, [(member, label(member)) for member in base])
    if kind in COMBO_BOXES and base in (int, float, str, bool):
        choice = findAnnotation(annotations, Choice)
        if choice is None:
            raise RuntimeError("A combo box shows such a parameter only with the annotation Choice.")
        return _choices(widget, [(value, str(value)) for value in choice.choices])
    return _textPathOrNode(widget, base, annotated)


def _textPathOrNode(widget, base, annotated):
    kind = type(widget)
    if base is str and kind is QtWidgets.QLineEdit:
        return Connector(widget.textChanged, lambda: widget.text, lambda value: _writeText(widget, value))
    if base is str and kind is QtWidgets.QLabel:
        return Connector(None, lambda: widget.text, lambda value: setattr(widget, "text", value))
    if base is str and kind is QtWidgets.QTextEdit:
        return Connector(widget.textChanged, widget.toPlainText, widget.setPlainText)
    if base in PATH_TYPES and kind is ctkPathLineEdit:
        return Connector(
            widget.currentPathChanged, lambda: base(widget.currentPath), lambda value: widget.setCurrentPath(str(value))
        )
    if base in PATH_TYPES and kind is ctkDirectoryButton:
        return Connector(
            widget.directoryChanged, lambda: base(widget.directory), lambda value: widget.setDirectory(str(value))
        )
    if kind is qMRMLNodeComboBox and nodeClassesOf(base):
        # Slicer asks an instance for its name, which an abstract class cannot make.
        widget.nodeTypes = [nodeClass().GetClassName() for nodeClass in nodeClassesOf(base)]
        return Connector(widget.currentNodeChanged, widget.currentNode, widget.setCurrentNode)
    raise RuntimeError(f"A {kind.__name__} cannot show a parameter of type {annotated}.")


def _writeText(widget, value):
    # Setting the text moves the cursor to its end, also while a person types.
    if value != widget.text:
        widget.text = value


def _boolean(widget):
    if isinstance(widget, QtWidgets.QPushButton):
        widget.checkable = True
    return Connector(widget.toggled, lambda: widget.checked, lambda value: setattr(widget, "checked", value))


def _number(widget, annotations, numberType):
    decimals, step = findAnnotation(annotations, Decimals), findAnnotation(annotations, SingleStep)
    if type(widget) in REAL_NUMBERS and type(widget) is not ctkDoubleSlider:
        if numberType is int:
            widget.decimals = 0
        elif decimals is not None:
            widget.decimals = decimals.value
    if step is not None:
        widget.singleStep = step.value
    _bound(widget, annotations)
    return Connector(
        widget.valueChanged, lambda: numberType(widget.value), lambda value: setattr(widget, "value", numberType(value))
    )


def _bound(widget, annotations):
    within = findAnnotation(annotations, WithinRange)
    lower = within or findAnnotation(annotations, Minimum)
    upper = within or findAnnotation(annotations, Maximum)
    if type(widget) in SLIDERS and (lower is None or upper is None):
        raise RuntimeError("A slider shows a number only if it has a range.")
    isWhole = type(widget) in WHOLE_NUMBERS
    widget.minimum = lower.minimum if lower else (-LARGEST_INT - 1 if isWhole else float("-1e300"))
    widget.maximum = upper.maximum if upper else (LARGEST_INT if isWhole else float("1e300"))


def _choices(widget, choices):
    chosen = widget.currentIndex
    widget.clear()
    for _, text in choices:
        widget.addItem(text)
    widget.currentIndex = min(max(chosen, 0), len(choices) - 1)
    values = [value for value, _ in choices]
    return Connector(
        widget.currentIndexChanged,
        lambda: values[widget.currentIndex],
        lambda value: setattr(widget, "currentIndex", values.index(value)),
    )
