"""The one button to press next, highlighted; and the steps to try, each a button that goes there."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from ProSTRegistrationLib.Panel.Messages import reveal, setVisible
from ProSTRegistrationLib.WhatNext import FIRST_STEP

MOST_SHOWN = 4
STYLE = (
    "QPushButton:enabled { background-color: #1558b0; color: #ffffff; font-weight: bold; padding: 4px;"
    " border: 1px solid #0d3f85; border-radius: 3px; }"
    " QPushButton:enabled:hover { background-color: #0d3f85; color: #ffffff; }"
)
"""With a border of its own: without one, styles mix the background with a lighter one."""


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


class NextSteps:
    """The buttons under a verdict.

    Args:
        ui: the widgets of the panel by their names.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._buttons = [qt.QPushButton(ui.nextStepsBox) for _number in range(MOST_SHOWN)]
        for number, button in enumerate(self._buttons):
            button.connect("clicked(bool)", lambda checked, number=number: self._go(number))
            ui.nextStepsBox.layout().addWidget(button)
            qt.QWidget.setTabOrder(self._buttons[number - 1] if number else ui.saveButton, button)
        self._steps: list[str] = []
        self._places = {
            "flip": (_("Flip the X-ray left to right"), ui.flipCheckBox),
            "carm": (_("Check the C-arm's distances and pixels"), ui.sddSpinBox),
            "anatomy": (_("Check the anatomy and its place in the CT"), ui.anatomySelector),
            "polarity": (_("Tell if bone is dark or bright"), ui.polarityComboBox),
            "outline": (_("Outline instruments in the X-ray"), ui.outlineButton),
            "start": (_("Set another start"), ui.standardViewComboBox),
            "everywhere": (_("Search everywhere, without a start"), ui.searchEverywhereCheckBox),
            "landmarks": (_("Mark landmarks in CT and X-ray"), ui.ctLandmarksButton),
            "view": (_("Add an X-ray from another direction"), ui.secondViewSelector),
            "longer": (_("Search longer"), ui.qualityComboBox),
            "adapt": (_("Adapt to this CT, if 10 minutes are there"), ui.adaptButton),
        }

    @property
    def first(self) -> Any:
        """The button of the likeliest step."""
        return self._buttons[0]

    def show(self, steps: list[str]) -> None:
        """Offers these steps, as many as there are buttons; none hides them all."""
        self._steps = steps[:MOST_SHOWN]
        for number, button in enumerate(self._buttons):
            isUsed = number < len(self._steps)
            if isUsed:
                button.text = f"{number + 1}. {self._places[self._steps[number]][0]}"
            setVisible(button, isUsed)
        setVisible(self._ui.nextStepsBox, bool(self._steps))

    def _go(self, number: int) -> None:
        reveal(self._places[self._steps[number]][1])
