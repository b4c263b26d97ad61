"""The C-arm that an X-ray's DICOM tags describe."""

from __future__ import annotations

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_accuracy import FROM_DICOM, GUESSED
from prostreg.images.dicom_geometry.detector_field import DetectorField, detector_field
from prostreg.images.dicom_geometry.distances import pixel_pitch, source_detector
from prostreg.images.dicom_geometry.viewing_side import is_joined_device
from prostreg.images.dicom_tags import Tags, whole_number_of


def carm_from_dicom(tags: Tags) -> CArm | None:
    """Intrinsics from the source-detector distance and the pixel pitch on the detector.

    The detector's normal is taken to meet the middle of the detector, as `detector_field` has it, or else the image's;
    world = camera.

    Returns:
        None where the tags do not tell, or tell nothing usable.
    """
    detector, pitch = source_detector(tags), pixel_pitch(tags)
    if detector.mm is None or pitch.mm is None:
        return None
    field = _field(tags, pitch.mm)
    is_clear = field.trouble is None and detector.said is None and pitch.said is None
    accuracy = FROM_DICOM if is_joined_device(tags) and is_clear else GUESSED
    try:
        return CArm.from_sdd(detector.mm, pitch.mm, _size(tags), field.detector_middle, accuracy=accuracy)
    except InputError:
        return None


def said_of_carm(tags: Tags) -> str | None:
    """Sentences on the tags: which value is missing, read in another unit or estimated, and trouble with the field."""
    said = [
        part for part in (source_detector(tags).said, pixel_pitch(tags).said, field_trouble(tags)) if part is not None
    ]
    return " ".join(said) or None


def field_trouble(tags: Tags) -> str | None:
    """A sentence where tags about the field of view cannot be used for the C-arm."""
    pitch_mm = pixel_pitch(tags).mm
    trouble = None if pitch_mm is None else _field(tags, pitch_mm).trouble
    if trouble is None:
        return None
    return (
        f"The DICOM tags do not tell where the beam's axis meets the image: {trouble}. The image's middle is taken, and"
        ' counts as little known: give "K" if you know better.'
    )


def _field(tags: Tags, pitch_mm: tuple[float, float]) -> DetectorField:
    return detector_field(tags, [pitch_mm[1], pitch_mm[0]], _size(tags))


def _size(tags: Tags) -> tuple[int, int]:
    return whole_number_of(tags, "Columns", 0), whole_number_of(tags, "Rows", 0)
