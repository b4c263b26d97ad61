"""Step 4: register, adapt, cancel; what the engine needs and how far it is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ProSTRegistrationLib.Bones.BonesRuns import isNothingPlaced
from ProSTRegistrationLib.EngineInstallation import EngineInstallation
from ProSTRegistrationLib.Install import Environment
from ProSTRegistrationLib.Nodes.Anatomy import contentKey
from ProSTRegistrationLib.Panel.Messages import (
    FAULT_STYLE,
    MISSING_STYLE,
    PLAIN_STYLE,
    Style,
    reveal,
    setVisible,
    showStatus,
)
from ProSTRegistrationLib.Panel.OtherPython import OtherPython
from ProSTRegistrationLib.Panel.SectionHeadings import UP_TO_START
from ProSTRegistrationLib.ProgressWords import secondsText, stageWords
from ProSTRegistrationLib.Selection import registrationConfig, roughRelation
from ProSTRegistrationLib.Worker.WorkerClient import WorkerError

if TYPE_CHECKING:
    from prostreg.errors import InputError
    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Situation import Situation
    from ProSTRegistrationLib.Worker.WorkerClient import OnFailure, OnProgress

PROGRESS_STEPS = 1000
BUSY = 0
"""A progress bar with this many steps shows that something is going on."""


class RegisterStep:
    """Starts and cancels the long tasks.

    Args:
        panel: Panel.

    Attributes:
        isEnding: a task was asked to end.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel, self._ui = panel, panel.ui
        self._message, self._style = "", PLAIN_STYLE
        self._engineText, self.isEnding = "", False
        self._hasNews = False
        self._adapted: tuple[object, str] = (None, "")
        self._asked: object = None
        ui = self._ui
        ui.registerButton.connect("clicked(bool)", lambda checked: self._registerOrCancel())
        ui.stopButton.connect("clicked(bool)", lambda checked: self.cancel(isKept=True))
        ui.adaptButton.connect("clicked(bool)", lambda checked: self._adaptOrCancel())
        ui.environmentButton.connect("clicked(bool)", lambda checked: self._checkOrCancel())
        ui.adaptGroup.connect("toggled(bool)", lambda isOpen: self._askAdapted())
        self._report = Environment.EnvironmentReport(False, "")
        self._installation = EngineInstallation(
            panel.logic.client, panel.attempt, self._showInstallation, self._sayFault
        )
        self._otherPython = OtherPython(panel, self._installation, self._showInstallation)

    def refresh(self, situation: Situation) -> None:
        """Brings widgets up to date."""
        ui = self._ui
        isRegistering, isReady = situation.isRegistering, situation.isReady
        isTracking = situation.isTracking
        isAdapting = situation.isBusy and not isRegistering and not isTracking
        canStart = isReady and not situation.isBusy and not self._panel.carm.isDraft
        cancel = _("Cancelling…") if self.isEnding else _("Cancel")
        ui.registerButton.text = cancel if isRegistering else _("Register")
        ui.registerButton.enabled = not self.isEnding if isRegistering else canStart
        setVisible(ui.stopButton, isRegistering or isTracking)
        ui.stopButton.text = _("Stop and &keep the frames so far") if isTracking else _("Stop and &keep what is shown")
        ui.stopButton.enabled = self._hasNews and not self.isEnding
        ui.adaptButton.text = cancel if isAdapting else _("Adapt")
        ui.adaptButton.enabled = not self.isEnding if isAdapting else situation.ct is not None and not situation.isBusy
        for widget in (ui.methodComboBox, ui.qualityComboBox, ui.deviceComboBox, ui.advancedGroup):
            widget.enabled = not situation.isBusy
        setVisible(ui.progressBar, situation.isBusy)
        missing = "" if isReady else _("Choose the images and press 'Use this C-arm' for every X-ray first.")
        if self._panel.carm.isDraft:
            missing = _("Step 2 shows values that are not used yet: press 'Use this C-arm' there.")
        if isAdapting:
            missing = _("The network is being adapted: cancel that below, or wait for its end.")
        if isTracking:
            missing = _("The run is being tracked: cancel that below, or wait for its end.")
        showStatus(ui.registerStatusLabel, missing, MISSING_STYLE)
        showStatus(ui.progressLabel, "" if isAdapting else self._message, self._style)
        isCurrent = self._adapted[0] == self._patient()
        known = self._adapted[1] if isCurrent else ""
        showStatus(ui.adaptedLabel, self._message if isAdapting else known, PLAIN_STYLE)
        if not isCurrent:
            self._askAdapted()
        ui.environmentLabel.text = self._engineText
        ui.environmentLabel.toolTip = self._report.details if self._engineText == self._report.text else ""
        check = _("Check") if self._report.isReady else _("Install...")
        ui.environmentButton.text = _("Cancel") if self._installation.isRunning else check
        self._otherPython.refresh(situation.isBusy)

    def makeReady(self, again: Callable[[], object]) -> bool:
        """True if the worker can work now; else begins to install, after asking, and calls ``again`` afterwards."""
        isThere = self._installation.makeReady(again)
        if not self._installation.isRunning:
            self._panel.later(self.lookAtEnvironment)
        return isThere

    def poll(self) -> None:
        """Follows an installation."""
        self._installation.poll()

    def stop(self) -> None:
        """For the end of the module."""
        self._installation.cancel()

    def lookAtEnvironment(self) -> None:
        """Says in the Environment line what is there and what is missing."""
        self._report = Environment.report()
        self._engineText = self._report.text
        self._panel.refreshSoon()

    def register(self) -> None:
        """Registers from where the CT lies now."""
        panel = self._panel
        if not self.makeReady(self.register):
            return
        self._start(
            lambda: panel.logic.register(
                panel.ctNode,
                panel.fluoroscopyNodes,
                panel.anatomy,
                registrationConfig(panel.parameters),
                everywhere=panel.parameters.searchEverywhere,
                relation=roughRelation(panel.parameters),
                onProgress=self._progressed,
                onDone=self._done,
                onError=self._failed,
            ),
            _("Bringing the images to the engine…"),
        )

    def say(self, text: str, style: Style = PLAIN_STYLE) -> None:
        """Shows a line below the button."""
        self._message, self._style = text, style
        self._panel.refreshSoon()

    def track(self, begin: Callable[[OnProgress, OnFailure], object]) -> None:
        """Has a run tracked, which tells its progress and its failure here."""
        if self.makeReady(lambda: self.track(begin)):
            self._start(lambda: begin(self._progressed, self._failed), _("Bringing the run to the engine…"))

    def _registerOrCancel(self) -> None:
        if self._panel.logic.isBusy:
            self.cancel()
        else:
            self.register()

    def _adaptOrCancel(self) -> None:
        panel = self._panel
        if self._panel.logic.isBusy:
            self.cancel()
            return
        if not self.makeReady(self._adaptOrCancel):
            return
        situation = panel.situation()
        placed = [] if situation.unplaced else list(situation.images)
        self._start(
            lambda: panel.logic.adapt(
                panel.ctNode,
                placed,
                panel.anatomy,
                panel.parameters.adaptMinutes,
                panel.parameters.seed,
                onProgress=self._progressed,
                onDone=self._adaptedDone,
                onError=self._failed,
            ),
            _("Bringing the CT to the engine…"),
        )

    def _start(self, begin: Callable[[], object], message: str) -> None:
        self.isEnding, self._hasNews = False, False
        self._ui.progressBar.maximum = BUSY
        if self._panel.attempt(begin, self._sayFault):
            self._panel.check.beginAttempt()
            self.say(message)
            if self._panel.logic.isRegistering:
                # Room for the result, which comes here.
                self._panel.headings.fold(UP_TO_START)
                reveal(self._ui.progressLabel, mayFocus=False)

    def cancel(self, isKept: bool = False) -> None:
        """Asks the task under way to end; ``isKept`` for a search whose best place so far is kept."""
        self.isEnding = True
        self.say(_("Ending the search; what was found so far is kept…") if isKept else _("Cancelling…"))
        self._panel.logic.cancel(isKept)

    def _progressed(self, progress: dict[str, Any]) -> None:
        bar, isRegistering = self._ui.progressBar, self._panel.logic.isRegistering
        self._hasNews = True
        bar.maximum = PROGRESS_STEPS
        bar.value = round(PROGRESS_STEPS * progress["fraction"])
        if not self.isEnding:
            parts = [stageWords(progress["stage"]) if isRegistering else progress["message"]]
            parts = [text for text in (progress.get("bone"), *parts) if text]
            if progress.get("seconds_left") is not None:
                parts.append(_("{time} left").format(time=secondsText(progress["seconds_left"])))
            self.say(" · ".join(parts))
        if isRegistering:
            self._panel.check.showBestSoFar(progress)

    def _done(self, result: dict[str, Any]) -> None:
        if result.get("stopped") == "cancelled":
            self.say(_("Cancelled; the start pose is unchanged."))
        elif result.get("stopped") == "kept":
            self.say(_("Stopped; the best pose so far is kept."))
        elif isNothingPlaced(result):
            self.say(_("The CT stays at its start pose."))
        else:
            self.say(_("Ended after {time}.").format(time=secondsText(result["seconds"])))
        self._panel.check.endAttempt(result)

    def _failed(self, error: InputError | WorkerError) -> None:
        if getattr(error, "kind", "") == "stopped":
            self.say(_("Cancelled; nothing was changed."))
        else:
            self.say("\n".join(error.faults), FAULT_STYLE)
            if isinstance(error, WorkerError) and error.details:
                logging.error("ProSTRegistration: %s", error.details)
        self._panel.check.endAttempt(None)

    def _adaptedDone(self, answer: dict[str, Any]) -> None:
        self.say(_("The network is adapted to this patient."))
        self._panel.check.endAttempt(None)
        self._adapted, self._asked = (None, ""), None
        self._panel.refreshSoon()

    def _patient(self) -> tuple[object, ...] | None:
        """The patient that weights are adapted to: CT and anatomy."""
        if self._panel.ctNode is None:
            return None
        anatomy = self._panel.anatomy
        return contentKey(self._panel.ctNode), contentKey(anatomy.node), anatomy

    def _askAdapted(self) -> None:
        """Asks whether adapted weights exist, once for each CT and anatomy."""
        panel, patient = self._panel, self._patient()
        isWanted = patient is not None and not self._ui.adaptGroup.collapsed and panel.situation().hasImages
        if not isWanted or self._panel.logic.isBusy or not self._report.isReady or patient == self._asked:
            return
        self._asked = patient
        panel.attempt(
            lambda: panel.logic.askAdapted(
                panel.ctNode, panel.anatomy, lambda answer: self._tellAdapted(patient, answer)
            ),
            self._sayFault,
        )

    def _tellAdapted(self, patient: object, answer: dict[str, Any]) -> None:
        if answer["exists"]:
            text = _("Adapted to this CT and anatomy: {title}").format(title=answer["title"])
        else:
            text = answer.get("fault") or _(
                "Not adapted to this CT yet. Ten minutes, best done before the operation, find far starts reliably."
            )
        self._adapted = patient, text
        self._panel.refreshSoon()

    def _showInstallation(self, text: str) -> None:
        self._engineText = text
        if not text:
            self.lookAtEnvironment()
        self._panel.refreshSoon()

    def _checkOrCancel(self) -> None:
        if self._installation.isRunning:
            self._installation.cancel()
        elif self._installation.makeReady(self._checkEngine, withWanted=True):
            self._checkEngine()
        self._panel.refreshSoon()

    def _checkEngine(self) -> None:
        if self.makeReady(self._checkEngine):
            self._engineText = _("Checking…")
            device = self._panel.parameters.device.value
            self._panel.logic.checkEngine(device, self._tellEngine, self._failed)
            self._panel.refreshSoon()

    def _tellEngine(self, answer: dict[str, Any]) -> None:
        self._engineText = answer["verdict"]
        self._panel.refreshSoon()

    def _sayFault(self, text: str) -> None:
        if text:
            self.say(text, FAULT_STYLE)
