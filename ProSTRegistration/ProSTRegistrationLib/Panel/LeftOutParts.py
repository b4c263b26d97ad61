"""Step 1, what is left out of an X-ray: outlines of instruments, implants or letters that the CT does not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ProSTRegistrationLib.Nodes.FluoroscopyImage import LEAST_CORNERS, addOutline, outlineCorners, outlinesOf
from ProSTRegistrationLib.Panel.Messages import PLAIN_STYLE, setVisible, showStatus
from ProSTRegistrationLib.Views.CheckLayout import pictureViewIds
from ProSTRegistrationLib.Views.PlaceMode import PlaceMode

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsClosedCurveNode, vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Situation import Situation


class LeftOutParts:
    """Outlines in the X-ray that is shown; each press of the button begins another, the next one ends it.

    Args:
        panel: Panel.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel, self._ui = panel, panel.ui
        self._placeMode = PlaceMode()
        self._image: vtkMRMLScalarVolumeNode | None = None
        self._outline: vtkMRMLMarkupsClosedCurveNode | None = None
        self._ui.outlineButton.connect("toggled(bool)", self._toggled)
        self._ui.removeOutlinesButton.connect("clicked(bool)", lambda checked: self._removeAll())

    def refresh(self, situation: Situation) -> None:
        """Brings widgets up to date."""
        ui, image = self._ui, situation.shownImage
        self._placeMode.watch(self._panel.observe, self._panel.refreshSoon)
        if self._placeMode.hasEnded or self._image is not image or not situation.isFree:
            self.stop()
        for node in situation.images:
            for outline in outlinesOf(node):
                for event in ("PointPositionDefinedEvent", "PointRemovedEvent", "PointEndInteractionEvent"):
                    self._panel.observe(outline, event, self._panel.refreshSoon)
        ui.outlineButton.enabled, isOutlining = situation.isFree, ui.outlineButton.checked
        # A pressed button is hard to tell from others on a dark desktop.
        ui.outlineButton.text = _("End outline") if isOutlining else _("Outline a part")
        count = len(outlineCorners(image)) if situation.isReady and image is not None else 0
        setVisible(ui.removeOutlinesButton, count > 0)
        text = _("Click around the part in the X-ray, then press 'End outline'.") if isOutlining else ""
        if count and not isOutlining and image is not None:
            text = _("Outlined in '{name}' and left out: {count}").format(name=image.GetName(), count=count)
        ui.removeOutlinesButton.enabled = situation.isFree
        showStatus(ui.outlinesLabel, text, PLAIN_STYLE)

    def stop(self) -> None:
        """Ends an outline under way; one that encloses nothing goes."""
        self._ui.outlineButton.checked = False

    def _toggled(self, isOn: bool) -> None:
        panel = self._panel
        if isOn:
            self._image = panel.situation().shownImage
            panel.check.showViews()
            self._outline = addOutline(panel.scene, self._image, pictureViewIds(panel.scene.mrmlScene))
            self._placeMode.begin(self._outline)
        else:
            self._placeMode.end()
            outline, self._outline = self._outline, None
            if outline is not None and panel.scene.holds(outline) and _isEmpty(outline):
                panel.scene.mrmlScene.RemoveNode(outline)
        panel.refreshSoon()

    def _removeAll(self) -> None:
        self.stop()
        for outline in outlinesOf(self._panel.situation().shownImage):
            self._panel.scene.mrmlScene.RemoveNode(outline)


def _isEmpty(outline: vtkMRMLMarkupsClosedCurveNode) -> bool:
    return bool(outline.GetNumberOfDefinedControlPoints() < LEAST_CORNERS)
