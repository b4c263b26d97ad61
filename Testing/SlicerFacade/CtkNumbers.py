"""Stand-ins for CTK's inputs of numbers."""

import math
import sys

from PySide6 import QtCore, QtWidgets

LARGEST = sys.float_info.max


def _finite(value):
    # Qt's spin boxes cannot have infinite bounds, CTK's can.
    return max(-LARGEST, min(LARGEST, value))


def _infinite(value):
    return value if abs(value) < LARGEST else math.copysign(math.inf, value)


class ctkDoubleSpinBox(QtWidgets.QWidget):
    """A spin box for real numbers."""

    ownState = ("_box",)
    valueChanged = QtCore.Signal(float)
    editingFinished = QtCore.Signal()

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._box = QtWidgets.QDoubleSpinBox(self)
        layout.addWidget(self._box)
        self.setFocusProxy(self._box)
        self.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self._box.valueChanged.connect(self.valueChanged)
        self._box.editingFinished.connect(self.editingFinished)

    def spinBox(self):
        return self._box

    def readValue(self):
        return self._box.value

    @QtCore.Slot(float)
    def setValue(self, value):
        self._box.setValue(value)

    def readMinimum(self):
        return _infinite(self._box.minimum)

    @QtCore.Slot(float)
    def setMinimum(self, value):
        self._box.setMinimum(_finite(value))

    def readMaximum(self):
        return _infinite(self._box.maximum)

    @QtCore.Slot(float)
    def setMaximum(self, value):
        self._box.setMaximum(_finite(value))

    def setRange(self, minimum, maximum):
        self._box.setRange(_finite(minimum), _finite(maximum))

    def readSingleStep(self):
        return self._box.singleStep

    def setSingleStep(self, value):
        self._box.setSingleStep(value)

    def readDecimals(self):
        return self._box.decimals

    def setDecimals(self, value):
        self._box.setDecimals(value)

    def readSuffix(self):
        return self._box.suffix

    def setSuffix(self, value):
        self._box.setSuffix(value)

    def readPrefix(self):
        return self._box.prefix

    def setPrefix(self, value):
        self._box.setPrefix(value)

    value = QtCore.Property(float, readValue, setValue, notify=valueChanged)
    minimum = QtCore.Property(float, readMinimum, setMinimum)
    maximum = QtCore.Property(float, readMaximum, setMaximum)
    singleStep = QtCore.Property(float, readSingleStep, setSingleStep)
    decimals = QtCore.Property(int, readDecimals, setDecimals)
    suffix = QtCore.Property(str, readSuffix, setSuffix)
    prefix = QtCore.Property(str, readPrefix, setPrefix)


class ctkSliderWidget(ctkDoubleSpinBox):
    """A slider beside a spin box. Without ``tracking``, valueChanged comes when the slider is let go."""

    ownState = ("_held", "_isTracking", "_slider")
    valueIsChanging = QtCore.Signal(float)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._isTracking, self._held = True, None
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal, self)
        self.layout().insertWidget(0, self._slider, 1)
        self._box.valueChanged.disconnect(self.valueChanged)
        self._box.valueChanged.connect(self._onBox)
        self._slider.valueChanged.connect(self._onSlider)
        self._slider.sliderReleased.connect(self._onReleased)
        self._box.setMaximum(100.0)
        self._spread()

    def slider(self):
        return self._slider

    def showEvent(self, event):
        """Makes the boxes of all sliders side by side in one parent as wide as the widest, as CTK does by default."""
        super().showEvent(event)
        around = self.parentWidget()
        beside = [child for child in around.children() if isinstance(child, ctkSliderWidget)] if around else [self]
        widest = max(slider.spinBox().sizeHint.width() for slider in beside)
        for slider in beside:
            slider.spinBox().setMinimumWidth(widest)

    def setMinimum(self, value):
        super().setMinimum(value)
        self._spread()

    def setMaximum(self, value):
        super().setMaximum(value)
        self._spread()

    def setRange(self, minimum, maximum):
        super().setRange(minimum, maximum)
        self._spread()

    def setSingleStep(self, value):
        super().setSingleStep(value)
        self._spread()

    def hasTracking(self):
        return self._isTracking

    def setTracking(self, value):
        self._isTracking = value

    def readSpinBoxVisible(self):
        return not self._box.isHidden()

    def setSpinBoxVisible(self, value):
        self._box.setVisible(value)

    def readPageStep(self):
        return self._slider.pageStep * self.singleStep

    def setPageStep(self, value):
        self._slider.setPageStep(max(1, round(value / self.singleStep)))

    minimum = QtCore.Property(float, ctkDoubleSpinBox.readMinimum, setMinimum)
    maximum = QtCore.Property(float, ctkDoubleSpinBox.readMaximum, setMaximum)
    singleStep = QtCore.Property(float, ctkDoubleSpinBox.readSingleStep, setSingleStep)
    pageStep = QtCore.Property(float, readPageStep, setPageStep)
    tracking = QtCore.Property(bool, hasTracking, setTracking)
    spinBoxVisible = QtCore.Property(bool, readSpinBoxVisible, setSpinBoxVisible)

    def _spread(self):
        step = self._box.singleStep or 1.0
        count = (self._box.maximum - self._box.minimum) / step
        with QtCore.QSignalBlocker(self._slider):
            self._slider.setRange(0, round(min(count, 1e9)))
        self._moveSlider()

    def _moveSlider(self):
        with QtCore.QSignalBlocker(self._slider):
            self._slider.setValue(
                round(min((self._box.value - self._box.minimum) / (self._box.singleStep or 1.0), 1e9))
            )

    def _onBox(self, value):
        if not self._slider.isSliderDown():
            self._moveSlider()
        self.valueIsChanging.emit(value)
        if self._isTracking or not self._slider.isSliderDown():
            self.valueChanged.emit(value)
        else:
            self._held = value

    def _onSlider(self, position):
        self._box.setValue(self._box.minimum + position * self._box.singleStep)

    def _onReleased(self):
        if self._held is not None:
            value, self._held = self._held, None
            self.valueChanged.emit(value)


