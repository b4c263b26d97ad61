"""Numbers that C-arms can have, and sentences on those that none has; for every door that C-arms come in by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from prostreg.geometry.frames import Matrix
from prostreg.json_fields import is_number

SMALLEST_SDD_MM, LARGEST_SDD_MM = 300.0, 3000.0
SMALLEST_PIXEL_MM, LARGEST_PIXEL_MM = 0.01, 5.0
LARGEST_SIDE_PX = 100_000
"""No X-ray device has other distances from source to detector, or other pixels on it, or as many."""

LARGEST_FIELD_MM = 1500.0
"""A spine from head to hip on films that were put together has 900 mm."""

LARGEST_FOCAL_LENGTH_PX = LARGEST_SDD_MM / SMALLEST_PIXEL_MM
WIDEST_BEAM_DEG = 150.0
MOST_SKEW = 0.02
"""As a share of the focal length: a degree between the axes of the image. No detector's are so oblique."""

MOST_ASIDE_DEG = 45.0
"""From the detector's normal to the ray through the image's middle; cropped images of large detectors have 20."""

MOST_PIXEL_RATIO = 1.5
MOST_DISAGREEMENT = 1.1


def sdd_faults(sdd_mm: float) -> Iterator[str]:
    """A sentence on a source-detector distance that no device has."""
    if not (is_number(sdd_mm) and SMALLEST_SDD_MM <= sdd_mm <= LARGEST_SDD_MM):
        shown = f"{sdd_mm:g}" if is_number(sdd_mm) else str(sdd_mm)[:40]
        yield (
            f"The distance from source to detector (SDD) is {shown} mm: give one from {SMALLEST_SDD_MM:g} to"
            f" {LARGEST_SDD_MM:g}. Mobile C-arms have about 1000, wall stands up to 2000."
        )


def camera_faults(intrinsics: Matrix, size: tuple[int, int]) -> list[str]:
    """Sentences on a sound K (3, 3) and image size (width, height) in pixels that no C-arm has."""
    fx, skew, fy = float(intrinsics[0, 0]), float(intrinsics[0, 1]), float(intrinsics[1, 1])
    faults = []
    if max(fx, fy) > LARGEST_FOCAL_LENGTH_PX:
        faults.append(
            f"K has a focal length of {max(fx, fy):.3g} pixels, with which all rays are parallel: C-arms have"
            f" {LARGEST_FOCAL_LENGTH_PX:g} at most, and mostly 2000 to 12000. Give K in pixels."
        )
    if abs(skew) > MOST_SKEW * fx:
        faults.append(
            f"K has a skew of {skew:g} pixels, with which the axes of the image stand at"
            f" {90 - np.rad2deg(np.arctan(skew / fx)):.0f} degrees: detectors have 0 pixels or a few. Check the order"
            " of K's numbers."
        )
    opening_deg = 2 * np.rad2deg(np.arctan(np.array(size) / 2 / (fx, fy)))
    if (opening_deg > WIDEST_BEAM_DEG).any():
        faults.append(
            f"An image of {size[0]} x {size[1]} pixels with focal lengths of {fx:.3g} and {fy:.3g} opens by"
            f" {opening_deg.max():.0f} degrees, as no C-arm does: give K in pixels."
        )
    beside = (intrinsics[:2, 2] - (np.array(size) - 1) / 2) / (fx, fy)
    aside_deg = float(np.rad2deg(np.arctan(np.hypot(*beside))))
    if aside_deg > MOST_ASIDE_DEG:
        faults.append(
            f"K has its principal point at {intrinsics[0, 2]:g}, {intrinsics[1, 2]:g}, so far beside an image of"
            f" {size[0]} x {size[1]} pixels that the beam would meet the detector at {90 - aside_deg:.0f} degrees:"
            " it mostly lies near the image's middle. Give it in pixels from the first pixel."
        )
    return faults


def pixel_faults(intrinsics: Matrix, size: tuple[int, int], spacing_mm: Sequence[float] | None) -> Iterator[str]:
    """Sentences on what a sound K (3, 3) and the pixel spacing (along columns, along rows) say of the detector."""
    fx, fy = float(intrinsics[0, 0]), float(intrinsics[1, 1])
    if spacing_mm is None:
        if max(fx, fy) > MOST_PIXEL_RATIO * min(fx, fy):
            yield (
                f"K has the focal lengths {fx:g} and {fy:g}, so its pixels would be {max(fx, fy) / min(fx, fy):.3g}"
                ' times as long as wide: detectors have square ones. Check K, or give "spacing_mm" as well.'
            )
        return
    along_u, along_v = fx * spacing_mm[0], fy * spacing_mm[1]
    yield from sdd_faults(along_u)
    if max(along_u, along_v) > MOST_DISAGREEMENT * min(along_u, along_v):
        yield (
            f"K and the pixel spacing {tuple(spacing_mm)} mm contradict each other: the detector would be"
            f" {along_u:.4g} mm from the source along columns and {along_v:.4g} along rows. Check both."
        )
    field_mm = np.array(size) * spacing_mm
    if field_mm.max() > LARGEST_FIELD_MM:
        yield (
            f"An image of {size[0]} x {size[1]} pixels of {spacing_mm[0]:g} x {spacing_mm[1]:g} mm would be"
            f" {field_mm.max():.4g} mm long: detectors have 150 to 430, and no image more than {LARGEST_FIELD_MM:g}."
        )
