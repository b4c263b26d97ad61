"""Qt's warnings become errors of the test that caused them."""

from PySide6 import QtCore

# Says only that there is no screen.
EXPECTED = ("This plugin does not support",)
SERIOUS = (QtCore.QtMsgType.QtWarningMsg, QtCore.QtMsgType.QtCriticalMsg)


class QtComplaint(AssertionError):
    """Something that Qt would have written to the log."""


def complaintsGoTo(errors):
    """Appends a QtComplaint to a list for every warning; returns a function that ends this."""

    def handle(kind, _context, text):
        if kind in SERIOUS and not text.startswith(EXPECTED):
            errors.append(QtComplaint(text))

    before = QtCore.qInstallMessageHandler(handle)
    return lambda: QtCore.qInstallMessageHandler(before)
