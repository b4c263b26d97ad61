"""Installs what the engine lacks while the panel goes on: asked for, shown, and ended by a person."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ProSTRegistrationLib.Install import Environment
from ProSTRegistrationLib.Panel.Messages import secondsText

if TYPE_CHECKING:
    from ProSTRegistrationLib.Install.PackageInstaller import Installation
    from ProSTRegistrationLib.Panel.Panel import Panel

LINE_LENGTH = 100


class EngineInstallation:
    """At most one installation at a time.

    Args:
        panel: Panel.
        show: called with the progress as text, "" when there is none any more.
        sayFault: called with a fault as text.
    """

    def __init__(self, panel: Panel, show: Callable[[str], object], sayFault: Callable[[str], object]) -> None:
        self._panel, self._show, self._sayFault = panel, show, sayFault
        self._installation: Installation | None = None
        self._again: Callable[[], object] = lambda: None
        self._startedS, self._shown = 0.0, ""

    @property
    def isRunning(self) -> bool:
        """True while pip is at work."""
        return self._installation is not None

    def makeReady(self, again: Callable[[], object], withWanted: bool = False) -> bool:
        """True if the worker can work now; else asks, begins to install, and calls ``again`` once all is there."""
        return self._panel.attempt(lambda: self._begin(again, withWanted), self._sayFault) and not self.isRunning

    def poll(self) -> None:
        """Shows how far pip is, and goes on when it has ended."""
        installation = self._installation
        if installation is None:
            return
        installation.poll()
        if installation.isRunning:
            self._tell(installation)
            return
        self._installation, self._shown = None, ""
        self._show("")
        if installation.isCancelled:
            self._sayFault(_("The installation was cancelled; nothing in the scene was changed."))
        elif self._panel.attempt(lambda: self._conclude(installation), self._sayFault):
            self._again()

    def cancel(self) -> None:
        """Ends pip; poll() tells it."""
        if self._installation is not None:
            self._installation.cancel()

    def _begin(self, again: Callable[[], object], withWanted: bool) -> None:
        if self._installation is not None:
            raise Environment.EnvironmentFault(
                _("Python packages are being installed just now: wait until that has ended, or cancel it.")
            )
        self._installation = Environment.begin(withWanted=withWanted)
        self._again, self._startedS = again, time.monotonic()

    def _conclude(self, installation: Installation) -> None:
        self._panel.logic.client.restart()
        try:
            Environment.conclude(installation)
        except Environment.EnvironmentFault as error:
            logging.error("ProSTRegistration: installing failed: %s", error.details)
            raise

    def _tell(self, installation: Installation) -> None:
        seconds = secondsText(int(time.monotonic() - self._startedS))
        line = "".join(installation.lastLines(1))[:LINE_LENGTH]
        text = _("Installing {names}, {time} so far").format(names=installation.names, time=seconds)
        text = f"{text}\n{line}" if line else text
        if text != self._shown:
            self._shown = text
            self._show(text)
