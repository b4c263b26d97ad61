"""The one thing to do next, highlighted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ProSTRegistrationLib.Nodes.FluoroscopyImage import isColoured
from ProSTRegistrationLib.Nodes.RunFrames import isStack

if TYPE_CHECKING:
    from ProSTRegistrationLib.Panel.Situation import Situation
    from ProSTRegistrationLib.Panel.Validity import Validity

FIRST_STEP = "first step to try"
STYLE = (
    "QPushButton:enabled { background-color: #1558b0; color: #ffffff; font-weight: bold; padding: 4px;"
    " border: 1px solid #0d3f85; border-radius: 3px; }"
    " QPushButton:enabled:hover { background-color: #0d3f85; color: #ffffff; }"
)
"""With a border of its own: without one, styles mix the background with a lighter one."""


def nextThing(
    situation: Situation, isDraft: bool, isMissed: bool, shown: dict[str, Any] | None, validity: Validity
) -> str:
    """Name of the button to press next; "" where something else is to be done, or something runs.

    Args:
        isDraft: the C-arm's fields show values that are not used yet.
        isMissed: the search would begin where an X-ray does not show the anatomy.
        shown: the current attempt, and ``validity`` of its verdict.
    """
    if situation.isBusy:
        return ""
    if situation.ct is None and not situation.images:
        return "phantomButton"
    if not situation.hasImages:
        return _mendingButton(situation)
    if isDraft or not situation.isReady:
        return "placeButton"
    if shown is None or not (validity.isValid or (validity.isOfTheseInputs and shown["decision"] == "rejected")):
        return "standardViewButton" if isMissed else "registerButton"
    if shown["decision"] == "accepted" and validity.isOnScreen:
        return "saveButton"
    if shown["decision"] == "rejected":
        return ""
    return "acceptButton" if shown["status"] == "accepted" else FIRST_STEP


def _mendingButton(situation: Situation) -> str:
    """The button that makes an X-ray of the chosen image."""
    image = situation.images[0] if situation.images else None
    if isColoured(image):
        return "greyButton"
    return "frameButton" if isStack(image) else ""


class NextThing:
    """Highlights one button of the panel.

    Args:
        ui: the widgets of the panel by their names.
        firstStep: the button of the first step to try, which stands under FIRST_STEP.
    """

    def __init__(self, ui: Any, firstStep: Any) -> None:
        self._ui, self._firstStep, self._name = ui, firstStep, ""

    def show(self, name: str) -> None:
        """Highlights the button of this name, "" for none."""
        if name != self._name:
            for changed, style in ((self._name, ""), (name, STYLE)):
                if changed:
                    button = self._firstStep if changed == FIRST_STEP else getattr(self._ui, changed)
                    button.setStyleSheet(style)
            self._name = name
