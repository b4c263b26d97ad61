"""Step 5, what is done with the pictures: turn and mirror them on the screen, measure in them, save what they show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import slicer
from slicer.i18n import tr as _

from prostreg.outputs.verdict_words import length_words
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Panel.Messages import saveAs
from ProSTRegistrationLib.Views.CheckLayout import FLUOROSCOPY_VIEW
from ProSTRegistrationLib.Views.PlaceMode import PlaceMode
from ProSTRegistrationLib.Views.Ruler import RULER_ROLE, addRuler, isWhole, labelRuler, lengthMm, showRuler
from ProSTRegistrationLib.Views.SavedPicture import savePicture
from ProSTRegistrationLib.Views.ViewTurn import ViewTurn, setViewTurn, viewTurnOf

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsLineNode, vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Situation import Situation


class ViewTools:
    """The buttons below the overlay.

    Args:
        panel: Panel.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel, self._ui, self._ruler = panel, panel.ui, RulerTool(panel)
        panel.ui.turnViewButton.connect("clicked(bool)", lambda checked: self._turn())
        panel.ui.mirrorViewButton.connect("clicked(bool)", self._mirror)
        panel.ui.savePictureButton.connect("clicked(bool)", lambda checked: self._save())

    def refresh(self, situation: Situation, areViewsShown: bool) -> None:
        """Brings the buttons up to date."""
        ui, node = self._ui, situation.shownImage
        for button in (ui.turnViewButton, ui.mirrorViewButton, ui.savePictureButton):
            button.enabled = situation.isReady and areViewsShown
        ui.mirrorViewButton.checked = node is not None and viewTurnOf(node).isMirrored
        self._ruler.refresh(situation, areViewsShown)

    def hide(self) -> None:
        """Takes out of the views what is drawn here."""
        self._ruler.hide()

    def _turn(self) -> None:
        node = self._panel.situation().shownImage
        if node is not None:
            self._set(viewTurnOf(node).turned())

    def _mirror(self, isOn: bool) -> None:
        node = self._panel.situation().shownImage
        if node is not None:
            self._set(replace(viewTurnOf(node), isMirrored=isOn))

    def _set(self, turn: ViewTurn) -> None:
        setViewTurn(self._panel.situation().shownImage, turn)
        self._panel.refreshSoon()

    def _save(self) -> None:
        panel, view = self._panel, slicer.app.layoutManager().sliceWidget(FLUOROSCOPY_VIEW).sliceView()
        title, say = _("Save the picture of the X-ray's view"), panel.check.sayFault
        saveAs(panel, title, "overlay.png", "PNG (*.png)", lambda path: savePicture(path, view), say)


class RulerTool:
    """The ruler of the X-ray that is shown: a click begins it, the next takes it away.

    Args:
        panel: Panel.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel, self._ui = panel, panel.ui
        self._placeMode = PlaceMode()
        self._image: vtkMRMLScalarVolumeNode | None = None
        self._placed: vtkMRMLMarkupsLineNode | None = None
        self._depthMm: float | None = None
        panel.ui.rulerButton.connect("clicked(bool)", self._clicked)

    def refresh(self, situation: Situation, areViewsShown: bool) -> None:
        """Brings button, line and its words up to date."""
        panel, image = self._panel, situation.shownImage
        isUsable = situation.isReady and areViewsShown
        self._placeMode.watch(panel.observe, panel.refreshSoon)
        if self._placeMode.hasEnded or image is not self._image or not isUsable or self._isPlaced():
            self._endPlacing()
        self._image, ruler = image, self._find(image)
        self._ui.rulerButton.enabled, self._ui.rulerButton.checked = isUsable, ruler is not None
        showRuler(panel.scene, ruler if isUsable else None)
        if ruler is not None and isUsable:
            self._depthMm = panel.start.depthMm(situation)
            for event in ("PointPositionDefinedEvent", "PointRemovedEvent"):
                panel.observe(ruler, event, panel.refreshSoon)
            panel.observe(ruler, "PointModifiedEvent", self._tell)
            self._tell()

    def hide(self) -> None:
        """Takes the line out of the view; it comes back with it."""
        self._endPlacing()
        showRuler(self._panel.scene, None)

    def _clicked(self, isOn: bool) -> None:
        panel, image = self._panel, self._panel.situation().shownImage
        self._endPlacing()
        panel.scene.removeOwned(image, RULER_ROLE)
        if isOn:
            view = slicer.app.layoutManager().sliceWidget(FLUOROSCOPY_VIEW).mrmlSliceNode()
            self._image, self._placed = image, addRuler(panel.scene, image, view.GetID())
            self._placeMode.begin(self._placed)
        panel.refreshSoon()

    def _find(self, image: vtkMRMLScalarVolumeNode | None) -> vtkMRMLMarkupsLineNode | None:
        return None if image is None else self._panel.scene.findOwned(image, RULER_ROLE)

    def _isPlaced(self) -> bool:
        return self._placed is not None and isWhole(self._placed)

    def _endPlacing(self) -> None:
        self._placeMode.end()
        ruler, self._placed = self._placed, None
        if ruler is not None and self._panel.scene.holds(ruler) and not isWhole(ruler):
            self._panel.scene.mrmlScene.RemoveNode(ruler)

    def _tell(self, *_args: object) -> None:
        panel, image = self._panel, self._image
        ruler = self._find(image) if panel.isSceneAtRest and panel.scene.holds(image) else None
        if ruler is not None and image is not None and isWhole(ruler):
            carm = carmOf(image)
            labelRuler(ruler, rulerWords(lengthMm(ruler, carm), self._depthMm, carm.sdd_mm))


def rulerWords(detectorMm: float, depthMm: float | None, sddMm: float) -> str:
    """Words for a length on the detector, and for the one at the anatomy that casts it; "" for NaN.

    Args:
        depthMm: of the anatomy's middle from the source, along the detector's normal; None where it is not known.
        sddMm: of the detector.
    """
    if not np.isfinite(detectorMm):
        return ""
    onDetector = length_words(detectorMm, _)
    if depthMm is None:
        return _("{length} on the detector").format(length=onDetector)
    atAnatomy = length_words(detectorMm * depthMm / sddMm, _)
    return _("{length} at the anatomy ({other} on the detector)").format(length=atAnatomy, other=onDetector)


def turnWords(turn: ViewTurn) -> str:
    """Words for a turn, for the legend in the views; "" for none."""
    said = [_("VIEW MIRRORED left to right")] if turn.isMirrored else []
    if turn.quarters:
        said.append(_("View turned by {angle}°").format(angle=90 * turn.quarters))
    return "\n".join(said)
