"""The one thing to do next, highlighted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ProSTRegistrationLib.Panel.Situation import Situation
    from ProSTRegistrationLib.Panel.Validity import Validity

STYLE = (
    "QPushButton:enabled { background-color: #1558b0; color: #ffffff; font-weight: bold; padding: 4px;"
    " border: 1px solid #0d3f85; border-radius: 3px; }"
    " QPushButton:enabled:hover { background-color: #0d3f85; color: #ffffff; }"
)
"""With a border of its own: without one, styles mix the background with a lighter one."""


def nextThing(situation: Situation, isDraft: bool, shown: dict[str, Any] | None, validity: Validity) -> str:
    """Name of the button to press next; "" where something else is to be done, or something runs.

    Args:
        isDraft: the C-arm's fields show values that are not used yet.
        shown: the current attempt, and ``validity`` of its verdict.
    """
    if situation.isBusy:
        return ""
    if situation.ct is None and not situation.images:
        return "phantomButton"
    if not situation.hasImages:
        return ""
    if isDraft or not situation.isReady:
        return "placeButton"
    if shown is None or not (validity.isValid or (validity.isOfTheseInputs and shown["decision"] == "rejected")):
        return "registerButton"
    if shown["decision"] == "accepted" and validity.isOnScreen:
        return "saveButton"
    # Steps to try stand under what is not trusted.
    isOpen = shown["decision"] not in ("accepted", "rejected") and shown["status"] == "accepted"
    return "acceptButton" if isOpen else ""


class NextThing:
    """Highlights one button of the panel.

    Args:
        ui: the widgets of the panel by their names.
    """

    def __init__(self, ui: Any) -> None:
        self._ui, self._name = ui, ""

    def show(self, name: str) -> None:
        """Highlights the button of this name, "" for none."""
        if name != self._name:
            for changed, style in ((self._name, ""), (name, STYLE)):
                if changed:
                    getattr(self._ui, changed).setStyleSheet(style)
            self._name = name
