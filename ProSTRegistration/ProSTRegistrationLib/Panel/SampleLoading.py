"""Loads a sample case in the background, step by step, and chooses its nodes."""

import tempfile
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ProSTRegistrationLib.SampleDataSets import loadSampleCase


class SampleLoading:
    """The two sample buttons.

    Args:
        panel: Panel.
        say: called with a text for the status line; "" when there is nothing to say.
    """

    def __init__(self, panel, say):
        self._panel, self._say = panel, say
        self.isRunning = False

    def start(self, kind):
        """Begins to make a sample ("spine" or "phantom"); ends by choosing its nodes."""
        if self.isRunning or not self._panel.register.makeReady():
            return
        self.isRunning = True
        folder = Path(tempfile.mkdtemp(prefix="prostreg-sample-", dir=slicer.app.temporaryPath))
        self._say(
            _("Downloading and simulating the sample; this takes about half a minute…")
            if kind == "spine"
            else _("Making the phantom…")
        )
        self._panel.logic.makeSample(kind, folder, self._made, self._failed)

    def _made(self, answer):
        self.isRunning = False
        self._panel.attempt(lambda: self._load(answer["case"]), self._say)

    def _load(self, casePath):
        nodes = loadSampleCase(self._panel.scene, Path(casePath))
        parameters = self._panel.parameters
        with slicer.util.NodeModify(parameters.parameterNode):
            parameters.ct, parameters.anatomy, parameters.anatomyParts = nodes.ct, nodes.anatomy, nodes.parts
            parameters.fluoroscopy, parameters.secondView, parameters.thirdView = nodes.fluoroscopy, None, None
            parameters.ctLandmarks = nodes.landmarks
            parameters.startedBy = _("sample")
            parameters.sliderReference = ""
        self._panel.check.showViews()

    def _failed(self, error):
        self.isRunning = False
        self._say(str(error))
