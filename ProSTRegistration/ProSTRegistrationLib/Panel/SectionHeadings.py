"""The headings of the first three steps, which tell a folded step's values in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ProSTRegistrationLib.AttemptUnderWay import startWords
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.VerdictWords import accuracyWord

if TYPE_CHECKING:
    from ProSTRegistrationLib.ParameterNode import ProSTRegistrationParameterNode
    from ProSTRegistrationLib.Situation import Situation

LONGEST_NAME = 11
UP_TO_CARM, UP_TO_START = 2, 3
"""Steps that are finished when the start can be set, and when a search begins."""


class SectionHeadings:
    """Headings of sections.

    Args:
        ui: the widgets of the panel by their names.
        onFolded: called when a section was folded or unfolded.
    """

    def __init__(self, ui: Any, onFolded: Callable[[], object]) -> None:
        sections = (ui.imagesSection, ui.carmSection, ui.startSection)
        self._wasReady = False
        self._titles = [(section, section.text) for section in sections]
        for section in sections:
            section.connect("contentsCollapsed(bool)", lambda isFolded: onFolded())

    def fold(self, count: int) -> None:
        """Folds the first steps, as many as are finished, and unfolds the others."""
        for number, (section, _title) in enumerate(self._titles):
            section.collapsed = number < count

    def refresh(self, situation: Situation, parameters: ProSTRegistrationParameterNode) -> None:
        """Brings the headings up to date; unfolds the steps when something is missing that was there."""
        if self._wasReady and not situation.isReady:
            self.fold(0)
        self._wasReady = situation.isReady
        values = _values(situation, parameters) if situation.isReady else ("", "", "")
        for (section, title), value in zip(self._titles, values, strict=True):
            text = f"{title}: {value}" if value and section.collapsed else title
            if section.text != text:
                section.text = text


def _values(situation: Situation, parameters: ProSTRegistrationParameterNode) -> tuple[str, str, str]:
    """The values of images, C-arm and start."""
    names = ", ".join(shortened(node.GetName()) for node in (situation.ct, situation.images[0]) if node is not None)
    more = f" +{len(situation.images) - 1}" if len(situation.images) > 1 else ""
    known = carmOf(situation.images[0])
    carm = _("SDD {sdd} mm, {origin}").format(sdd=round(known.sdd_mm), origin=accuracyWord(known.accuracy))
    return names + more, carm, startWords(parameters)


def shortened(name: str) -> str:
    """Both ends of a long name: those of CT and X-ray often begin alike."""
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[-half:]}"
