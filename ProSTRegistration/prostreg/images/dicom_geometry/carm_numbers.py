"""Each number that an X-ray's DICOM tags tell of the C-arm, with its origin and how well it is known."""

from __future__ import annotations

from dataclasses import dataclass

from prostreg.geometry.carm_accuracy import CARM_ACCURACIES, GUESSED
from prostreg.images.dicom_geometry.carm_from_dicom import carm_from_dicom
from prostreg.images.dicom_geometry.distances import PixelPitch, pixel_pitch, source_detector, source_patient_mm
from prostreg.images.dicom_tags import Tags, number_within

_FARTHEST_MM = 5000.0
_TABLE = (
    ("table, height", "TableTopVerticalPosition"),
    ("table, along", "TableTopLongitudinalPosition"),
    ("table, across", "TableTopLateralPosition"),
)
NOT_TOLD, AS_TOLD = "not told", "as the device tells it"


@dataclass(frozen=True)
class CArmNumber:
    """One number of a C-arm.

    Attributes:
        name: for people.
        value: with its unit; "" where it is not told.
        origin: the tag that tells it, or what stands in for it.
        known: how well it is known, in words.
    """

    name: str
    value: str
    origin: str
    known: str


def carm_numbers(tags: Tags) -> tuple[CArmNumber, ...]:
    """The numbers that tags tell, or do not; table positions only where they are told.

    Distances count as known as `CARM_ACCURACIES` has it for the kind of device; one standard deviation is given.
    """
    carm = carm_from_dicom(tags)
    accuracy = CARM_ACCURACIES[GUESSED if carm is None else carm.accuracy]
    detector, pitch = source_detector(tags), pixel_pitch(tags)
    sod_mm = source_patient_mm(tags, detector)
    numbers = [
        _length("source to detector", detector.mm, "DistanceSourceToDetector", accuracy.sdd_share),
        _length("source to patient", sod_mm, _origin_of_sod(tags), accuracy.sdd_share),
        _pitch(pitch),
    ]
    if carm is not None:
        off_px = accuracy.principal_point_share * max(carm.size)
        u, v = carm.principal_point
        is_middle = abs(u - (carm.width - 1) / 2) < 1e-6 and abs(v - (carm.height - 1) / 2) < 1e-6
        origin = "the image's middle" if is_middle else "FieldOfViewOrigin with DetectorActiveDimensions"
        numbers.append(CArmNumber("principal point", f"{u:.1f}, {v:.1f} pixels", origin, f"± {off_px:.0f} pixels"))
        if sod_mm is not None:
            told = f"{carm.sdd_mm / sod_mm:.3f}"
            numbers.append(CArmNumber("magnification", told, "source to detector / source to patient", "as these two"))
    for axis in ("Primary", "Secondary"):
        angle = number_within(tags, f"Positioner{axis}Angle", -180.0, 180.0)
        value = "" if angle is None else f"{angle:.1f} degrees"
        known = NOT_TOLD if angle is None else AS_TOLD
        numbers.append(CArmNumber(f"{axis.lower()} angle", value, f"Positioner{axis}Angle", known))
    for name, keyword in _TABLE:
        position_mm = number_within(tags, keyword, -_FARTHEST_MM, _FARTHEST_MM)
        if position_mm is not None:
            numbers.append(CArmNumber(name, f"{position_mm:.1f} mm", keyword, AS_TOLD))
    return tuple(numbers)


def _length(name: str, length_mm: float | None, origin: str, share: float) -> CArmNumber:
    if length_mm is None:
        return CArmNumber(name, "", origin, NOT_TOLD)
    return CArmNumber(name, f"{length_mm:.1f} mm", origin, f"± {share * length_mm:.0f} mm")


def _origin_of_sod(tags: Tags) -> str:
    is_told = number_within(tags, "DistanceSourceToPatient", 0.1, _FARTHEST_MM) is not None
    return "DistanceSourceToPatient" if is_told else "EstimatedRadiographicMagnificationFactor"


def _pitch(pitch: PixelPitch) -> CArmNumber:
    if pitch.mm is None:
        return CArmNumber("pixel", "", "ImagerPixelSpacing", NOT_TOLD)
    value = f"{pitch.mm[0]:.4f} x {pitch.mm[1]:.4f} mm"
    if pitch.estimated_from is not None:
        return CArmNumber("pixel", value, pitch.estimated_from, "estimated, some per cent")
    known = AS_TOLD if pitch.said is None else "contradicted by other tags"
    return CArmNumber("pixel", value, "ImagerPixelSpacing or DetectorElementSpacing", known)
