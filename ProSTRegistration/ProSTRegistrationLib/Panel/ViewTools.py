"""Step 5, what is done with the pictures: turn and mirror them on the screen, save what they show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ProSTRegistrationLib.Panel.Messages import saveAs
from ProSTRegistrationLib.Views.CheckLayout import FLUOROSCOPY_VIEW
from ProSTRegistrationLib.Views.SavedPicture import savePicture
from ProSTRegistrationLib.Views.ViewTurn import ViewTurn, setViewTurn, viewTurnOf

if TYPE_CHECKING:
    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Situation import Situation


class ViewTools:
    """The buttons below the overlay.

    Args:
        panel: Panel.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel, self._ui = panel, panel.ui
        panel.ui.turnViewButton.connect("clicked(bool)", lambda checked: self._turn())
        panel.ui.mirrorViewButton.connect("clicked(bool)", self._mirror)
        panel.ui.savePictureButton.connect("clicked(bool)", lambda checked: self._save())

    def refresh(self, situation: Situation, areViewsShown: bool) -> None:
        """Brings the buttons up to date."""
        ui, node = self._ui, situation.shownImage
        for button in (ui.turnViewButton, ui.mirrorViewButton, ui.savePictureButton):
            button.enabled = situation.isReady and areViewsShown
        ui.mirrorViewButton.checked = node is not None and viewTurnOf(node).isMirrored

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


def turnWords(turn: ViewTurn) -> str:
    """Words for a turn, for the legend in the views; "" for none."""
    said = [_("VIEW MIRRORED left to right")] if turn.isMirrored else []
    if turn.quarters:
        said.append(_("View turned by {angle}°").format(angle=90 * turn.quarters))
    return "\n".join(said)
