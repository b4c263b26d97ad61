"""Distances and pixel pitch that an X-ray's DICOM tags tell, and what has to be said of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from prostreg.geometry.carm_limits import LARGEST_PIXEL_MM, LARGEST_SDD_MM, SMALLEST_PIXEL_MM, SMALLEST_SDD_MM
from prostreg.images.dicom_tags import Tags, number_within, numbers_of, value_of, whole_number_of

_UNITS = ((1.0, "mm"), (10.0, "cm"), (1000.0, "m"))
_SMALLEST_FIELD_MM, _LARGEST_FIELD_MM = 30.0, 600.0
_MOST_BINNING, _BINNED_FROM = 16.0, 1.5
_SAME_WITHIN = 0.02
_FIELD_FACTOR = 1.6
"""Between an image's length and that of its field; the square in a circle, and a binning of 2, are told apart by it."""
_NO_SPACING = "ImagerPixelSpacing (0018,1164) has no usable value"
_SQUARE_WITHIN = 0.05
"""Pixels of detectors are square; a field of view that gives others is not that of the image."""


@dataclass(frozen=True)
class SourceDetector:
    """The source-detector distance.

    Attributes:
        mm: None where no tag tells a distance that a device has.
        unit: mm in one unit of the tags; other than 1 where the file gives cm or m.
        said: a sentence where it is missing or in another unit.
    """

    mm: float | None
    unit: float = 1.0
    said: str | None = None


@dataclass(frozen=True)
class PixelPitch:
    """The pixel pitch on the detector.

    Attributes:
        mm: along columns, along rows; None where no tag tells one that a detector has.
        said: a sentence where it is missing, estimated, or contradicted by other tags.
        estimated_from: the keyword of a field of view that stands in for it.
    """

    mm: tuple[float, float] | None
    said: str | None = None
    estimated_from: str | None = None


def source_detector(tags: Tags) -> SourceDetector:
    """DistanceSourceToDetector (0018,1110): in mm by the standard, in cm or m where it can be nothing else."""
    given = numbers_of(tags, "DistanceSourceToDetector", 1)
    for unit, name in _UNITS:
        if given and SMALLEST_SDD_MM <= given[0] * unit <= LARGEST_SDD_MM:
            said = None if unit == 1.0 else f"DistanceSourceToDetector is {given[0]:g}, which was read as {name}."
            return SourceDetector(given[0] * unit, unit, said)
    fault = "is missing" if value_of(tags, "DistanceSourceToDetector") is None else "is not one number"
    fault = f"is {given[0]:g}, which no device has" if given else fault
    return SourceDetector(None, said=f"DistanceSourceToDetector (0018,1110) {fault}.")


def source_patient_mm(tags: Tags, detector: SourceDetector) -> float | None:
    """The distance from the source to the patient, told or by the magnification; None where it makes no sense."""
    if detector.mm is None:
        return None
    told = number_within(tags, "DistanceSourceToPatient", 1.0 / detector.unit, (detector.mm - 1.0) / detector.unit)
    if told is not None:
        return told * detector.unit
    magnification = number_within(tags, "EstimatedRadiographicMagnificationFactor", 1.001, 100.0)
    return None if magnification is None else detector.mm / magnification


def pixel_pitch(tags: Tags) -> PixelPitch:
    """Pitch by ImagerPixelSpacing (0018,1164), which counts binning, or by what stands in for it.

    DetectorElementSpacing (0018,7022) is of the physical elements: DetectorBinning (0018,701A) of them make a pixel.
    FieldOfViewDimensions (0018,1149) or IntensifierSize (0018,1162) over the image's size are an estimate. PixelSpacing
    is not used: it may be scaled to the patient.
    """
    imager = _usable(numbers_of(tags, "ImagerPixelSpacing", 2))
    if imager is not None:
        return PixelPitch(imager, _contradiction(tags, imager))
    binning = numbers_of(tags, "DetectorBinning", 2)
    factors = binning if binning and all(1.0 <= factor <= _MOST_BINNING for factor in binning) else [1.0, 1.0]
    elements = numbers_of(tags, "DetectorElementSpacing", 2)
    detector = _usable([element * factor for element, factor in zip(elements, factors, strict=False)])
    if detector is not None:
        return PixelPitch(detector)
    for keyword in ("FieldOfViewDimensions", "IntensifierSize"):
        field = _pitch_of_field(tags, keyword)
        if field is not None:
            said = f"{_NO_SPACING}: {field:.3f} mm is estimated from {keyword}."
            return PixelPitch((field, field), said, estimated_from=keyword)
    return PixelPitch(
        None, f"{_NO_SPACING}, nor has DetectorElementSpacing, FieldOfViewDimensions or IntensifierSize in its place."
    )


