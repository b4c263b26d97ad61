"""Gives the engine a Python that has what it needs meanwhile: asked for, shown, and ended by a person."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ProSTRegistrationLib.Install import Environment
from ProSTRegistrationLib.Install.EnginePython import PythonCheck
from ProSTRegistrationLib.ProgressWords import secondsText

if TYPE_CHECKING:
    from ProSTRegistrationLib.Install.PackageInstaller import Installation
    from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient

LINE_LENGTH = 100


class EngineInstallation:
    """At most one installation, or look at another Python, at a time.

    Args:
        client: WorkerClient, which starts anew with what has come.
        attempt: does something and tells its faults, as Panel.attempt.
        show: called with the progress as text, "" when there is none any more.
        sayFault: called with a fault as text.
    """

    def __init__(
        self,
        client: WorkerClient,
        attempt: Callable[[Callable[[], object], Callable[[str], object]], bool],
        show: Callable[[str], object],
        sayFault: Callable[[str], object],
    ) -> None:
        self._client, self._attempt, self._show, self._sayFault = client, attempt, show, sayFault
        self._work: Installation | PythonCheck | None = None
        self._conclude: Callable[[], object] = lambda: None
        self._again: Callable[[], object] = lambda: None
        self._words, self._startedS, self._shown = "", 0.0, ""

    @property
    def isRunning(self) -> bool:
        """True while pip is at work, or another Python is looked at."""
        return self._work is not None

    def makeReady(self, again: Callable[[], object], withWanted: bool = False) -> bool:
        """True if the worker can work now; else asks, begins to install, and calls ``again`` once all is there."""
        return self._attempt(lambda: self._install(again, withWanted), self._sayFault) and not self.isRunning

    def usePython(self, path: str, tell: Callable[[str], object]) -> None:
        """Looks at another Python and has the engine run in it from then on; ``tell`` gets what that says of itself."""
        check = PythonCheck(path)

        def use() -> None:
            check.conclude()
            self._client.restart()

        self._begin(check, _("Looking at {names}, {time} so far"), use, lambda: tell(check.verdict))

    def poll(self) -> None:
        """Shows how far it is, and goes on when it has ended."""
        work = self._work
        if work is None:
            return
        work.poll()
        if work.isRunning:
            self._tell(work)
            return
        self._work, self._shown = None, ""
        self._show("")
        if work.isCancelled:
            self._sayFault(_("It was cancelled; nothing in the scene was changed."))
        elif self._attempt(self._conclude, self._sayFault):
            self._again()

    def cancel(self) -> None:
        """Ends what goes on; poll() tells it."""
        if self._work is not None:
            self._work.cancel()

    def _install(self, again: Callable[[], object], withWanted: bool) -> None:
        if self._work is not None:
            raise Environment.EnvironmentFault(
                _("The engine is being made ready just now: wait until that has ended, or cancel it.")
            )
        begun = Environment.begin(withWanted=withWanted)
        if begun is not None:
            self._begin(begun, _("Installing {names}, {time} so far"), lambda: self._installed(begun), again)

    def _installed(self, installation: Installation) -> None:
        self._client.restart()
        try:
            Environment.conclude(installation)
        except Environment.EnvironmentFault as error:
            logging.error("ProSTRegistration: installing failed: %s", error.details)
            raise

    def _begin(
        self,
        work: Installation | PythonCheck,
        words: str,
        conclude: Callable[[], object],
        again: Callable[[], object],
    ) -> None:
        self._work, self._words, self._startedS = work, words, time.monotonic()
        self._conclude, self._again = conclude, again

    def _tell(self, work: Installation | PythonCheck) -> None:
        seconds = secondsText(int(time.monotonic() - self._startedS))
        line = "".join(work.lastLines(1))[:LINE_LENGTH]
        text = self._words.format(names=work.names, time=seconds)
        text = f"{text}\n{line}" if line else text
        if text != self._shown:
            self._shown = text
            self._show(text)
