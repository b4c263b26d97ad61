"""The polarity of a DICOM image's stored values by its tags: the same for every transfer syntax."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import DigitalXRayImageStorageForProcessing

from prostreg.choices import Polarity
from prostreg.images.dicom_tags import Tags, numbers_of, value_of, whole_number_of, words_of


def polarity_by_tags(dataset: Tags) -> tuple[Polarity | None, str | None]:
    """The direction of the stored values and what has to be said of it; None where the tags do not tell.

    PixelIntensityRelationshipSign (0028,1041) is of the stored values; LIN (0028,1040) is proportional to the beam's
    intensity. Radiographs (CR, DX) are shown with white bone, so the way to the display tells it: the photometric
    interpretation, turned over by every lookup that falls. Angiography and fluoroscopy are shown either way, and what
    is FOR PROCESSING is not shown at all: there it tells only where nothing else does.
    """
    stored, shown = _by_intensity(dataset), _by_display(dataset)
    if stored is not None and shown is not None and stored != shown and not _is_for_processing(dataset):
        return None, (
            f"The DICOM tags contradict each other: by PixelIntensityRelationshipSign the image is {stored}, by"
            f' PhotometricInterpretation and lookups {shown}. The image decides: give "polarity" if you know it.'
        )
    return stored or shown, None


def _by_intensity(dataset: Tags) -> Polarity | None:
    sign = whole_number_of(dataset, "PixelIntensityRelationshipSign", 0)
    if sign in (1, -1):
        return "bone-dark" if sign == 1 else "bone-bright"
    return "bone-dark" if words_of(dataset, "PixelIntensityRelationship") == ["LIN"] else None


def _by_display(dataset: Tags) -> Polarity | None:
    if words_of(dataset, "Modality") not in (["CR"], ["DX"]):
        return None
    inverted = _low_is_white(dataset)
    return None if inverted is None else "bone-dark" if inverted else "bone-bright"


def _is_for_processing(dataset: Tags) -> bool:
    is_said = words_of(dataset, "PresentationIntentType") == ["FOR PROCESSING"]
    return is_said or words_of(dataset, "SOPClassUID") == [DigitalXRayImageStorageForProcessing]


def _low_is_white(dataset: Tags) -> bool | None:
    """True where low stored values are shown white; None where the tags do not tell, or contradict each other."""
    photometric = words_of(dataset, "PhotometricInterpretation")
    if photometric not in (["MONOCHROME1"], ["MONOCHROME2"]):
        return None
    shape = words_of(dataset, "PresentationLUTShape")
    if shape in (["INVERSE"], ["IDENTITY"]) and (shape == ["INVERSE"]) != (photometric == ["MONOCHROME1"]):
        return None
    return (photometric == ["MONOCHROME1"]) != _lookups_turn_over(dataset)


def _lookups_turn_over(dataset: Tags) -> bool:
    """True where modality and VOI lookups together fall."""
    slope = numbers_of(dataset, "RescaleSlope", 1)
    falls = [bool(slope) and slope[0] < 0]
    falls += [_falls(value_of(dataset, keyword)) for keyword in ("ModalityLUTSequence", "VOILUTSequence")]
    return sum(falls) % 2 == 1


def _falls(lookup: Any) -> bool:
    """True where a table falls on the whole: its ends may be padding, or the same."""
    try:
        table = _table(lookup[0])
        return bool(np.dot(np.arange(table.size) - (table.size - 1) / 2, table - table.mean()) < 0)
    except Exception:  # a damaged sequence says nothing
        return False


def _table(lookup: Any) -> NDArray[np.float64]:
    """The entries of a lookup: as many as its descriptor says, of 8 bits where they are packed so."""
    data, descriptor = value_of(lookup, "LUTData"), numbers_of(lookup, "LUTDescriptor", 3)
    count = int(descriptor[0]) or 1 << 16 if descriptor else None
    if not isinstance(data, bytes):
        return np.atleast_1d(np.array(data, np.float64))[:count]
    is_packed = count is not None and descriptor[2] <= 8 and len(data) < 2 * count
    _, is_little = getattr(lookup, "original_encoding", (None, True))
    kind = "u1" if is_packed else ">u2" if is_little is False else "<u2"
    return np.frombuffer(data[: len(data) // 2 * 2] if not is_packed else data, kind)[:count].astype(np.float64)
