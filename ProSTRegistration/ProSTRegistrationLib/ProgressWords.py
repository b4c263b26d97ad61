"""The words for how far a search is: its stage, and durations."""

from __future__ import annotations

from slicer.i18n import tr as _


def stageWords(stage: str) -> str:
    """A stage of a registration, by the engine's name, as words for the panel."""
    words = {
        "start": _("Looking at the start pose"),
        "prost": _("Searching nearby"),
        "cmaes": _("Searching"),
        "refine": _("Comparing the best places"),
        "polish": _("Making the result exact"),
        "mirror check": _("Checking the result"),
        "look-alikes": _("Comparing with neighbouring bones"),
    }
    return words.get(stage, _("Searching"))


def secondsText(seconds: float | None) -> str:
    """A duration for people."""
    if seconds is None:
        return ""
    if seconds < 90:
        return _("{count} s").format(count=round(seconds))
    return _("{count} min").format(count=round(seconds / 60))
