"""Step 1, which way round the greys of an X-ray are: found by the registration, unless a person tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from prostreg.choices import POLARITIES
from ProSTRegistrationLib.Nodes.FluoroscopyImage import polarityOf, tellPolarity

if TYPE_CHECKING:
    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Situation import Situation


class PolarityChoice:
    """The choice for the X-ray that is shown.

    Args:
        panel: Panel.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel, self._box = panel, panel.ui.polarityComboBox
        words = {"auto": _("Find out"), "bone-dark": _("Dark"), "bone-bright": _("Bright")}
        for polarity in POLARITIES:
            self._box.addItem(words[polarity])
        self._box.connect("activated(int)", self._chosen)

    def refresh(self, situation: Situation) -> None:
        """Brings the box up to date."""
        image = situation.shownImage
        self._box.enabled = situation.hasImages and image is not None and not situation.isBusy
        index = 0 if image is None else POLARITIES.index(polarityOf(image))
        if self._box.currentIndex != index:
            self._box.currentIndex = index

    def _chosen(self, index: int) -> None:
        image = self._panel.situation().shownImage
        if image is not None:
            tellPolarity(image, POLARITIES[index])
            self._panel.refreshSoon()
