"""Checks that slices which call themselves one series are those of one scan, and in HU."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pydicom

from prostreg.images.dicom_tags import words_of

_SAME = {"PatientID": "patients", "StudyInstanceUID": "studies", "FrameOfReferenceUID": "frames of reference"}
"""What all slices of one scan share, and what differs otherwise. Values are compared, and told to nobody."""

_SETTINGS = ("KVP", "ConvolutionKernel")
_SCANS = ("AcquisitionNumber", *_SETTINGS)

_NOT_HU = ("OD", "MGML", "Z_EFF", "ED", "EDW", "PCT")
"""RescaleType (0028,1054) of densities, atomic numbers and percentages; scanners write HU, US, or words of theirs."""

_PROJECTED = frozenset(("MIP", "MINIP", "MAX_IP", "MIN_IP"))
"""Words of ImageType (0008,0008) for slabs of which each pixel keeps the densest voxel, or the least dense one."""

_LEAST_SLICES_OF_EACH = 4
"""Old scanners count an acquisition for each slice, or for two."""

ONE_SCAN_TAGS = [*_SAME, *_SCANS, "RescaleType"]


def mixture_faults(headers: Sequence[pydicom.Dataset], name: str) -> list[str]:
    """Says what keeps slices, in the order in which they lie, from being one CT.

    Args:
        headers: one of each slice, with the `ONE_SCAN_TAGS`; what is missing is not compared.
        name: with which sentences begin.
    """
    faults = [
        f"{name} has slices of different {what} ({keyword}): keep the slices of one scan in the folder."
        for keyword, what in _SAME.items()
        if len(set(_values(headers, keyword))) > 1
    ]
    turns = [keyword for keyword in _SCANS if _take_turns(_values(headers, keyword))]
    if turns:
        faults.append(
            f"{name} has slices of several scans that lie between each other ({', '.join(turns)} go back and forth):"
            " keep one scan in the folder."
        )
    projected = sorted(_PROJECTED & _image_words(headers))
    if projected:
        faults.append(
            f"{name} is of projections (ImageType {projected[0]}) and not of slices: give those that they were made of."
        )
    kinds = sorted({kind for value in _values(headers, "RescaleType") for kind in value if kind in _NOT_HU})
    if kinds:
        faults.append(f"{name} is not in HU, its RescaleType is {kinds[0]}: export the CT in HU.")
    return faults


def mixture_note(headers: Sequence[pydicom.Dataset], name: str) -> str | None:
    """A sentence on slices that were taken or computed in different ways; None where there is nothing to say."""
    differ = [keyword for keyword in _SETTINGS if len(set(_values(headers, keyword))) > 1]
    said = [f"{name} has slices of different {' and '.join(differ)}: check that it is one scan."] if differ else []
    if any("SUBTRACT" in word for word in _image_words(headers)):
        said.append(f"{name} was made by subtraction (ImageType), which may take bones out: check that they are there.")
    return " ".join(said) or None


def _image_words(headers: Sequence[pydicom.Dataset]) -> set[str]:
    return {word for value in _values(headers, "ImageType") for text in value for word in text.split()}


def _values(headers: Sequence[pydicom.Dataset], keyword: str) -> list[tuple[str, ...]]:
    """A tag's words in each slice that has it."""
    return [tuple(words) for header in headers if (words := words_of(header, keyword))]


def _take_turns(values: Sequence[tuple[str, ...]]) -> bool:
    """True where few values change at every other slice or more; one for each slice or block of slices does not."""
    kinds = len(set(values))
    changes = sum(one != other for one, other in pairwise(values))
    return kinds > 1 and 2 * changes >= len(values) >= _LEAST_SLICES_OF_EACH * kinds
