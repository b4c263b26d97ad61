"""The verdict on a result as people are told it, in the panel and in the report: its word, its colour, its sentences.

Each function takes ``_``, which gives a text in the user's language; without it, it stays English.
"""

from __future__ import annotations

from collections.abc import Callable

from prostreg.geometry.carm_accuracy import CALIBRATED, FROM_DICOM, GUESSED
from prostreg.spoken_numbers import percent, tenths

Translate = Callable[[str], str]

VERDICT_COLOURS = {"accepted": "#1b7f4d", "uncertain": "#8f5d00", "failed": "#b3261e"}
INK = "#ffffff"
"""Of what is written on them."""


def verdict_word(status: str, _: Translate = str) -> str:
    """The word for a result's status; a status that nobody knows stands for itself."""
    return {"accepted": _("Trusted"), "uncertain": _("Uncertain"), "failed": _("Failed")}.get(status, status)


def verdict_colour(status: str) -> str:
    """The colour of a verdict; a status that nobody knows looks like a failure."""
    return VERDICT_COLOURS.get(status, VERDICT_COLOURS["failed"])


def verdict_sentences(
    status: str,
    confidence: float,
    across_mm: float | None,
    along_mm: float | None,
    accuracy: str,
    _: Translate = str,
) -> list[str]:
    """The sentences behind the word: how likely the place is right, how exact then, and on whose word.

    Args:
        status: of the result.
        confidence: 0 to 1.
        across_mm, along_mm: expected error across and along the first view's beam; None where it is not known.
        accuracy: of the C-arm that is known least, one of `carm_accuracy.CARM_ACCURACIES`; nothing is said of others.
    """
    if status not in ("accepted", "uncertain"):
        said = [_("No place was found that fits.")]
    else:
        said = [_("{percent} likely the right place.").format(percent=percent(confidence))]
        if across_mm is not None and along_mm is not None:
            text = _("Expected error there: {across} across the beam, {along} along it.")
            across, along = length_words(across_mm, _), length_words(along_mm, _)
            said.append(text.format(across=across, along=along))
    if accuracy == GUESSED:
        said.append(_("The C-arm's values are guessed, not confirmed."))
    elif accuracy == FROM_DICOM:
        said.append(_("C-arm's values from DICOM."))
    return said


def accuracy_word(accuracy: str, _: Translate = str) -> str:
    """A word for where a C-arm's values come from; "" for one that is not known."""
    words = {CALIBRATED: _("as told"), FROM_DICOM: _("from DICOM"), GUESSED: _("guessed")}
    return words.get(accuracy, "")


def length_words(length_mm: float, _: Translate = str) -> str:
    """A length with no more digits than it is worth, and its unit."""
    told = tenths(length_mm)
    if told.startswith("< "):
        return _("less than {number} mm").format(number=told[2:])
    return _("{number} mm").format(number=told)