class ctkDoubleSlider(QtWidgets.QWidget):
    """A slider for real numbers alone."""

    ownState = ("_inner",)
    valueChanged = QtCore.Signal(float)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._inner = ctkSliderWidget(self)
        self._inner.setSpinBoxVisible(False)
        QtWidgets.QHBoxLayout(self).addWidget(self._inner)
        self._inner.valueChanged.connect(self.valueChanged)

    value = QtCore.Property(float, lambda self: self._inner.value, lambda self, value: self._inner.setValue(value))
    minimum = QtCore.Property(
        float, lambda self: self._inner.minimum, lambda self, value: self._inner.setMinimum(value)
    )
    maximum = QtCore.Property(
        float, lambda self: self._inner.maximum, lambda self, value: self._inner.setMaximum(value)
    )
    singleStep = QtCore.Property(
        float, lambda self: self._inner.singleStep, lambda self, value: self._inner.setSingleStep(value)
    )


class ctkRangeWidget(QtWidgets.QWidget):
    """Two spin boxes for the ends of a range."""

    ownState = ("_lower", "_upper")
    valuesChanged = QtCore.Signal(float, float)

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._lower, self._upper = QtWidgets.QDoubleSpinBox(self), QtWidgets.QDoubleSpinBox(self)
        for box in (self._lower, self._upper):
            layout.addWidget(box)
            box.valueChanged.connect(self._onChanged)

    def setRange(self, minimum, maximum):
        for box in (self._lower, self._upper):
            box.setRange(minimum, maximum)

    def setValues(self, lower, upper):
        with QtCore.QSignalBlocker(self._lower):
            self._lower.setValue(lower)
        with QtCore.QSignalBlocker(self._upper):
            self._upper.setValue(upper)
        self._onChanged()

    def setDecimals(self, value):
        self._lower.setDecimals(value)
        self._upper.setDecimals(value)

    def setSingleStep(self, value):
        self._lower.setSingleStep(value)
        self._upper.setSingleStep(value)

    def _onChanged(self, *_):
        self.valuesChanged.emit(self._lower.value, self._upper.value)

    minimumValue = QtCore.Property(float, lambda self: self._lower.value, lambda self, v: self._lower.setValue(v))
    maximumValue = QtCore.Property(float, lambda self: self._upper.value, lambda self, v: self._upper.setValue(v))
    minimum = QtCore.Property(float, lambda self: self._lower.minimum, lambda self, v: self.setRange(v, self.maximum))
    maximum = QtCore.Property(float, lambda self: self._lower.maximum, lambda self, v: self.setRange(self.minimum, v))
    decimals = QtCore.Property(int, lambda self: self._lower.decimals, setDecimals)
    singleStep = QtCore.Property(float, lambda self: self._lower.singleStep, setSingleStep)


class ctkDoubleRangeSlider(ctkRangeWidget):
    """Stands for the slider with two handles."""
