"""Step 3: where the search begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import qt
import slicer
from numpy.typing import NDArray
from slicer.i18n import tr as _

from prostreg.errors import InputError
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.CArmSettings import settingsOf
from ProSTRegistrationLib.Nodes.NodeGeometry import worldFromNode
from ProSTRegistrationLib.Panel.LandmarksGroup import LandmarksGroup
from ProSTRegistrationLib.Panel.Messages import FAULT_STYLE, MISSING_STYLE, PLAIN_STYLE, showStatus
from ProSTRegistrationLib.PoseDrag import PoseDrag, deeper
from ProSTRegistrationLib.PoseHistory import SAME_POSE, KeptPose, PoseHistory
from ProSTRegistrationLib.StartPose import (
    PatientPlace,
    PoseSliders,
    depthInSightMm,
    keptReference,
    placedAtIsocentre,
    referenceText,
    standardViewPose,
)
from ProSTRegistrationLib.StartSight import sightOf
from ProSTRegistrationLib.Tracking.TrackedFrameState import TrackReader
from ProSTRegistrationLib.Tracking.TrackWords import asideWords
from ProSTRegistrationLib.Views.PoseHandles import showHandles
from ProSTRegistrationLib.WhatNext import REGISTER_BUTTON

if TYPE_CHECKING:
    from slicer import vtkMRMLLinearTransformNode, vtkMRMLNode

    from prostreg.geometry.frames import Matrix
    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Situation import Situation
    from ProSTRegistrationLib.Views.MouseGrab import Grip


REST_MS = 400
"""A pose that stays so long is one to come back to."""


class StartPoseStep:
    """Moves the CT by standard views, mouse, handles, sliders and landmarks; the live DRR follows.

    Args:
        panel: Panel.

    Attributes:
        nextButton: name of the button to press next, "" while landmarks are marked.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel, self._ui = panel, panel.ui
        self._fault, self._isShowing = "", False
        self.nextButton = REGISTER_BUTTON
        self._handled: vtkMRMLLinearTransformNode | None = None
        self._place = PatientPlace()
        self._drag: PoseDrag | None = None
        self._history = PoseHistory()
        self._historyOf: vtkMRMLNode | None = None
        self._rest = qt.QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.connect("timeout()", self.notePose)
        self._landmarks = LandmarksGroup(panel, self)
        self._track = TrackReader()
        ui = self._ui
        self._sliders = (
            ui.shiftUSlider, ui.shiftVSlider, ui.depthSlider, ui.tiltUSlider, ui.tiltVSlider, ui.inPlaneSlider,
        )  # fmt: skip
        for index, slider in enumerate(self._sliders):
            slider.connect("valueChanged(double)", lambda value, index=index: self._slid(index, value))
        ui.standardViewButton.connect("clicked(bool)", lambda checked: self.setStandardView())
        ui.handlesCheckBox.connect("toggled(bool)", lambda checked: self._showHandles())
        ui.mouseCheckBox.connect("toggled(bool)", lambda checked: panel.refreshSoon())
        ui.poseUndoButton.connect("clicked(bool)", lambda checked: self._goBack(PoseHistory.undo))
        ui.poseRedoButton.connect("clicked(bool)", lambda checked: self._goBack(PoseHistory.redo))
        ui.poseResetButton.connect("clicked(bool)", lambda checked: self._moveByHand(self._reference))

    def refresh(self, situation: Situation) -> None:
        """Brings widgets up to date."""
        isReady = situation.isFree
        ui = self._ui
        for widget in (
            *self._sliders, ui.standardViewButton, ui.mouseCheckBox, ui.handlesCheckBox, ui.searchEverywhereCheckBox,
        ):  # fmt: skip
            widget.enabled = isReady
        self._landmarks.refresh(situation)
        self.nextButton = self._landmarks.nextButton
        ui.handlesCheckBox.checked = ui.handlesCheckBox.checked and isReady
        self._showHandles()
        if situation.isReady:
            self._panel.observe(situation.ct, "TransformModifiedEvent", self._moved)
            self._showValues()
            points = self._place.pointsMm(self._panel.scene, situation.ct, situation.anatomy)
            sight, isMissed = sightOf(situation.images, self._pose(), points)
            # Nobody has moved it there by mistake.
            sight = asideWords(self._track.read(self._panel.scene, situation)) or sight
            if isMissed and self.nextButton == REGISTER_BUTTON and not self._panel.parameters.searchEverywhere:
                self.nextButton = "standardViewButton"
            status = (self._fault, FAULT_STYLE) if self._fault else (sight, MISSING_STYLE if isMissed else PLAIN_STYLE)
        else:
            status = "", PLAIN_STYLE  # the steps above say what is missing
        showStatus(ui.startStatusLabel, *status)
        self._refreshHistory(situation)

    def startWhereThePatientLies(self) -> None:
        """Puts a CT that was never moved into the isocentre, as the C-arm's angles see a supine patient."""
        panel = self._panel
        if panel.situation().isReady and panel.ctNode.GetParentTransformNode() is None:
            carm = carmOf(panel.fluoroscopyNodes[0])
            pose = placedAtIsocentre(carm, self.centreMm(), settingsOf(panel.fluoroscopyNodes[0]).sodMm)
            self.begin(pose, _("C-arm's angles"))

    def setStandardView(self) -> None:
        """Shows the CT as in a usual radiograph."""
        view = self._panel.parameters.standardView

        def move() -> None:
            node = self._panel.fluoroscopyNodes[0]
            pose = standardViewPose(carmOf(node), view.value, self.centreMm(), settingsOf(node).sodMm)
            self.begin(pose, view.label())

        self._panel.attempt(move, self.tellFault)

    def begin(self, worldFromVolume: Matrix, startedBy: str) -> None:
        """Starts anew from a pose: the sliders count from here.

        Args:
            startedBy: how this start was found, for the table of attempts.
        """
        panel = self._panel
        self.notePose()
        with slicer.util.NodeModify(panel.parameters.parameterNode):
            self._keepReference(worldFromVolume)
            panel.parameters.startedBy = startedBy
        self._move(worldFromVolume)
        self.notePose()

    def grab(self, grip: Grip, placeMm: NDArray[np.float64]) -> None:
        """Takes hold of the bone at a place (3,) in the world, in the X-ray that is shown."""
        carm = carmOf(self._panel.situation().shownImage)
        self._drag = PoseDrag(self._pose(), carm, self.centreMm(), grip, placeMm)

    def drag(self, placeMm: NDArray[np.float64]) -> None:
        """Brings the bone along to a place (3,)."""
        held = self._drag
        if held is not None:
            self._moveByHand(lambda: held.at(placeMm))

    def deepen(self, steps: int) -> None:
        """Moves the bone away from the source by some steps, or towards it below 0."""
        carm = carmOf(self._panel.situation().shownImage)
        self._moveByHand(lambda: deeper(self._pose(), carm, self.centreMm(), steps))

    def notePose(self) -> None:
        """Keeps the pose of now in the history."""
        situation, parameters = self._panel.situation(), self._panel.parameters
        self._rest.stop()
        if situation.pose is not None and situation.ct is self._historyOf:
            self._history.note(KeptPose(situation.pose, parameters.startedBy, parameters.sliderReference))
            self._panel.refreshSoon()

    def centreMm(self) -> NDArray[np.float64]:
        """The anatomy's centre (3,) in the CT's own frame.

        Raises:
            InputError: CT or anatomy cannot be used.
        """
        return self._place.centreMm(self._panel.scene, self._panel.ctNode, self._panel.anatomy)

    def depthMm(self, situation: Situation) -> float | None:
        """The depth of the anatomy's middle in the X-ray that is shown; None where the X-ray shows nothing of it.

        Raises:
            InputError: CT or anatomy cannot be used.
        """
        points = self._place.pointsMm(self._panel.scene, situation.ct, situation.anatomy)
        return depthInSightMm(carmOf(situation.shownImage), self._pose(), self.centreMm(), points)

    def tellFault(self, text: str) -> None:
        """Shows what went wrong; "" if nothing did."""
        self._fault = text
        self._panel.refreshSoon()

    def leave(self) -> None:
        """Takes the handles out of the views and ends marking."""
        self._rest.stop()
        self._ui.handlesCheckBox.checked = False
        self._landmarks.stopMarking()

    def _move(self, worldFromVolume: Matrix) -> None:
        panel = self._panel
        companions = [node for node in (panel.parameters.anatomy, panel.parameters.ctLandmarks) if node is not None]
        panel.scene.setPose(panel.ctNode, worldFromVolume, companions)

    def _slid(self, index: int, value: float) -> None:
        """Moves the CT along one axis; the other five numbers stay as exact as they are."""
        if self._isShowing or not self._panel.situation().isReady:
            return

        def pose() -> Matrix:
            sliders = self._poseSliders()
            values = sliders.valuesOf(self._pose())
            values[index] = value
            return sliders.poseAt(values)

        self._moveByHand(pose)

    def _moveByHand(self, pose: Callable[[], Matrix]) -> None:
        def move() -> None:
            self._move(pose())
            self._panel.parameters.startedBy = _("by hand")

        self._panel.attempt(move, self.tellFault)

    def _moved(self, *_args: object) -> None:
        self._rest.start()
        self._panel.refreshSoon()
        self._panel.check.followPose()

    def _goBack(self, step: Callable[[PoseHistory], KeptPose]) -> None:
        """Brings a pose of the history back, with what the sliders counted from."""
        panel = self._panel
        self.notePose()
        if not (self._history.canUndo if step is PoseHistory.undo else self._history.canRedo):
            return
        kept = step(self._history)
        with slicer.util.NodeModify(panel.parameters.parameterNode):
            panel.parameters.sliderReference, panel.parameters.startedBy = kept.reference, kept.startedBy
        panel.attempt(lambda: self._move(kept.worldFromVolume), self.tellFault)

    def _refreshHistory(self, situation: Situation) -> None:
        ui, isFree = self._ui, situation.isFree
        if situation.ct is not self._historyOf:
            self._history, self._historyOf = PoseHistory(), situation.ct
        pose = situation.pose
        if self._history.isEmpty:
            self.notePose()
        isNew = pose is not None and not self._history.isAt(pose)
        ui.poseUndoButton.enabled = isFree and (self._history.canUndo or isNew)
        ui.poseRedoButton.enabled = isFree and self._history.canRedo and not isNew
        isAway = pose is not None and not np.allclose(pose, self._reference(), atol=SAME_POSE)
        ui.poseResetButton.enabled = isFree and isAway

    def _showValues(self) -> None:
        """Brings the sliders to where the CT is."""
        try:
            values = self._poseSliders().valuesOf(self._pose())
        except InputError as error:
            self._fault = "\n".join(error.faults)
            return
        self._isShowing = True
        for slider, value in zip(self._sliders, values, strict=True):
            if abs(slider.value - value) > 0.5 * 10.0**-slider.decimals:
                slider.value = float(np.clip(value, slider.minimum, slider.maximum))
        self._isShowing = False

    def _poseSliders(self) -> PoseSliders:
        return PoseSliders(self._reference(), carmOf(self._panel.fluoroscopyNodes[0]), self.centreMm())

    def _reference(self) -> Matrix:
        """The pose that the sliders count from: for a CT that is new here, where it lies."""
        kept = keptReference(self._panel.ctNode, self._panel.parameters.sliderReference)
        if kept is None:
            kept = self._pose()
            self._keepReference(kept)
        return kept

    def _keepReference(self, worldFromVolume: Matrix) -> None:
        self._panel.parameters.sliderReference = referenceText(self._panel.ctNode, worldFromVolume)

    def _pose(self) -> Matrix:
        return worldFromNode(self._panel.ctNode)

    def _showHandles(self) -> None:
        """Shows handles on the CT where they are wanted, and takes those of another CT away."""
        panel, isOn = self._panel, self._ui.handlesCheckBox.checked

        def show() -> None:
            if isOn and panel.scene.poseTransform(panel.ctNode) is None:
                self._move(self._pose())
            transformNode = panel.scene.poseTransform(panel.ctNode) if isOn else None
            if transformNode is self._handled:
                return
            if panel.scene.holds(self._handled):
                showHandles(self._handled, np.zeros(3), False)
            self._handled = transformNode
            if transformNode is not None:
                showHandles(transformNode, self.centreMm(), True)

        panel.attempt(show, self._tellHandlesFault)

    def _tellHandlesFault(self, text: str) -> None:
        if text:
            self.tellFault(text)
