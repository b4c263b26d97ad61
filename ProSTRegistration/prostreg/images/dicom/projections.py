"""Kinds of DICOM images that are no X-rays of a C-arm."""

from __future__ import annotations

from prostreg.images.dicom_tags import Tags, words_of

_NO_PROJECTIONS = ("CT", "MR", "PT", "NM", "US", "IVUS", "OCT", "SEG", "RTDOSE")
"""A CT's scout is none either: its rays are parallel along the patient."""


def kind_of_no_projection(tags: Tags) -> str | None:
    """The Modality of an image that no C-arm took; None for what may be an X-ray."""
    return next((kind for kind in words_of(tags, "Modality") if kind in _NO_PROJECTIONS), None)
