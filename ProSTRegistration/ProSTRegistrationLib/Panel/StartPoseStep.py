"""Step 3: where the search begins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import slicer
from numpy.typing import NDArray
from slicer.i18n import tr as _

from prostreg.errors import InputError
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.CArmSettings import settingsOf
from ProSTRegistrationLib.Panel.LandmarksGroup import LandmarksGroup
from ProSTRegistrationLib.Panel.Messages import FAULT_STYLE, MISSING_STYLE, PLAIN_STYLE, showStatus
from ProSTRegistrationLib.StartPose import PatientCentre, PoseSliders, placedAtIsocentre, standardViewPose
from ProSTRegistrationLib.Views.PoseHandles import showHandles

if TYPE_CHECKING:
    from slicer import vtkMRMLLinearTransformNode

    from prostreg.geometry.frames import Matrix
    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Panel.Situation import Situation


class StartPoseStep:
    """Moves the CT by standard views, handles, sliders and landmarks; the live DRR follows.

    Args:
        panel: Panel.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel, self._ui = panel, panel.ui
        self._fault, self._note, self._isShowing = "", "", False
        self._handled: vtkMRMLLinearTransformNode | None = None
        self._centre = PatientCentre()
        self._landmarks = LandmarksGroup(panel, self)
        ui = self._ui
        self._sliders = (
            ui.shiftUSlider, ui.shiftVSlider, ui.depthSlider, ui.tiltUSlider, ui.tiltVSlider, ui.inPlaneSlider,
        )  # fmt: skip
        for index, slider in enumerate(self._sliders):
            slider.connect("valueChanged(double)", lambda value, index=index: self._slid(index, value))
        ui.standardViewButton.connect("clicked(bool)", lambda checked: self.setStandardView())
        ui.handlesCheckBox.connect("toggled(bool)", lambda checked: self._showHandles())

    def refresh(self, situation: Situation) -> None:
        """Brings widgets up to date."""
        isReady = situation.isFree
        ui = self._ui
        for widget in (*self._sliders, ui.standardViewButton, ui.handlesCheckBox, ui.searchEverywhereCheckBox):
            widget.enabled = isReady
        self._landmarks.refresh(situation)
        ui.handlesCheckBox.checked = ui.handlesCheckBox.checked and isReady
        self._showHandles()
        if situation.isReady:
            self._panel.observe(situation.ct, "TransformModifiedEvent", self._moved)
            self._showValues()
            status = (self._fault, FAULT_STYLE) if self._fault else (self._note, PLAIN_STYLE)
        else:
            status = (_("Choose the images and press 'Use this C-arm' for every X-ray first."), MISSING_STYLE)
        showStatus(ui.startStatusLabel, *status)

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
        with slicer.util.NodeModify(panel.parameters.parameterNode):
            self._keepReference(worldFromVolume)
            panel.parameters.startedBy = startedBy
        self._note = ""
        self._move(worldFromVolume)

    def centreMm(self) -> NDArray[np.float64]:
        """The anatomy's centre (3,) in the CT's own frame.

        Raises:
            InputError: CT or anatomy cannot be used.
        """
        return self._centre.of(self._panel.scene, self._panel.ctNode, self._panel.anatomy)

    def tellFault(self, text: str) -> None:
        """Shows what went wrong; "" if nothing did."""
        self._fault = text
        self._panel.refreshSoon()

    def tellNote(self, text: str) -> None:
        """Shows a remark on the start pose."""
        self._note = text
        self._panel.refreshSoon()

    def leave(self) -> None:
        """Takes the handles out of the views and ends marking."""
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

        def move() -> None:
            sliders = self._poseSliders()
            values = sliders.valuesOf(self._pose())
            values[index] = value
            self._move(sliders.poseAt(values))
            self._panel.parameters.startedBy = _("by hand")

        self._panel.attempt(move, self.tellFault)

    def _moved(self, *_args: object) -> None:
        self._panel.refreshSoon()
        self._panel.check.followPose()

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
        kept = json.loads(self._panel.parameters.sliderReference or "{}")
        if kept.get("ct") != self._panel.ctNode.GetID():
            self._keepReference(self._pose())
            return self._pose()
        return np.array(kept["world_from_volume"])

    def _keepReference(self, worldFromVolume: Matrix) -> None:
        content = {"ct": self._panel.ctNode.GetID(), "world_from_volume": np.asarray(worldFromVolume).tolist()}
        self._panel.parameters.sliderReference = json.dumps(content)

    def _pose(self) -> Matrix:
        return self._panel.scene.ct(self._panel.ctNode)[1]

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
