"""The C-arm that an X-ray's DICOM tags describe."""

from __future__ import annotations

from prostreg.errors import InputError
from prostreg.geometry.carm import LARGEST_PIXEL_MM, LARGEST_SDD_MM, SMALLEST_PIXEL_MM, SMALLEST_SDD_MM, CArm
from prostreg.geometry.carm_accuracy import FROM_DICOM, GUESSED
from prostreg.images.dicom_geometry.detector_field import DetectorField, detector_field
from prostreg.images.dicom_geometry.viewing_side import is_joined_device
from prostreg.images.dicom_tags import Tags, number_within, numbers_of, whole_number_of


def carm_from_dicom(tags: Tags) -> CArm | None:
    """Intrinsics from the source-detector distance and the pixel pitch on the detector.

    The detector's normal is taken to meet the middle of the detector, as `detector_field` has it, or else the image's;
    world = camera.

    Returns:
        None where the tags do not tell, or tell nothing usable.
    """
    sdd_mm, pitch_mm = source_detector_mm(tags), pixel_pitch_mm(tags)
    if sdd_mm is None or pitch_mm is None:
        return None
    field = _field(tags, pitch_mm)
    accuracy = FROM_DICOM if is_joined_device(tags) and field.trouble is None else GUESSED
    try:
        return CArm.from_sdd(sdd_mm, pitch_mm, _size(tags), field.detector_middle, accuracy=accuracy)
    except InputError:
        return None


def field_trouble(tags: Tags) -> str | None:
    """A sentence where tags about the field of view cannot be used for the C-arm."""
    pitch_mm = pixel_pitch_mm(tags)
    trouble = None if pitch_mm is None else _field(tags, pitch_mm).trouble
    if trouble is None:
        return None
    return (
        f"The DICOM tags do not tell where the beam's axis meets the image: {trouble}. The image's middle is taken, and"
        ' counts as little known: give "K" if you know better.'
    )


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


def _field(tags: Tags, pitch_mm: tuple[float, float]) -> DetectorField:
    return detector_field(tags, [pitch_mm[1], pitch_mm[0]], _size(tags))


def _size(tags: Tags) -> tuple[int, int]:
    return whole_number_of(tags, "Columns", 0), whole_number_of(tags, "Rows", 0)
