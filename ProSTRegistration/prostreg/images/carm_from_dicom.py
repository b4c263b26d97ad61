"""The C-arm that an X-ray's DICOM tags describe."""

from __future__ import annotations

from prostreg.errors import InputError
from prostreg.geometry.carm import LARGEST_PIXEL_MM, LARGEST_SDD_MM, SMALLEST_PIXEL_MM, SMALLEST_SDD_MM, CArm
from prostreg.images.dicom_tags import Tags, number_within, numbers_of, whole_number_of


def carm_from_dicom(tags: Tags) -> CArm | None:
    """Intrinsics from the source-detector distance and the pixel pitch on the detector.

    The detector's normal is taken to meet the image's centre; world = camera.

    Returns:
        None where the tags do not tell, or tell nothing usable.
    """
    sdd_mm, pitch_mm = source_detector_mm(tags), pixel_pitch_mm(tags)
    if sdd_mm is None or pitch_mm is None:
        return None
    size = whole_number_of(tags, "Columns", 0), whole_number_of(tags, "Rows", 0)
    try:
        return CArm.from_sdd(sdd_mm, pitch_mm, size)
    except InputError:
        return None


def source_detector_mm(tags: Tags) -> float | None:
    """DistanceSourceToDetector (0018,1110); None where it is absent or no device has it."""
    return number_within(tags, "DistanceSourceToDetector", SMALLEST_SDD_MM, LARGEST_SDD_MM)


def pixel_pitch_mm(tags: Tags) -> tuple[float, float] | None:
    """Pixel pitch on the detector (along columns, along rows); None where it is absent or no device has it.

    ImagerPixelSpacing (0018,1164), which already counts binning, or else DetectorElementSpacing (0018,7022).
    PixelSpacing is not used: it may be scaled to the patient.
    """
    for keyword in ("ImagerPixelSpacing", "DetectorElementSpacing"):
        spacing = numbers_of(tags, keyword, 2)
        if spacing and all(SMALLEST_PIXEL_MM <= value <= LARGEST_PIXEL_MM for value in spacing):
            between_rows, between_columns = spacing
            return between_columns, between_rows
    return None
