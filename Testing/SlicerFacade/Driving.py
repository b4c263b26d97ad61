"""Acts on the panel as a user would, in the real event loop.

What a user could not do raises CannotDo: clicking what is hidden, folded away or disabled. After each act, an
exception that a slot let go is raised in the test.
"""

import itertools
import time
from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets

from Patience import PATIENCE_S

DRAG_STEPS = 5
WAIT_MS = 10
LEAST_TURNS = 10
"""Of the event loop in a wait for some seconds, which a busy machine may have spent on other processes."""
SETTLING_TURNS = 5
"""After an act, without waiting: what a panel puts off to later turns, one thing in each, is done then."""


class CannotDo(AssertionError):
    """A user could not do this."""


class Driver:
    """Drives one installation of the facade.

    Args:
        facade: Installation.Facade.
    """

    def __init__(self, facade):
        self._facade = facade

    def load(self, path, show=True):
        """Loads a module's file as Slicer does and opens its panel; returns the module's widget object."""
        module = self._facade.moduleManager.load(path)
        if show:
            self._facade.mainWindow.show()
            self._facade.mainWindow.moduleSelector().selectModule(module.name)
        self._facade.app.startupCompleted.emit()
        self.pump()
        return module.widgetRepresentation().self()

    def leave(self):
        """Leaves the module shown now, as by going to another one."""
        self._facade.mainWindow.moduleSelector().selectModule(None)
        self.pump()

    def enter(self, name):
        """Opens a loaded module's panel again."""
        self._facade.mainWindow.moduleSelector().selectModule(name)
        self.pump()

    def click(self, widget):
        """Clicks a button, a check box or the title of a foldable section; for QAction, what its menu entry does."""
        if isinstance(widget, QtGui.QAction):
            if not widget.enabled:
                raise CannotDo(f"The action {widget.name or widget.text!r} is disabled.")
            widget.trigger()
        else:
            self.needReachable(widget)
            widget.click()
        self.pump()

    def choose(self, comboBox, wanted):
        """Chooses an entry of a combo box by its text, or a node of a node combo box; None chooses no node."""
        self.needReachable(comboBox)
        inner = comboBox.comboBox() if hasattr(comboBox, "comboBox") else comboBox
        if wanted is None or hasattr(wanted, "GetID"):
            index = inner.findData("" if wanted is None else wanted.GetID())
        else:
            index = inner.findText(wanted)
        if index < 0 or not inner.enabled:
            offered = [inner.itemText(position) for position in range(inner.count)] if inner.enabled else "nothing"
            name = wanted.GetName() if hasattr(wanted, "GetName") else wanted
            raise CannotDo(f"{comboBox.name} does not offer {name!r}, but {offered}.")
        if not isinstance(inner.itemData(index), tuple):
            # Entries as "Create new" are carried out, not chosen.
            inner.setCurrentIndex(index)
        inner.activated.emit(index)
        self.pump()

    def type(self, widget, value):
        """Types into a line edit, a text or a spin box and presses Enter."""
        self.needReachable(widget)
        target = widget.spinBox() if hasattr(widget, "spinBox") else widget
        target = target.findChild(QtWidgets.QLineEdit) or target
        target.selectAll()
        for character in str(value):
            _press(target, 0, character)
        _press(target, QtCore.Qt.Key_Return)
        self.pump()

    def drag(self, slider, value):
        """Drags a slider there in some steps, as the mouse does, and lets it go."""
        self.needReachable(slider)
        inner = slider.slider() if hasattr(slider, "slider") else slider
        end = round(value if inner is slider else (value - slider.minimum) / slider.singleStep)
        start = inner.value
        inner.setSliderDown(True)
        for step in range(1, DRAG_STEPS + 1):
            inner.setSliderPosition(round(start + (end - start) * step / DRAG_STEPS))
            self.pump()
        inner.setSliderDown(False)
        self.pump()

    def press(self, key, window=None):
        """Presses a key or a chord, as "Ctrl+R", which a QShortcut may wait for.

        Raises:
            CannotDo: no enabled shortcut of a visible widget has this key, or more than one: Qt then tells both that
                the key is ambiguous, and neither that it was pressed.
        """
        wanted = QtGui.QKeySequence(key)
        window = window or self._facade.mainWindow
        found = [
            shortcut
            for shortcut in window.findChildren(QtGui.QShortcut)
            if wanted in list(shortcut.keys()) and shortcut.enabled and shortcut.parent().isVisible()
        ]
        actions = [action for action in window.findChildren(QtGui.QAction) if wanted in action.shortcuts()]
        if len(found) != 1 or actions:
            count = len(found) + len(actions)
            raise CannotDo(f"{count} shortcuts are waiting for {wanted.toString()}.")
        found[0].activated.emit()
        self.pump()

    def pump(self, until=0.0, timeout=PATIENCE_S):
        """Runs the event loop: for some seconds and turns, or until a function returns something true.

        Raises:
            TimeoutError: that did not happen within ``timeout`` seconds.
        """
        begin = time.monotonic()
        turns = itertools.count()
        least = LEAST_TURNS if until else SETTLING_TURNS
        condition = until if callable(until) else lambda: next(turns) >= least and time.monotonic() - begin >= until
        loop, alarm = QtCore.QEventLoop(), QtCore.QTimer()
        while True:
            loop.processEvents(QtCore.QEventLoop.AllEvents)
            QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)
            self._facade.raiseUncaught()
            if condition():
                return
            if time.monotonic() - begin > timeout:
                raise TimeoutError(
                    f"Nothing like that happened within {timeout} s. Shown: {self._facade.dialogs.texts}"
                )
            if not until:
                continue
            # Really waits: with a time limit Qt ignores WaitForMoreEvents, and the loop takes a core from the worker.
            alarm.start(WAIT_MS)  # anew: a second alarm would wake all later turns once more
            loop.processEvents(QtCore.QEventLoop.AllEvents | QtCore.QEventLoop.WaitForMoreEvents)

    def grab(self, widget=None, path=None):
        """A QImage of a widget or of the main window; written as PNG where a path is given."""
        self.pump()
        image = (widget or self._facade.mainWindow).grab().toImage()
        if path is not None and not image.save(str(Path(path))):
            raise OSError(f"{path} could not be written.")
        return image

    def isReachable(self, widget):
        """Whether a user could get at a widget, if need be by scrolling."""
        parent = widget.parentWidget()
        while parent is not None:
            if parent.metaObject().indexOfProperty("collapsed") >= 0 and parent.property("collapsed"):
                return False
            parent = parent.parentWidget()
        return widget.isVisible() and widget.isEnabled()

    def needReachable(self, widget):
        """Raises CannotDo where a user could not get at a widget."""
        if not self.isReachable(widget):
            state = "disabled" if widget.isVisible() and not widget.isEnabled() else "hidden"
            raise CannotDo(f"{widget.className()} {widget.name!r} is {state}.")


def _press(widget, key, text=""):
    for kind in (QtCore.QEvent.KeyPress, QtCore.QEvent.KeyRelease):
        event = QtGui.QKeyEvent(kind, int(key), QtCore.Qt.NoModifier, text)
        QtCore.QCoreApplication.sendEvent(widget, event)
