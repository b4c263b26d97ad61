"""Loads a sample case in the background, step by step, and chooses its nodes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ProSTRegistrationLib.Panel.SectionHeadings import UP_TO_CARM
from ProSTRegistrationLib.SampleDataSets import loadSampleCase

if TYPE_CHECKING:
    from prostreg.errors import InputError
    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Worker.WorkerClient import WorkerError


class SampleLoading:
    """The two sample buttons.

    Args:
        panel: Panel.
        say: called with a text for the status line; "" when there is nothing to say.
    """

    def __init__(self, panel: Panel, say: Callable[[str], object]) -> None:
        self._panel, self._say = panel, say
        self.isRunning = False

    def start(self, kind: str) -> None:
        """Begins to make a sample ("spine" or "phantom"); ends by choosing its nodes."""
        if self.isRunning or not self._panel.register.makeReady(lambda: self.start(kind)):
            return
        self.isRunning = True
        folder = Path(tempfile.mkdtemp(prefix="prostreg-sample-", dir=slicer.app.temporaryPath))
        self._say(
            _("Downloading and simulating the sample; this takes about half a minute…")
            if kind == "spine"
            else _("Making the phantom…")
        )
        self._panel.logic.makeSample(kind, folder, self._made, self._failed)

    def _made(self, answer: dict[str, Any]) -> None:
        self.isRunning = False
        self._panel.attempt(lambda: self._load(answer["case"]), self._say)

    def _load(self, casePath: str) -> None:
        nodes = loadSampleCase(self._panel.scene, Path(casePath))
        parameters = self._panel.parameters
        with slicer.util.NodeModify(parameters.parameterNode):
            parameters.ct, parameters.anatomy, parameters.anatomyParts = nodes.ct, nodes.anatomy, nodes.parts
            parameters.fluoroscopy, parameters.secondView, parameters.thirdView = nodes.fluoroscopy, None, None
            parameters.ctLandmarks = None
            parameters.startedBy = _("sample")
            parameters.sliderReference = ""
        self._panel.check.showViews()
        self._panel.headings.fold(UP_TO_CARM)

    def _failed(self, error: InputError | WorkerError) -> None:
        self.isRunning = False
        self._say(str(error))
