"""The C-arm that an X-ray's DICOM tags describe."""

from __future__ import annotations

import pydicom

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.images.dicom_tags import numbers_of, whole_number_of


def carm_from_dicom(dataset: pydicom.Dataset) -> CArm | None:
    """Intrinsics from the source-detector distance and the pixel pitch on the detector.

    DistanceSourceToDetector (0018,1110) with ImagerPixelSpacing (0018,1164), which already
    counts binning, or else DetectorElementSpacing (0018,7022). PixelSpacing is not used: it may
    be scaled to the patient. The detector's normal is taken to meet the image's centre; world = camera.

    Returns:
        None where the tags do not tell, or tell nothing usable.
    """
    distance = numbers_of(dataset, "DistanceSourceToDetector", 1)
    spacing = numbers_of(dataset, "ImagerPixelSpacing", 2) or numbers_of(dataset, "DetectorElementSpacing", 2)
    if not distance or not spacing:
        return None
    along_rows, along_columns = spacing  # DICOM gives the distance between rows first
    size = whole_number_of(dataset, "Columns", 0), whole_number_of(dataset, "Rows", 0)
    try:
        return CArm.from_sdd(distance[0], (along_columns, along_rows), size)
    except InputError:
        return None
