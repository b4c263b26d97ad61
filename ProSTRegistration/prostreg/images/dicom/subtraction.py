"""Digital subtraction of angiograms (DSA): bones are taken out of such pictures, so it has to be said."""

from __future__ import annotations

from prostreg.images.dicom_tags import Tags, items_of, words_of

_SUBTRACTIONS = ("AVG_SUB", "TID", "REV_TID")


def subtraction_note(tags: Tags) -> str | None:
    """A sentence on a run that is shown subtracted, or whose frames are subtracted already; None for others."""
    if any("SUBTRACT" in word for keyword in ("ImageType", "FrameType") for word in words_of(tags, keyword)) or any(
        "SUBTRACT" in word
        for code in items_of(tags, "DerivationCodeSequence")
        for word in words_of(code, "CodeMeaning")
    ):
        return (
            "By its tags the picture was made by subtraction (DSA), which takes the bones out of it: give the run that"
            " it was made from."
        )
    operations = [
        word for item in items_of(tags, "MaskSubtractionSequence") for word in words_of(item, "MaskOperation")
    ]
    if not set(operations) & set(_SUBTRACTIONS):
        return None
    return "The run is meant to be shown subtracted (DSA): its frames are used as they were taken, with the bones."
