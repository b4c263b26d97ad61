"""Steps to try after a result that is not trusted: in order of likelihood, each a button that goes there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from prostreg.geometry.carm_accuracy import CALIBRATED, GUESSED
from ProSTRegistrationLib.Panel.Messages import reveal, setVisible

if TYPE_CHECKING:
    from ProSTRegistrationLib.Panel.Situation import Situation

MOST_SHOWN, MOST_VIEWS = 4, 3

SIGNS = {
    "the X-ray looks mirrored": "flip",
    "the labels fit the CT better": "anatomy",
    "the anatomy does not follow the edges": "anatomy",
    "may be one level off": "landmarks",
    "correct the C-arm": "carm",
    "does not appear in the image": "start",
    "of the anatomy lies inside the image": "start",
    "the run was stopped": "longer",
}
"""Parts of the engine's reasons, and what mends their cause."""


def nextSteps(attempt: dict[str, Any], situation: Situation) -> list[str]:
    """Names of what to try, the likeliest first, each once.

    What the engine's reasons point at comes first, a guessed C-arm next, and then what helps most often.
    """
    reasons, views = " ".join(attempt["reasons"]), len(situation.images)
    found = [step for sign, step in SIGNS.items() if sign in reasons]
    found += ["carm"] if attempt["carm"] == GUESSED else []
    if attempt["status"] == "failed":
        found += ["start"] if attempt["start"] == _("everywhere") else ["start", "everywhere"]
        found += ["flip"] if views == 1 else []
    found += ["view"] if views < MOST_VIEWS else []
    found += ["carm"] if attempt["carm"] != CALIBRATED else []
    return list(dict.fromkeys([*found, "landmarks", "longer", "adapt"]))


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
