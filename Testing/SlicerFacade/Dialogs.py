"""Modal dialogs: what was shown is written down, and answered at once instead of waiting for a person.

A dialog with one way out takes it. A question raises UnansweredDialog, unless an answer was given beforehand.
"""

from collections import deque
from dataclasses import dataclass

from PySide6 import QtWidgets

FILE_QUESTIONS = ("getOpenFileName", "getOpenFileNames", "getSaveFileName", "getExistingDirectory")
VALUE_QUESTIONS = ("getText", "getInt", "getDouble", "getItem")
MESSAGE_ICONS = {
    "information": QtWidgets.QMessageBox.Information,
    "warning": QtWidgets.QMessageBox.Warning,
    "critical": QtWidgets.QMessageBox.Critical,
    "question": QtWidgets.QMessageBox.Question,
}


class UnansweredDialog(AssertionError):
    """A question was put to the user and the test had no answer ready."""


@dataclass(frozen=True)
class ShownMessage:
    """One dialog as the user saw it: kind is information, warning, critical, question, plain, dialog or file."""

    kind: str
    text: str
    title: str = ""
    detailedText: str = ""
    buttons: int = 0


class Dialogs:
    """Everything that was shown, and the answers to come."""

    def __init__(self):
        self.shown = []
        self._answers = deque()

    @property
    def texts(self):
        """The texts of all that was shown."""
        return [message.text for message in self.shown]

    def answerNext(self, *answers):
        """Answers the next dialogs: a button of qt.QMessageBox, a path or value, or a callable that gets the dialog."""
        self._answers.extend(answers)

    def clear(self):
        """Forgets what was shown and what was to be answered."""
        self.shown.clear()
        self._answers.clear()

    def execute(self, dialog):
        """Stands for the event loop of a modal dialog; returns what it would return."""
        message = _messageOf(dialog)
        self.shown.append(message)
        if self._answers:
            answer = self._answers.popleft()
            answer = answer(dialog) if callable(answer) else answer
        else:
            answer = _onlyWayOut(dialog, message)
        dialog.setResult(int(answer or 0))
        return int(answer or 0)

    def ask(self, kind, text, title=""):
        """Stands for a question that is answered by a value."""
        self.shown.append(ShownMessage(kind, text, title))
        if not self._answers:
            raise UnansweredDialog(f"No answer is ready for {title!r}: {text!r}.")
        return self._answers.popleft()


_current = None


def useDialogs(dialogs):
    """Makes modal dialogs go to this object, or, with None, to Qt again."""
    global _current
    _current = dialogs


def interceptDialogs():
    """Changes Qt's classes once; without a Dialogs object in use they behave as ever."""
    dialogClass = QtWidgets.QDialog
    for cls in (dialogClass, QtWidgets.QMessageBox, QtWidgets.QFileDialog, QtWidgets.QProgressDialog):
        original = cls.exec
        cls.exec = cls.exec_ = _executeMethod(original)
    for name in FILE_QUESTIONS:
        setattr(QtWidgets.QFileDialog, name, staticmethod(_questionFor("file", name)))
    for name in VALUE_QUESTIONS:
        setattr(QtWidgets.QInputDialog, name, staticmethod(_questionFor("dialog", name)))
    for name in MESSAGE_ICONS:
        setattr(QtWidgets.QMessageBox, name, staticmethod(_messageFor(name)))


def _executeMethod(original):
    return lambda self, *args: original(self, *args) if _current is None else _current.execute(self)


def _questionFor(kind, name):
    def ask(parent=None, title="", text="", *_args):
        return _inUse().ask(kind, str(text) or name, title)

    return ask


def _messageFor(kind):
    def show(parent, title, text, buttons=QtWidgets.QMessageBox.Ok, _defaultButton=None):
        box = QtWidgets.QMessageBox(MESSAGE_ICONS[kind], title, text, buttons, parent)
        return _inUse().execute(box)

    return show


def _inUse():
    if _current is None:
        raise RuntimeError("A dialog was opened while the facade is not installed.")
    return _current


def _messageOf(dialog):
    if not isinstance(dialog, QtWidgets.QMessageBox):
        labels = [label.text for label in dialog.findChildren(QtWidgets.QLabel) if label.text]
        return ShownMessage("dialog", "\n".join(labels), dialog.windowTitle)
    kind = next((name for name, icon in MESSAGE_ICONS.items() if icon == dialog.icon), "plain")
    return ShownMessage(
        kind, dialog.text, dialog.windowTitle.strip(), dialog.detailedText, int(dialog.standardButtons)
    )  # fmt: skip


def _onlyWayOut(dialog, message):
    if isinstance(dialog, QtWidgets.QMessageBox):
        # "Show details" is no way out.
        detailsRole = QtWidgets.QMessageBox.ActionRole
        buttons = [button for button in dialog.buttons() if dialog.buttonRole(button) != detailsRole]
        if not buttons:
            return QtWidgets.QMessageBox.Ok
        if len(buttons) == 1:
            return dialog.standardButton(buttons[0])
    elif _closesByItself(dialog):
        return QtWidgets.QDialog.Accepted
    raise UnansweredDialog(f"No answer is ready for {message.title!r}: {message.text!r}.")


def _closesByItself(dialog):
    # slicer.util.delayDisplay shows a text without buttons and closes it from a timer.
    return not dialog.findChildren(QtWidgets.QAbstractButton)
