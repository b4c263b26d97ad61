"""Tags of DICOM X-rays, and from which side their pictures are seen."""

from __future__ import annotations

from typing import Any

from pydicom.uid import EnhancedXAImageStorage, XRayAngiographicImageStorage


def _xa(orientation: list[str], primary: float | None = None, secondary: float | None = None) -> dict[str, Any]:
    angles = {"PositionerPrimaryAngle": primary, "PositionerSecondaryAngle": secondary}
    return {"PatientOrientation": orientation} | {name: str(a) for name, a in angles.items() if a is not None}


DETECTOR, SOURCE = "stored as seen from the detector", "stored as seen from the source"
UNKNOWN = "it is taken as seen from the source"
HABIT = "devices for angiography and fluoroscopy do so"
FLIPPED, NOT_FLIPPED = {"FieldOfViewHorizontalFlip": "YES"}, {"FieldOfViewHorizontalFlip": "NO"}
SIDES: list[tuple[str, dict[str, Any], str, str]] = [
    # The standard's picture of a patient who is looked at, the detector in front: no tag, or all of them, tell it.
    ("XA", {}, DETECTOR, HABIT),
    ("RF", {}, DETECTOR, HABIT),
    ("XA", {"SOPClassUID": EnhancedXAImageStorage}, DETECTOR, HABIT),
    ("DX", {"Modality": "OT", "SOPClassUID": XRayAngiographicImageStorage}, DETECTOR, HABIT),
    ("XA", NOT_FLIPPED, DETECTOR, HABIT),
    ("RF", NOT_FLIPPED | {"FieldOfViewRotation": "180"}, DETECTOR, HABIT),
    ("XA", FLIPPED, SOURCE, "FieldOfViewHorizontalFlip YES"),
    ("RF", FLIPPED | {"FieldOfViewRotation": "90"}, SOURCE, "FieldOfViewHorizontalFlip YES"),
    # From behind the patient the habit is the same: the detector is there, and so is who looks.
    ("XA", _xa([], 175.0, 0.0), DETECTOR, HABIT),
    ("XA", _xa(["L", "F"], 0.0, 0.0), DETECTOR, "PatientOrientation L\\F with positioner angles 0/0"),
    ("XA", _xa(["R", "F"], 0.0, 0.0), SOURCE, "PatientOrientation R\\F with positioner angles 0/0"),
    ("RF", _xa(["L", "F"]), DETECTOR, "PatientOrientation L\\F with the detector in front of the patient"),
    ("RF", _xa(["R", "F"]), SOURCE, "PatientOrientation R\\F with the detector in front of the patient"),
    ("XA", _xa(["R", "H"], 0.0, 0.0), DETECTOR, "PatientOrientation R\\H"),  # the first one, turned by half
    ("XA", _xa(["LP", "FL"], 30.5, 20.0), DETECTOR, "PatientOrientation LP\\FL with positioner angles 30.5/20"),
    ("XA", _xa(["RA", "F"], 30.0, -20.0), SOURCE, "positioner angles 30/-20"),
    ("XA", _xa(["P", "F"], 90.0, 0.0), DETECTOR, "PatientOrientation P\\F with positioner angles 90/0"),
    ("XA", _xa(["A", "F"], 90.0, 0.0), SOURCE, "PatientOrientation A\\F"),
    ("XA", _xa(["A", "F"], -90.0, 0.0), DETECTOR, "positioner angles -90/0"),
    # What is right before the patient is left behind.
    ("XA", _xa(["L", "F"], 180.0, 0.0), SOURCE, "PatientOrientation L\\F with positioner angles 180/0"),
    ("XA", _xa(["R", "F"], -150.0, 10.0), DETECTOR, "PatientOrientation R\\F with positioner angles -150/10"),
    # PatientOrientation tells how the picture is stored, after all flips.
    ("XA", _xa(["L", "F"], 0.0, 0.0) | FLIPPED, DETECTOR, "PatientOrientation L\\F"),
    ("XA", _xa(["R", "F"], 0.0, 0.0) | NOT_FLIPPED, SOURCE, "PatientOrientation R\\F"),
    # Rows and columns in one plane with the beam, or none at all, tell nothing.
    ("XA", _xa(["L", "F"], 90.0, 0.0), DETECTOR, "L\\F does not go with positioner angles 90/0; " + HABIT),
    ("XA", _xa(["L", "F"], 95.0, 0.0) | FLIPPED, SOURCE, "does not go with positioner angles 95/0; FieldOfView"),
    ("XA", _xa(["L", "R"], 0.0, 0.0), DETECTOR, HABIT),
    ("XA", _xa(["LEFT", "FOOT"], 0.0, 0.0), DETECTOR, HABIT),
    ("XA", _xa(["L"], 0.0, 0.0) | FLIPPED, SOURCE, "FieldOfViewHorizontalFlip YES"),
    # A radiograph's beam may go either way; a chest is taken from behind and looked at from the front.
    ("DX", {}, UNKNOWN, "PatientOrientation and ViewPosition do not tell"),
    ("CR", _xa(["L", "F"]), UNKNOWN, "PatientOrientation and ViewPosition do not tell"),
    ("DX", {"ViewPosition": "PA"}, UNKNOWN, "PatientOrientation and ViewPosition do not tell"),
    ("CR", FLIPPED, UNKNOWN, "PatientOrientation and ViewPosition do not tell"),
    ("CR", _xa(["L", "F"]) | {"ViewPosition": "PA"}, DETECTOR, "PatientOrientation L\\F with ViewPosition PA"),
    ("DX", _xa(["L", "F"]) | {"ViewPosition": "AP"}, SOURCE, "PatientOrientation L\\F with ViewPosition AP"),
    ("DX", _xa(["P", "F"]) | {"ViewPosition": "LL"}, DETECTOR, "ViewPosition LL"),
    ("DX", _xa(["P", "F"]) | {"ViewPosition": "RL"}, SOURCE, "ViewPosition RL"),
    ("DX", _xa(["A", "F"]) | {"ViewPosition": "AP"}, UNKNOWN, "A\\F does not go with ViewPosition AP"),
    ("DX", _xa(["L", "F"]) | {"ViewPosition": "LLO"}, UNKNOWN, "do not tell"),
]
"""Modality, tags, the side that they tell, and words of the reason."""
