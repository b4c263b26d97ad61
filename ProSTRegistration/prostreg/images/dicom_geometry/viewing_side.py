"""The side from which a DICOM X-ray is seen, source or detector: one is the mirror image of the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from prostreg.images.dicom_tags import Tags, number_within, words_of

JOINED_DEVICES = ("XA", "RF")
"""Modalities whose tube and detector are one device, which measures its own distance; elsewhere it is set by hand."""

JOINED_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.12.1",
    "1.2.840.10008.5.1.4.1.1.12.1.1",
    "1.2.840.10008.5.1.4.1.1.12.2",
    "1.2.840.10008.5.1.4.1.1.12.2.1",
    "1.2.840.10008.5.1.4.1.1.12.3",
)
"""SOP classes of such devices: angiography and fluoroscopy, plain and enhanced, and biplane angiography."""

LEAST_ACROSS = 0.4
"""Cosine between the beam and the normal of rows and columns, from which these tell the side."""

_LPS = {
    "L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "H": (0, 0, 1), "F": (0, 0, -1),
}  # fmt: skip
_BEAMS = {"AP": "P", "PA": "A", "LL": "L", "RL": "R"}
"""ViewPosition and the side of the patient at which the detector is."""


@dataclass(frozen=True)
class ViewingSide:
    """The decision on an image as it is stored.

    Attributes:
        is_from_detector: True where its columns have to be reversed.
        sentence: the decision and what it was made from.
        is_told: True where the file tells it of this very picture, False where it is the custom of such devices.
    """

    is_from_detector: bool
    sentence: str
    is_told: bool = False


def viewing_side(tags: Tags) -> ViewingSide:
    """Decides from which side an image is stored.

    PatientOrientation (0020,0020) tells it together with the direction of the beam: rows x columns points along the
    beam in an image as seen from the source. The beam's direction is that of the positioner angles, (0018,1510) and
    (0018,1511), in radiography that of ViewPosition (0018,5101). Without it, angiography and fluoroscopy are stored as
    a person in front of the patient sees them, with the detector there, and FieldOfViewHorizontalFlip (0018,7034)
    turns that over. A rotation, as FieldOfViewRotation has it, changes no side. Radiographs without these tags count
    as seen from the source.
    """
    is_joined = is_joined_device(tags)
    normal, words = _picture_normal(tags)
    beam, where = _beam_of_positioner(tags) if is_joined else _beam_of_radiograph(tags)
    clash = ""
    if normal is not None and beam is not None:
        across = float(normal @ beam)
        if abs(across) >= LEAST_ACROSS:
            return replace(_decided(across < 0, f"{words} with {where}"), is_told=True)
        clash = f"{words} does not go with {where}; "
    if not is_joined:
        unknown = clash or "PatientOrientation and ViewPosition do not tell from which side the picture is seen; "
        return ViewingSide(False, f"Left and right stay: {unknown}it is taken as seen from the source.")
    if words_of(tags, "FieldOfViewHorizontalFlip") == ["YES"]:
        return _decided(
            False, f"{clash}FieldOfViewHorizontalFlip YES, of a device that else stores what the detector sees"
        )
    return _decided(True, f"{clash}devices for angiography and fluoroscopy do so")


def is_joined_device(tags: Tags) -> bool:
    """True for angiography and fluoroscopy."""
    return bool(
        set(words_of(tags, "SOPClassUID")) & set(JOINED_CLASSES)
        or set(words_of(tags, "Modality")) & set(JOINED_DEVICES)
    )


def _decided(is_from_detector: bool, reason: str) -> ViewingSide:
    if is_from_detector:
        return ViewingSide(
            True, f"Left and right are exchanged, the picture is stored as seen from the detector: {reason}."
        )
    return ViewingSide(False, f"Left and right stay, the picture is stored as seen from the source: {reason}.")


def _picture_normal(tags: Tags) -> tuple[NDArray[np.float64] | None, str]:
    """Rows x columns in LPS, of length 1, and the words that tell it; None where there are none."""
    words = words_of(tags, "PatientOrientation")
    if len(words) != 2:
        return None, ""
    along_rows, along_columns = (_direction(word) for word in words)
    normal = np.cross(along_rows, along_columns)
    length = float(np.linalg.norm(normal))
    return (None, "") if length < LEAST_ACROSS else (normal / length, f"PatientOrientation {words[0]}\\{words[1]}")


def _direction(letters: str) -> NDArray[np.float64]:
    """An LPS direction of length 1 or, for letters that are none, 0; each next letter weighs half."""
    if not set(letters) <= set(_LPS):
        return np.zeros(3)
    direction = sum((np.array(_LPS[letter]) / 2**place for place, letter in enumerate(letters)), np.zeros(3))
    return direction / max(float(np.linalg.norm(direction)), 1e-9)


def _beam_of_positioner(tags: Tags) -> tuple[NDArray[np.float64], str]:
    """The beam's direction in LPS by the positioner angles, and in words; without them the detector is in front."""
    primary, secondary = (
        number_within(tags, keyword, -180.0, 180.0)
        for keyword in ("PositionerPrimaryAngle", "PositionerSecondaryAngle")
    )
    where = (
        "the detector in front of the patient"
        if primary is None
        else f"positioner angles {primary:g}/{secondary or 0:g}"
    )
    around, up = np.deg2rad([primary or 0.0, secondary or 0.0])
    return np.array([np.sin(around) * np.cos(up), -np.cos(around) * np.cos(up), np.sin(up)]), where


def _beam_of_radiograph(tags: Tags) -> tuple[NDArray[np.float64] | None, str]:
    words = words_of(tags, "ViewPosition")
    if len(words) != 1 or words[0] not in _BEAMS:
        return None, ""
    return np.array(_LPS[_BEAMS[words[0]]], dtype=np.float64), f"ViewPosition {words[0]}"
