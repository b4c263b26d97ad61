"""Step 1: which CT, which part of it, which X-ray images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from ProSTRegistrationLib.Nodes.Anatomy import contentKey
from ProSTRegistrationLib.Nodes.FluoroscopyImage import greyCopy, isColoured
from ProSTRegistrationLib.Nodes.PartsOfAnatomy import partsOf
from ProSTRegistrationLib.Panel.FrameChoice import FrameChoice
from ProSTRegistrationLib.Panel.LeftOutParts import LeftOutParts
from ProSTRegistrationLib.Panel.Messages import setVisible, showStatus
from ProSTRegistrationLib.Panel.PolarityChoice import PolarityChoice
from ProSTRegistrationLib.Panel.SampleLoading import SampleLoading
from ProSTRegistrationLib.Selection import NO_PART

if TYPE_CHECKING:
    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Situation import Situation


class ImagesStep:
    """Chooses nodes; everything but the list of parts is bound to the parameter node.

    Args:
        panel: Panel.

    Attributes:
        samples: SampleLoading.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel, self._ui = panel, panel.ui
        self._isFilling = False
        self._shownParts: object = None
        self.samples = SampleLoading(panel, self._say)
        self._frames = FrameChoice(panel, self._say)
        self._polarity, self._leftOut = PolarityChoice(panel), LeftOutParts(panel)
        self._ui.partsList.connect("itemChanged(QListWidgetItem*)", self._partChanged)
        self._ui.sampleButton.connect("clicked(bool)", lambda checked: self.samples.start("spine"))
        self._ui.phantomButton.connect("clicked(bool)", lambda checked: self.samples.start("phantom"))
        self._ui.greyButton.connect("clicked(bool)", lambda checked: self._useGreyCopy())
        self._message: tuple[str, object] = ("", None)

    def refresh(self, situation: Situation) -> None:
        """Brings widgets up to date."""
        parameters, ui = self._panel.parameters, self._ui
        hasAnatomy = parameters.anatomy is not None
        self._fillParts()
        for widget in (ui.partsLabel, ui.partsList):
            setVisible(widget, hasAnatomy)
        setVisible(ui.eachPartCheckBox, hasAnatomy and self._chosenParts() > 1)
        setVisible(ui.jointsCheckBox, situation.anatomy.movesInParts)
        for widget in (ui.boneThresholdLabel, ui.boneThresholdSpinBox):
            setVisible(widget, not hasAnatomy)
        excluded = self._showRelation(situation)
        self._frames.refresh(situation)
        self._polarity.refresh(situation)
        self._leftOut.refresh(situation)
        setVisible(ui.greyButton, isColoured(parameters.fluoroscopy))
        self._watchChoices(situation)
        isFree = not self.samples.isRunning and not situation.isBusy
        for widget in (
            ui.ctSelector, ui.anatomySelector, ui.partsList, ui.eachPartCheckBox, ui.jointsCheckBox,
            ui.boneThresholdSpinBox, ui.fluoroscopySelector, ui.moreViewsGroup, ui.sampleButton, ui.phantomButton,
            ui.frameSpinBox, ui.frameButton, ui.greyButton,
        ):  # fmt: skip
            widget.enabled = isFree
        if self._message[1] != self._choice():
            self._message = "", self._choice()
        showStatus(ui.imagesStatusLabel, self._message[0] or "\n".join(situation.faults) or excluded)

    def _showRelation(self, situation: Situation) -> str:
        """Offers the relation of several views where it can be rough; words where bones that move exclude it."""
        ui, isRough = self._ui, self._panel.parameters.isRelationRough
        isOffered = len(situation.images) > 1 and not situation.anatomy.movesInParts
        setVisible(ui.relationCheckBox, isOffered)
        for widget in (ui.roughTurnLabel, ui.roughTurnSpinBox, ui.roughShiftLabel, ui.roughShiftSpinBox):
            setVisible(widget, isOffered and isRough)
        if not (isRough and situation.anatomy.movesInParts and len(situation.images) > 1):
            return ""
        return _("Where each part moves by itself, the C-arms count as known exactly against each other.")

    def leave(self) -> None:
        """Ends an outline under way; for when another module comes to the front."""
        self._leftOut.stop()

    def _watchChoices(self, situation: Situation) -> None:
        """Whatever changes in what is chosen, by whomever, changes what is registered and judged."""
        anatomy = self._panel.parameters.anatomy
        for node in (situation.ct, *situation.images, anatomy):
            if node is None:
                continue
            watched = [(node, event) for event in ("ModifiedEvent", "TransformModifiedEvent")]
            if node.IsA("vtkMRMLVolumeNode"):
                watched.append((node, "ImageDataModifiedEvent"))
            if node.IsA("vtkMRMLSegmentationNode"):
                events = ("SegmentAdded", "SegmentRemoved", "SegmentModified", "SourceRepresentationModified")
                watched += [(node.GetSegmentation(), event) for event in events]
            for subject, event in watched:
                self._panel.observe(subject, event, self._panel.refreshSoon)

    def _fillParts(self) -> None:
        parameters = self._panel.parameters
        chosen = set(parameters.anatomyParts)
        shown = (contentKey(parameters.anatomy), frozenset(chosen))
        if shown == self._shownParts:
            return
        parts = partsOf(parameters.anatomy)
        self._shownParts, self._isFilling = shown, True
        partsList = self._ui.partsList
        partsList.clear()
        self._addPart(_("All parts"), NO_PART, not chosen or chosen == {key for key, _name in parts})
        for key, name in parts:
            item = self._addPart(name, key, not chosen or key in chosen)
            if key in chosen:
                partsList.scrollToItem(item)
        self._isFilling = False

    def _chosenParts(self) -> int:
        """The number of parts that are registered, as the list shows them."""
        return len(self._panel.parameters.anatomyParts) or self._ui.partsList.count - 1

    def _addPart(self, name: str, key: str, isChosen: bool) -> Any:
        item = qt.QListWidgetItem(name)
        item.setData(qt.Qt.UserRole, key)
        item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
        item.setCheckState(qt.Qt.Checked if isChosen else qt.Qt.Unchecked)
        self._ui.partsList.addItem(item)
        return item

    def _partChanged(self, item: Any) -> None:
        if self._isFilling:
            return
        parameters, partsList = self._panel.parameters, self._ui.partsList
        isChecked = item.checkState() == qt.Qt.Checked
        if item.data(qt.Qt.UserRole) == NO_PART:
            parameters.anatomyParts = [] if isChecked else [NO_PART]
            return
        items = [partsList.item(row) for row in range(1, partsList.count)]
        chosen = [entry.data(qt.Qt.UserRole) for entry in items if entry.checkState() == qt.Qt.Checked]
        isAll = len(chosen) == len(items)
        parameters.anatomyParts = [] if isAll else chosen or [NO_PART]

    def _useGreyCopy(self) -> None:
        def use() -> None:
            self._panel.parameters.fluoroscopy = greyCopy(self._panel.parameters.fluoroscopy)

        self._panel.attempt(use, self._say)

    def _say(self, text: str) -> None:
        self._message = text, self._choice()
        self._panel.refreshSoon()

    def _choice(self) -> tuple[object, ...]:
        """The subject of a message, which goes when something else is chosen."""
        return self._panel.ctNode, tuple(self._panel.fluoroscopyNodes)
