"""The C-arm that an X-ray's DICOM tags describe."""

from __future__ import annotations

import pydicom

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm


def carm_from_dicom(dataset: pydicom.Dataset) -> CArm | None:
    """Intrinsics from the source-detector distance and the pixel pitch on the detector.

    DistanceSourceToDetector (0018,1110) with ImagerPixelSpacing (0018,1164), which already
    counts binning, or else DetectorElementSpacing (0018,7022). PixelSpacing is not used: it may
    be scaled to the patient. The detector's normal is taken to meet the image's centre; world = camera.

    Returns:
        None where the tags do not tell, or tell nothing usable.
    """
    distance = _numbers(dataset, "DistanceSourceToDetector", 1)
    spacing = _numbers(dataset, "ImagerPixelSpacing", 2) or _numbers(dataset, "DetectorElementSpacing", 2)
    if not distance or not spacing:
        return None
    along_rows, along_columns = spacing  # DICOM gives the distance between rows first
    try:
        return CArm.from_sdd(distance[0], (along_columns, along_rows), (int(dataset.Columns), int(dataset.Rows)))
    except InputError:
        return None


def _numbers(dataset: pydicom.Dataset, keyword: str, count: int) -> list[float]:
    value = dataset.get(keyword)
    if value is None or value == "":
        return []
    try:
        numbers = [float(value)] if count == 1 else [float(item) for item in value]
    except (TypeError, ValueError):
        return []
    return numbers if len(numbers) == count and all(n > 0 for n in numbers) else []