def _contradiction(tags: Tags, pitch_mm: tuple[float, float]) -> str | None:
    """A sentence where ImagerPixelSpacing leaves out the binning, or gives an image of another size than its field."""
    said = f"ImagerPixelSpacing is {pitch_mm[0]:g} mm, "
    doubt = 'one of them is wrong: give "K" if you know better.'
    elements, binning = numbers_of(tags, "DetectorElementSpacing", 2), numbers_of(tags, "DetectorBinning", 2)
    if elements and binning and min(binning) >= _BINNED_FROM and abs(pitch_mm[1] / elements[0] - 1.0) < _SAME_WITHIN:
        return f"{said}as DetectorElementSpacing is, but DetectorBinning makes a pixel of several elements; {doubt}"
    ratio = pitch_mm[1] / pitch_mm[0]
    for keyword in ("PixelAspectRatio", "PixelSpacing"):
        told = _height_over_width(tags, keyword)
        if told is not None and abs(told / ratio - 1.0) > _SAME_WITHIN:
            return (
                f"ImagerPixelSpacing makes a pixel {ratio:.3g} times as high as wide, and {keyword} {told:.3g} times;"
                f" {doubt}"
            )
    image_mm = max(
        whole_number_of(tags, keyword, 0) * step for keyword, step in zip(("Columns", "Rows"), pitch_mm, strict=True)
    )
    for keyword, most in (("FieldOfViewDimensions", _FIELD_FACTOR), ("DetectorActiveDimensions", math.inf)):
        sides = numbers_of(tags, keyword, 1) or numbers_of(tags, keyword, 2)
        if not sides or not image_mm or not _SMALLEST_FIELD_MM <= max(sides) <= _LARGEST_FIELD_MM:
            continue
        if not 1.0 / most <= image_mm / max(sides) <= _FIELD_FACTOR:
            return f"{said}by which the image is {image_mm:.0f} mm long, and {keyword} says {max(sides):.0f}; {doubt}"
    return None


def _height_over_width(tags: Tags, keyword: str) -> float | None:
    """A pixel's height over its width, from what is told of both; None where nothing usable is."""
    told = numbers_of(tags, keyword, 2)
    return told[0] / told[1] if told and min(told) > 0 else None


def _usable(spacing: list[float]) -> tuple[float, float] | None:
    """Spacings along columns and along rows; DICOM gives them the other way round."""
    if len(spacing) != 2 or not all(SMALLEST_PIXEL_MM <= value <= LARGEST_PIXEL_MM for value in spacing):
        return None
    between_rows, between_columns = spacing
    return between_columns, between_rows


def _pitch_of_field(tags: Tags, keyword: str) -> float | None:
    """Pitch of square pixels where a field of one diameter, or of two sides in either order, fills the image."""
    size = whole_number_of(tags, "Columns", 0), whole_number_of(tags, "Rows", 0)
    sides = numbers_of(tags, keyword, 1) or numbers_of(tags, keyword, 2)
    if not sides or min(size) < 1 or not all(_SMALLEST_FIELD_MM <= side <= _LARGEST_FIELD_MM for side in sides):
        return None
    long, short = sides[0] / min(size), sides[0] / min(size)
    if len(sides) == 2:
        long, short = max(sides) / max(size), min(sides) / min(size)
    pitch = (long + short) / 2
    told = _height_over_width(tags, "PixelAspectRatio")
    if told is not None and abs(told - 1.0) > _SAME_WITHIN:
        return None
    is_usable = SMALLEST_PIXEL_MM <= pitch <= LARGEST_PIXEL_MM and abs(long / short - 1.0) <= _SQUARE_WITHIN
    return pitch if is_usable else None
