"""Step 3, paired landmarks: marking them, the pose that fits them, how far each is off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from prostreg.errors import InputError
from prostreg.outputs.verdict_words import length_words
from ProSTRegistrationLib.Nodes.Landmarks import (
    areEnough,
    markCounts,
    pairedLandmarks,
    prepareLandmarkLists,
    solveLandmarks,
)
from ProSTRegistrationLib.Nodes.Scene import OWNER_REFERENCE
from ProSTRegistrationLib.Panel.Messages import FAULT_STYLE, PLAIN_STYLE, Style, prepareTable, setVisible, showStatus
from ProSTRegistrationLib.Views.CheckLayout import CT_VIEWS, pictureViewIds, showMarkingLayout
from ProSTRegistrationLib.Views.PlaceMode import PlaceMode
from ProSTRegistrationLib.Views.SliceView import showSlices
from ProSTRegistrationLib.WhatNext import REGISTER_BUTTON

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
        startPose: StartPoseStep, which takes the pose.

    Attributes:
        nextButton: name of the button to press next, "" while landmarks are marked.
    """

    def __init__(self, panel: Panel, startPose: StartPoseStep) -> None:
        self._panel, self._startPose, self._ui = panel, startPose, panel.ui
        ui = self._ui
        ui.ctLandmarksButton.connect("toggled(bool)", lambda isOn: self._mark(isOn, ui.ctLandmarksButton))
        ui.xrayLandmarksButton.connect("toggled(bool)", lambda isOn: self._mark(isOn, ui.xrayLandmarksButton))
        ui.solveLandmarksButton.connect("clicked(bool)", lambda checked: self._solve())
        ui.landmarksGroup.connect("toggled(bool)", lambda isOpen: panel.refreshSoon())
        self._placeMode, self.nextButton = PlaceMode(), REGISTER_BUTTON
        self._said: tuple[str, Style] = ("", PLAIN_STYLE)
        self._saidOf: object = None
        self._markedImage: vtkMRMLScalarVolumeNode | None = None
        headings = [_("Landmark"), _("X-ray"), _("Off, px"), _("Off, mm")]
        prepareTable(ui.landmarksTable, headings, range(len(headings)))
        setVisible(ui.landmarksTable, False)

    def refresh(self, situation: Situation) -> None:
        """Brings widgets up to date."""
        ui = self._ui
        self._dropListsOfOthers()
        self._placeMode.watch(self._panel.observe, self._panel.refreshSoon)
        if self._placeMode.hasEnded:
            self.stopMarking()
        # A pressed button is hard to tell from others on a dark desktop.
        for button, words in (
            (ui.ctLandmarksButton, _("Mark in the CT")),
            (ui.xrayLandmarksButton, _("Mark in the X-ray")),
        ):
            button.enabled = situation.isFree
            button.text = _("End marking") if button.checked else words
        if self._markedImage is not situation.shownImage:
            # Clicks would go on into the list of an image that is no longer shown.
            ui.xrayLandmarksButton.checked = False
        counts = self._counts(situation)
        # What is wrong with the lists is said when they are solved.
        isSolvable = situation.isFree and (counts is None or areEnough(counts))
        ui.solveLandmarksButton.enabled = isSolvable
        if self._saidOf != (situation.ct, situation.images, counts):
            self._said, self._saidOf = ("", PLAIN_STYLE), (situation.ct, situation.images, counts)
        said = self._said if self._said[0] else (self._countWords(situation, counts or []), PLAIN_STYLE)
        showStatus(ui.landmarksCountLabel, *(said if situation.isFree else ("", PLAIN_STYLE)))
        isMarking = ui.ctLandmarksButton.checked or ui.xrayLandmarksButton.checked
        isNext = isSolvable and not self._said[0] and not ui.landmarksGroup.collapsed
        self.nextButton = "solveLandmarksButton" if isNext else "" if isMarking else REGISTER_BUTTON

    def _countWords(self, situation: Situation, counts: Sequence[int]) -> str:
        """The number of pairs, and whether it will do."""
        views = zip(counts, situation.marked, strict=False)
        named = ", ".join(f"{count} on '{node.GetName()}'" for count, (node, _list) in views)
        missing = _("Four in one X-ray are needed, or three in each of two.")
        text = _("Paired so far: {counts}. {words}")
        return text.format(counts=named or "0", words=_("That is enough.") if areEnough(counts) else missing)

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
        self._panel.refreshSoon()

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
        self._panel.attempt(self._solveAndMove, lambda text: self._say(text, FAULT_STYLE) if text else None)

    def _say(self, text: str, style: Style) -> None:
        """Says what came of the marks, until there are others."""
        self._said = text, style
        self._panel.refreshSoon()

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
        text = _("Landmarks agree to {error} on average.").format(error=length_words(solution.rmsMm, _))
        self._say(f"{text} {notes}".strip(), PLAIN_STYLE)

    def _fillTable(self, rows: Sequence[LandmarkRow]) -> None:
        table = self._ui.landmarksTable
        table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, text in enumerate((row.label, row.view, f"{row.residualPx:.1f}", f"{row.residualMm:.1f}")):
                table.setItem(number, column, qt.QTableWidgetItem(text))
        table.setColumnHidden(1, len({row.view for row in rows}) < 2)
        setVisible(table, bool(rows))
