"""The panel's lines, tables and widgets as they come and go: status lines, what is hidden, scrolled to or saved."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

if TYPE_CHECKING:
    from ProSTRegistrationLib.Panel.Panel import Panel

Style = tuple[str, ...]

MISSING_STYLE: Style = ("#8a5a00", "#ffb74d")
FAULT_STYLE: Style = ("#b3261e", "#ff8a80")
PLAIN_STYLE: Style = ()
"""Inks on light and on dark desktops; none is the desktop's own."""

CSV = "CSV (*.csv)"
ENDING = re.compile(r"\*(\.\w+)")
"""Of a kind of files, as dialogs name it."""

TOLD_MS = 8000
"""How long Slicer's status bar tells what was done."""

BREAKABLE = re.compile(r"(?<=[_.-])(?=\w)")
"""Where long names have no room on one line, Qt breaks them at slashes by itself."""

LONGEST_WORD = 30
WANTED_PROPERTY = "ProSTRegistration.isVisible"


def showStatus(label: Any, text: str, style: Style = MISSING_STYLE) -> None:
    """Shows a text in a status line, which takes no room without one."""
    isDark = slicer.app.palette().color(qt.QPalette.Window).lightness() < 128
    css = f"color: {style[isDark]};" if style else ""
    text = " ".join(BREAKABLE.sub("\u200b", word) if len(word) > LONGEST_WORD else word for word in text.split(" "))
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


def prepareTable(table: Any, headings: Sequence[str], wideColumns: Collection[int], toolTip: str = "") -> None:
    """Gives a table its headings and rows as high as their texts; the wide columns share the room that is left."""
    table.setColumnCount(len(headings))
    table.setHorizontalHeaderLabels(headings)
    header = table.horizontalHeader()
    header.toolTip = toolTip
    # Bold headings would be wider than a narrow panel.
    header.setHighlightSections(False)
    for column in range(len(headings)):
        isWide = column in wideColumns
        header.setSectionResizeMode(column, qt.QHeaderView.Stretch if isWide else qt.QHeaderView.ResizeToContents)
    table.verticalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
    table.verticalHeader().setVisible(False)


def saveAs(
    panel: Panel, title: str, usual: str, kinds: str, write: Callable[[Path], object], say: Callable[[str], object]
) -> None:
    """Asks for a file and writes it, as the usual kind where its name does not tell one; tells faults by ``say``."""
    name = qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, usual, kinds)
    if not name:
        return
    path = Path(name)
    if path.suffix.lower() not in ENDING.findall(kinds):
        path = path.with_name(path.name + Path(usual).suffix)
        # The dialog has asked about the name that was typed, not about this one.
        if path.exists():
            say(_("{path} is there already: choose it by its whole name to replace it.").format(path=path))
            return
    if panel.attempt(lambda: write(path), say):
        slicer.util.showStatusMessage(_("Saved: {path}").format(path=path), TOLD_MS)


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
