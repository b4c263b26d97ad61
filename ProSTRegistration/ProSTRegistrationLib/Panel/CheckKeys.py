"""Keys for what is done while looking at the pictures and not at the panel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import qt
import slicer

from ProSTRegistrationLib.ParameterNode import OverlayChoice

if TYPE_CHECKING:
    from ProSTRegistrationLib.Panel.Panel import Panel

OPACITY_STEP = 10.0


class CheckKeys:
    """Shortcuts of Slicer's main window, where there is one.

    Args:
        panel: Panel.
        areViewsShown: tells whether the keys of the overlay do something.
    """

    def __init__(self, panel: Panel, areViewsShown: Callable[[], bool]) -> None:
        self._panel, ui = panel, panel.ui
        self._shortcuts: list[qt.QShortcut] = []
        if slicer.util.mainWindow() is None:
            return
        for number, choice in enumerate(OverlayChoice, start=1):
            self._add(f"Alt+{number}", partial(self._choose, choice), areViewsShown)
        # Slicer goes through its modules by Alt with an arrow.
        for key, step in (("Alt+PgDown", -OPACITY_STEP), ("Alt+PgUp", OPACITY_STEP)):
            self._add(key, partial(self._addOpacity, step), areViewsShown)
        for key, button in (("Alt+R", ui.registerButton), ("Alt+A", ui.acceptButton), ("Alt+J", ui.rejectButton)):
            self._add(key, button.click, lambda: panel.isEntered)

    def stop(self) -> None:
        """Gives the keys back, for the end of the module."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()

    def _add(self, key: str, action: Callable[[], object], isLive: Callable[[], bool]) -> None:
        shortcut = qt.QShortcut(qt.QKeySequence(key), slicer.util.mainWindow())
        shortcut.connect("activated()", lambda: action() if isLive() else None)
        self._shortcuts.append(shortcut)

    def _choose(self, choice: OverlayChoice) -> None:
        self._panel.parameters.overlayKind = choice

    def _addOpacity(self, step: float) -> None:
        parameters = self._panel.parameters
        parameters.overlayOpacity = min(100.0, max(0.0, parameters.overlayOpacity + step))
