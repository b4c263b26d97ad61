"""The run of which the first X-ray shows a frame: tracking it, what came of that, and frames in step with the CT."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ProSTRegistrationLib.Jobs import Callbacks
from ProSTRegistrationLib.Nodes.DicomCArm import slicerDatabase
from ProSTRegistrationLib.Nodes.RunFrames import frameOf, frameTotal, runOf, showFrame
from ProSTRegistrationLib.Panel.Messages import CSV, PLAIN_STYLE, saveAs, setVisible, showStatus
from ProSTRegistrationLib.Selection import registrationConfig, roughRelation
from ProSTRegistrationLib.Tracking.TrackBrowsing import trackBrowserOf
from ProSTRegistrationLib.Tracking.TrackedFrameState import TrackReader
from ProSTRegistrationLib.Tracking.TrackFiles import saveTrack
from ProSTRegistrationLib.Tracking.TrackJob import TrackJob
from ProSTRegistrationLib.Tracking.TrackPlots import plotCharts
from ProSTRegistrationLib.Tracking.TrackWords import (
    asideWords,
    endWords,
    frameLegend,
    frameText,
    progressWords,
    summaryWords,
)
from ProSTRegistrationLib.Validity import isKept
from ProSTRegistrationLib.WhatNext import REGISTER_BUTTON

if TYPE_CHECKING:
    from ProSTRegistrationLib.Panel.CheckStep import CheckStep
    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Situation import Situation
    from ProSTRegistrationLib.Validity import Validity
    from ProSTRegistrationLib.Worker.WorkerClient import OnFailure, OnProgress


class TrackGroup:
    """Tracks runs, and shows what a track says of the frame at hand.

    Args:
        panel: Panel.
        check: CheckStep, which knows the current attempt and says faults.

    Attributes:
        legend: the place of the CT in words, "" where the frame at hand is not judged by its track.
        isAside: the track has put the CT aside in this frame, and step 3 says how to go on.
        nextButton: name of the button to press next in a frame that is judged by its track; "" where none is.
    """

    def __init__(self, panel: Panel, check: CheckStep) -> None:
        self._panel, self._ui, self._check = panel, panel.ui, check
        self._reader = TrackReader()
        self._statuses: dict[int, str] = {}
        self._inStep: tuple[object, int] = (None, 0)
        self.legend, self.nextButton, self.isAside, self._isFilling = "", "", False, False
        self._ui.trackButton.connect("clicked(bool)", lambda checked: self._trackOrCancel())
        self._ui.trackFrameSlider.connect("valueChanged(double)", lambda number: self._browse(round(number) - 1))
        self._ui.saveTrackButton.connect("clicked(bool)", lambda checked: self._save())
        self._ui.trackPlotsButton.connect("clicked(bool)", self._showPlots)

    def refresh(self, situation: Situation, shown: dict[str, Any] | None, validity: Validity) -> bool:
        """Brings widgets up to date; True where the frame at hand is judged by its track and by no registration.

        Args:
            shown: the current attempt, and ``validity`` of its verdict.
        """
        ui, isTracking = self._ui, situation.isTracking
        state = self._reader.read(self._panel.scene, situation)
        if state is not None and not situation.isBusy:
            self._keepInStep(situation)
        run = runOf(situation.images[0]) if situation.images else None
        isOfRun = run is not None and frameTotal(run) > 1
        setVisible(ui.runGroup, isOfRun and (shown is not None or state is not None))
        isOneBody = not situation.anatomy.movesInParts and shown is not None and shown["bone"] is None
        isFound = isKept(shown, validity) and shown is not None and shown["status"] != "failed"
        isKnown = roughRelation(self._panel.parameters) is None
        canStart = isFound and isOneBody and isKnown and not situation.isBusy
        ending = _("Cancelling…") if self._panel.register.isEnding else _("Cancel")
        ui.trackButton.text = ending if isTracking else _("Track the run")
        ui.trackButton.enabled = not self._panel.register.isEnding if isTracking else canStart
        setVisible(ui.saveTrackButton, state is not None)
        setVisible(ui.trackPlotsButton, state is not None)
        ui.trackPlotsButton.checked = self._check.views.arePlotsShown
        setVisible(ui.trackFrameSlider, state is not None)
        ui.trackFrameSlider.enabled = not situation.isBusy
        if state is not None:
            self._isFilling = True
            ui.trackFrameSlider.maximum = state.kept.track.frames_in_run
            ui.trackFrameSlider.value = state.number
            self._isFilling = False
        ui.saveTrackButton.enabled = not situation.isBusy
        isJudged = state is not None and state.isValid
        # Where a registration of this very frame is valid, its verdict stands above already.
        isTold = state is not None and not (validity.isValid and shown is not None)
        showStatus(ui.trackFrameLabel, frameText(state) if isTold else "", PLAIN_STYLE)
        missing = "" if canStart or situation.isBusy else _missingWords(isOneBody, isKnown)
        showStatus(ui.trackLabel, missing if state is None else summaryWords(state.kept.track), PLAIN_STYLE)
        ui.trackButton.toolTip = missing or _("Follows the bone from this frame through all others, both ways")
        self.isAside = bool(asideWords(state)) and not situation.isBusy
        self.legend = frameLegend(state) if isJudged and isTold and state is not None else ""
        isDoubted = state is not None and state.frame is not None and state.frame.status == "uncertain"
        self.nextButton = REGISTER_BUTTON if isJudged and isTold and isDoubted and not situation.isBusy else ""
        return isJudged and isTold

    def _keepInStep(self, situation: Situation) -> None:
        """The X-rays show the frame that the run's browser shows, whichever of them was changed."""
        image = situation.images[0]
        browser, index = trackBrowserOf(self._panel.scene, image), frameOf(image)
        if browser is None or index is None:
            return
        self._panel.observe(browser, "ModifiedEvent", self._panel.refreshSoon)
        item = int(browser.GetSelectedItemNumber())
        if self._inStep == (image, index) and item != index and item >= 0:
            index = item
        self._inStep = image, index
        changed = [node for node in situation.images if runOf(node) is not None and frameOf(node) != index]
        for node in changed:
            self._panel.attempt(partial(showFrame, node, index, slicerDatabase()), self._check.sayFault)
        if item != index:
            browser.SetSelectedItemNumber(index)
        if changed or item != index:
            self._panel.refreshSoon()

    def _browse(self, index: int) -> None:
        """Shows another frame; the others' frames and the CT come along when the panel is brought up to date."""
        node = self._panel.parameters.fluoroscopy if self._panel.parameters is not None else None
        if not self._isFilling and runOf(node) is not None and index != frameOf(node):
            self._panel.attempt(partial(showFrame, node, index, slicerDatabase()), self._check.sayFault)
            self._panel.refreshSoon()

    def _trackOrCancel(self) -> None:
        if self._panel.logic.isBusy:
            self._panel.register.cancel()
        else:
            self._panel.register.track(self._begin)

    def _begin(self, onProgress: OnProgress, onError: OnFailure) -> None:
        panel, situation, shown = self._panel, self._panel.situation(), self._check.shown()
        if shown is None or situation.judged is None:
            return
        self._statuses.clear()

        def progressed(progress: dict[str, Any]) -> None:
            self._statuses[progress["frame"]] = progress["status"]
            onProgress({**progress, "message": progressWords(self._statuses, progress)})

        panel.logic.begin(
            TrackJob,
            [situation.ct, *situation.images],
            situation.anatomy,
            Callbacks(progressed, self._done, onError),
            scene=panel.scene,
            config=registrationConfig(panel.parameters),
            attempt=shown,
            inputs=situation.judged,
        )

    def _done(self, answer: dict[str, Any]) -> None:
        self._panel.register.say(endWords(answer))
        self._check.endAttempt(None)

    def _showPlots(self, isOn: bool) -> None:
        images = self._panel.situation().images
        charts = plotCharts(self._panel.scene, images[0]) if isOn and images else {}
        self._panel.attempt(lambda: self._check.views.showPlots(charts), self._check.sayFault)
        self._panel.refreshSoon()

    def _save(self) -> None:
        state = self._reader.read(self._panel.scene, self._panel.situation())
        if state is not None:
            kinds, track = f"{CSV};;Autoscoper (*.tra)", state.kept.track
            say = self._check.sayFault
            saveAs(self._panel, _("Save the track"), "track.csv", kinds, lambda path: saveTrack(path, track), say)


def _missingWords(isOneBody: bool, isRelationKnown: bool) -> str:
    """The thing that has to be done before a run can be tracked."""
    if not isOneBody:
        return _("Bones that move by themselves are not tracked: choose one part of the anatomy, and register it.")
    if not isRelationKnown:
        return _("X-rays whose relation is only roughly known are not tracked together: choose one, and register it.")
    return _("Accept a result in this frame first; the others are found from it.")
