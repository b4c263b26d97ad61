"""Step 3, paired landmarks: marking them, the pose that fits them, how far each is off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from prostreg.errors import InputError
from ProSTRegistrationLib.Nodes.Landmarks import (
    areEnough,
    markCounts,
    pairedLandmarks,
    prepareLandmarkLists,
    solveLandmarks,
)
from ProSTRegistrationLib.Nodes.Scene import OWNER_REFERENCE
from ProSTRegistrationLib.Panel.Messages import PLAIN_STYLE, setVisible, showStatus
from ProSTRegistrationLib.Views.CheckLayout import CT_VIEWS, pictureViewIds, showMarkingLayout
from ProSTRegistrationLib.Views.PlaceMode import PlaceMode
from ProSTRegistrationLib.Views.SliceView import showSlices

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsFiducialNode, vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.Nodes.Landmarks import LandmarkRow
    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Panel.StartPoseStep import StartPoseStep
    from ProSTRegistrationLib.Situation import Situation


class LandmarksGroup:
    """Landmarks in the CT and in the chosen X-ray images: marks of all of them count.

    Args:
        panel: Panel.
        startPose: StartPoseStep, which takes the pose and tells faults.
    """

    def __init__(self, panel: Panel, startPose: StartPoseStep) -> None:
        self._panel, self._startPose, self._ui = panel, startPose, panel.ui
        ui = self._ui
        ui.ctLandmarksButton.connect("toggled(bool)", lambda isOn: self._mark(isOn, ui.ctLandmarksButton))
        ui.xrayLandmarksButton.connect("toggled(bool)", lambda isOn: self._mark(isOn, ui.xrayLandmarksButton))
        ui.solveLandmarksButton.connect("clicked(bool)", lambda checked: self._solve())
        self._placeMode = PlaceMode()
        self._markedImage: vtkMRMLScalarVolumeNode | None = None
        headings = [_("Landmark"), _("X-ray"), _("Off, px"), _("Off, mm")]
        ui.landmarksTable.setColumnCount(len(headings))
        ui.landmarksTable.setHorizontalHeaderLabels(headings)
        ui.landmarksTable.horizontalHeader().setStretchLastSection(True)
        ui.landmarksTable.verticalHeader().setVisible(False)
        setVisible(ui.landmarksTable, False)

    def refresh(self, situation: Situation) -> None:
        """Brings widgets up to date."""
        ui = self._ui
        self._dropListsOfOthers()
        self._placeMode.watch(self._panel.observe, self._panel.refreshSoon)
        if self._placeMode.hasEnded:
            self.stopMarking()
        for button in (ui.ctLandmarksButton, ui.xrayLandmarksButton):
            button.enabled = situation.isFree
        if self._markedImage is not situation.shownImage:
            # Clicks would go on into the list of an image that is no longer shown.
            ui.xrayLandmarksButton.checked = False
        counts = self._counts(situation)
        # What is wrong with the lists is said when they are solved.
        ui.solveLandmarksButton.enabled = situation.isFree and (counts is None or areEnough(counts))
        text = _("Paired so far: {counts}. Four in one X-ray are needed, or three in each of two.")
        views = zip(counts or [], situation.marked, strict=False)
        named = ", ".join(f"{count} on '{node.GetName()}'" for count, (node, _list) in views)
        showStatus(ui.landmarksCountLabel, text.format(counts=named or "0") if situation.isFree else "", PLAIN_STYLE)

    def _counts(self, situation: Situation) -> list[int] | None:
        """Numbers of pairs on each X-ray that has marks; None where the lists have faults."""
        lists = [situation.ctLandmarks, *(listNode for _node, listNode in situation.marked)]
        for listNode in filter(None, lists):
            for event in ("PointAddedEvent", "PointRemovedEvent", "PointPositionDefinedEvent"):
                self._panel.observe(listNode, event, self._panel.refreshSoon)
        if not situation.isFree or situation.ctLandmarks is None:
            return []
        try:
            return markCounts(pairedLandmarks(situation.ct, situation.ctLandmarks, situation.marked))
        except InputError:
            return None

    def stopMarking(self) -> None:
        """Ends marking in both lists."""
        self._ui.ctLandmarksButton.checked = False
        self._ui.xrayLandmarksButton.checked = False

    def _mark(self, isOn: bool, button: Any) -> None:
        ui = self._ui
        if not isOn:
            if not (ui.ctLandmarksButton.checked or ui.xrayLandmarksButton.checked):
                self._placeMode.end()
            if button is ui.ctLandmarksButton and self._panel.isEntered:
                qt.QTimer.singleShot(0, self._panel.check.showViews)
            self._panel.refreshSoon()
            return
        other = ui.xrayLandmarksButton if button is ui.ctLandmarksButton else ui.ctLandmarksButton
        other.checked = False
        ctList, xrayList = self._prepare()
        if button is ui.xrayLandmarksButton:
            self._markedImage = self._panel.situation().shownImage
            self._panel.check.showViews()
        else:
            self._showCt()
        self._placeMode.begin(ctList if button is ui.ctLandmarksButton else xrayList)

    def _showCt(self) -> None:
        """Shows slices of the CT beside the X-ray."""
        layoutManager = slicer.app.layoutManager()
        if layoutManager is not None:
            self._panel.check.showViews()
            showMarkingLayout(layoutManager.layoutLogic().GetLayoutNode())
            for name in CT_VIEWS:
                showSlices(layoutManager.sliceWidget(name).sliceLogic(), self._panel.ctNode)

    def _dropListsOfOthers(self) -> None:
        """Lists that were made for another CT or X-ray are no longer chosen."""
        panel, parameters = self._panel, self._panel.parameters
        images = panel.fluoroscopyNodes
        for name, owner in (("ctLandmarks", panel.ctNode), ("xrayLandmarks", images[0] if images else None)):
            listNode = getattr(parameters, name)
            madeFor = listNode.GetNodeReference(OWNER_REFERENCE) if listNode is not None else None
            if madeFor is not None and madeFor is not owner:
                setattr(parameters, name, None)

    def _prepare(self) -> tuple[vtkMRMLMarkupsFiducialNode, vtkMRMLMarkupsFiducialNode]:
        """(list of the CT, list of the X-ray that is shown): those that are chosen; others are made."""
        panel, parameters = self._panel, self._panel.parameters
        image = panel.situation().shownImage
        viewIds = pictureViewIds(panel.scene.mrmlScene)
        ctList, xrayList = prepareLandmarkLists(panel.scene, panel.ctNode, image, fluoroscopyViewIds=viewIds)
        parameters.ctLandmarks = parameters.ctLandmarks or ctList
        if image is panel.fluoroscopyNodes[0]:
            xrayList = parameters.xrayLandmarks = parameters.xrayLandmarks or xrayList
        return parameters.ctLandmarks, xrayList

    def _solve(self) -> None:
        self.stopMarking()
        self._panel.attempt(self._solveAndMove, self._startPose.tellFault)

    def _solveAndMove(self) -> None:
        panel, parameters = self._panel, self._panel.parameters
        if parameters.ctLandmarks.GetTransformNodeID() != panel.ctNode.GetTransformNodeID():
            text = _(
                "The list '{name}' is not under the transform of the CT, so its points may lie elsewhere in it: put it"
                " under '{transform}' in the Data module."
            )
            parent = panel.ctNode.GetParentTransformNode()
            where = parent.GetName() if parent is not None else _("no transform")
            raise InputError(text.format(name=parameters.ctLandmarks.GetName(), transform=where))
        solution = solveLandmarks(panel.ctNode, parameters.ctLandmarks, panel.situation().marked)
        self._fillTable(solution.rows)
        if solution.warning:
            raise InputError(solution.warning)
        self._startPose.begin(solution.worldFromVolume, _("landmarks"))
        notes = " ".join(solution.pairs.notes)
        text = _("Landmarks agree to {rms} mm (root mean square).").format(rms=f"{solution.rmsMm:.1f}")
        self._startPose.tellNote(f"{text} {notes}".strip())

    def _fillTable(self, rows: Sequence[LandmarkRow]) -> None:
        table = self._ui.landmarksTable
        table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, text in enumerate((row.label, row.view, f"{row.residualPx:.1f}", f"{row.residualMm:.1f}")):
                table.setItem(number, column, qt.QTableWidgetItem(text))
        table.setColumnHidden(1, len({row.view for row in rows}) < 2)
        setVisible(table, bool(rows))
