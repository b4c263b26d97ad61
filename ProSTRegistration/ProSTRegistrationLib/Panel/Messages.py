"""The panel's words: status lines, verdicts and their colours."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

Style = tuple[str, ...]

MISSING_STYLE: Style = ("#8a5a00", "#ffb74d")
FAULT_STYLE: Style = ("#b3261e", "#ff8a80")
PLAIN_STYLE: Style = ()
"""Inks on light and on dark desktops; none is the desktop's own."""

WANTED_PROPERTY = "ProSTRegistration.isVisible"

VERDICTS = {
    "accepted": ("#1b7f4d", "#ffffff"),
    "uncertain": ("#8f5d00", "#ffffff"),
    "failed": ("#b3261e", "#ffffff"),
}

OUTDATED_COLORS = ("#6b7078", "#ffffff")


def showStatus(label: Any, text: str, style: Style = MISSING_STYLE) -> None:
    """Shows a text in a status line, which takes no room without one."""
    isDark = slicer.app.palette().color(qt.QPalette.Window).lightness() < 128
    css = f"color: {style[isDark]};" if style else ""
    if label.text != text:
        label.text = text
    if label.styleSheet != css:
        label.setStyleSheet(css)
    setVisible(label, bool(text))


def setVisible(widget: Any, isVisible: bool) -> None:
    """Shows or hides a widget where that was not wanted of it before.

    A folded section hides what it holds again at once, so its own state does not tell what was wanted; and doing both
    at every refresh would have the whole panel laid out anew.
    """
    if widget.property(WANTED_PROPERTY) != isVisible:
        widget.setProperty(WANTED_PROPERTY, isVisible)
        widget.setVisible(isVisible)


def reveal(widget: Any, mayFocus: bool = True) -> None:
    """Unfolds the sections around a widget and scrolls there."""
    area = widget
    while area is not None and not area.inherits("QScrollArea"):
        if area.property("collapsed"):
            area.setProperty("collapsed", False)
        area = area.parent()

    def scroll() -> None:
        if area is not None:
            area.ensureWidgetVisible(widget)
        if mayFocus:
            widget.setFocus()

    # The sections have their new heights when the events at hand are done.
    qt.QTimer.singleShot(0, scroll)


def verdictWord(status: str) -> str:
    """A result's status as a word for the panel."""
    return {"accepted": _("Trusted"), "uncertain": _("Uncertain"), "failed": _("Failed")}.get(status, status)


def stageWords(stage: str) -> str:
    """A stage of a registration, by the engine's name, as words for the panel."""
    words = {
        "start": _("Looking at the start pose"),
        "prost": _("Searching nearby"),
        "cmaes": _("Searching"),
        "refine": _("Comparing the best places"),
        "polish": _("Making the result exact"),
        "mirror check": _("Checking the result"),
        "look-alikes": _("Comparing with neighbouring bones"),
    }
    return words.get(stage, _("Searching"))


def secondsText(seconds: float | None) -> str:
    """A duration for people."""
    if seconds is None:
        return ""
    if seconds < 90:
        return _("{count} s").format(count=round(seconds))
    return _("{count} min").format(count=round(seconds / 60))
