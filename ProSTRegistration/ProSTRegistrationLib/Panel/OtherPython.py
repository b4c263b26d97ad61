"""The button that gives the engine another Python, or Slicer's again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ProSTRegistrationLib.Install.EnginePython import choosePath, chosenPath

if TYPE_CHECKING:
    from ProSTRegistrationLib.EngineInstallation import EngineInstallation
    from ProSTRegistrationLib.Panel.Panel import Panel


class OtherPython:
    """One setting of this user on this computer.

    Args:
        panel: Panel.
        installation: EngineInstallation, which looks at what was chosen.
        show: called with the environment's line, "" for what it says by itself.
    """

    def __init__(self, panel: Panel, installation: EngineInstallation, show: Callable[[str], object]) -> None:
        self._panel, self._installation, self._show = panel, installation, show
        panel.ui.pythonButton.connect("clicked(bool)", lambda checked: self._clicked())

    def refresh(self, isBusy: bool) -> None:
        """Brings the button up to date."""
        button = self._panel.ui.pythonButton
        button.text = _("Back to Slicer's") if chosenPath() else _("Other Python...")
        button.enabled = not isBusy and not self._installation.isRunning

    def _clicked(self) -> None:
        if chosenPath():
            choosePath("")
            self._panel.logic.client.restart()
            self._show("")
            return
        path = self._asked()
        if path:
            self._installation.usePython(path, self._show)
            self._panel.refreshSoon()

    def _asked(self) -> str:
        dialog = qt.QFileDialog(slicer.util.mainWindow(), _("The file of a Python for the engine"))
        dialog.setFileMode(qt.QFileDialog.ExistingFile)
        # A virtual environment's Python is a link to another one, which does not know its packages.
        dialog.setOption(qt.QFileDialog.DontResolveSymlinks, True)
        accepted = dialog.exec_()
        files = dialog.selectedFiles()
        dialog.deleteLater()
        return files[0] if accepted and files else ""
