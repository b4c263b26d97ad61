"""The next thing to do: the button to press, and after a result that is not trusted the steps to try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from prostreg.geometry.carm_accuracy import CALIBRATED, GUESSED
from ProSTRegistrationLib.Nodes.FluoroscopyImage import isColoured
from ProSTRegistrationLib.Nodes.RunFrames import isStack

if TYPE_CHECKING:
    from ProSTRegistrationLib.Situation import Situation
    from ProSTRegistrationLib.Validity import Validity

FIRST_STEP = "first step to try"
REGISTER_BUTTON = "registerButton"
MOST_VIEWS = 3
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

POLARITY_SIGNS = {"the polarity was given": ["polarity"], "both polarities": ["polarity", "outline"]}
"""The same of a reason that every result has which is not accepted: other causes are likelier."""


def nextSteps(attempt: dict[str, Any], situation: Situation) -> list[str]:
    """Names of what to try, the likeliest first, each once.

    What the engine's reasons point at comes first, a guessed C-arm next, and then what helps most often.
    """
    reasons, views = " ".join(attempt["reasons"]), len(situation.images)
    found = [step for sign, step in SIGNS.items() if sign in reasons]
    found += ["carm"] if attempt["carm"] == GUESSED else []
    ofPolarity = [step for sign, steps in POLARITY_SIGNS.items() if sign in reasons for step in steps]
    if attempt["status"] == "failed":
        found += ["start"] if attempt["start"] == _("everywhere") else ["start", "everywhere"]
        found += ["flip"] if views == 1 else []
        found += ofPolarity
    found += ["view"] if views < MOST_VIEWS else []
    found += ["carm"] if attempt["carm"] != CALIBRATED else []
    return list(dict.fromkeys([*found, *ofPolarity, "landmarks", "longer", "adapt"]))


def nextThing(
    situation: Situation, isDraft: bool, startButton: str, shown: dict[str, Any] | None, validity: Validity
) -> str:
    """Name of the button to press next; "" where something else is to be done, or something runs.

    Args:
        isDraft: the C-arm's fields show values that are not used yet.
        startButton: name of the button that the start pose asks for, "" while landmarks are marked.
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
        return startButton
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
