"""A DRR as DICOM Secondary Capture, in the study of the CT that it was made of.

Stored values times RescaleSlope are line integrals. The C-arm stands in the tags of X-ray images, and whole in words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import SecondaryCaptureImageStorage
from pydicom.valuerep import format_number_as_ds

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix
from prostreg.outputs.dicom_object import new_object, reference_to, slice_identities
from prostreg.registration.case import Case

LARGEST_STORED = 65535
LEAST_SHARE = 0.3
"""Of a direction's length along an axis of the patient, from which the axis' letter is named."""

_LETTERS = ("RL", "AP", "HF")
_OTHER_FILE = "give the DRR another ending, .nrrd say"


def slices_of(case: Case) -> list[dict[str, str]]:
    """The UIDs of each slice of a case's CT.

    Raises:
        InputError: the CT is none of DICOM slices with UIDs, so that no study could be named.
    """
    if case.files is None or not case.files.ct.is_dir():
        of = "" if case.files is None else f" {case.files.ct}"
        raise InputError(
            f"A DRR as DICOM belongs to the study of its CT, and the CT{of} is no folder of DICOM slices:"
            f" {_OTHER_FILE}, or a case with the CT as DICOM."
        )
    slices = slice_identities(case.files.ct)
    if not slices:
        raise InputError(
            f"A DRR as DICOM belongs to the study of its CT, and slices in {case.files.ct} lack a UID"
            " (StudyInstanceUID, SeriesInstanceUID, SOPClassUID or SOPInstanceUID): export the CT anew, or"
            f" {_OTHER_FILE}."
        )
    return slices


def secondary_capture(
    drr: NDArray[np.float32], carm: CArm, world_from_volume: Matrix, slices: list[dict[str, str]]
) -> Dataset:
    """The DRR as a DICOM object.

    Args:
        drr: (height, width) line integrals, not all of them 0.
        carm: that it was rendered for.
        world_from_volume: the pose, rigid (4, 4).
        slices: of the CT, as `slices_of` has them.
    """
    content = new_object(SecondaryCaptureImageStorage, "OT", slices[0])
    content.SeriesDescription, content.ConversionType = "DRR", "SYN"
    content.ImageType = ["DERIVED", "SECONDARY"]
    content.BurnedInAnnotation, content.LossyImageCompression = "NO", "00"
    content.SourceImageSequence = Items([reference_to(one) for one in slices])
    _set_pixels(content, drr)
    camera_from_volume = carm.camera_from_world @ world_from_volume
    _set_carm(content, carm, camera_from_volume)
    content.DerivationDescription = (
        f"Line integrals of the attenuation of a CT. K {_row(carm.intrinsics)} pixels; camera from CT"
        f" {_row(camera_from_volume)} (RAS, mm)"
    )
    return content


def _set_pixels(content: Dataset, drr: NDArray[np.float32]) -> None:
    """Sixteen bits that reach from no attenuation to the most."""
    slope = _number(float(drr.max()) / LARGEST_STORED)
    stored = np.clip(np.rint(drr / float(slope)), 0, LARGEST_STORED).astype("<u2")
    content.Rows, content.Columns = stored.shape
    content.SamplesPerPixel, content.PhotometricInterpretation = 1, "MONOCHROME2"
    content.BitsAllocated, content.BitsStored, content.HighBit, content.PixelRepresentation = 16, 16, 15, 0
    content.PixelData = stored.tobytes()
    content.RescaleSlope, content.RescaleIntercept, content.RescaleType = slope, "0", "US"
    content.WindowCenter, content.WindowWidth = _number(float(drr.max()) / 2), _number(float(drr.max()))
    # Of what is left of a beam, a line integral is the logarithm, and falls where more is left.
    content.PixelIntensityRelationship, content.PixelIntensityRelationshipSign = "LOG", -1


def _set_carm(content: Dataset, carm: CArm, camera_from_volume: Matrix) -> None:
    u_mm, v_mm = carm.detector_spacing_mm
    content.DistanceSourceToDetector = _number(carm.sdd_mm)
    content.ImagerPixelSpacing = content.DetectorElementSpacing = [_number(v_mm), _number(u_mm)]
    right, down, (to_right, to_front, to_head) = camera_from_volume[:3, :3]
    content.PositionerPrimaryAngle = _number(float(np.rad2deg(np.arctan2(-to_right, to_front))))
    content.PositionerSecondaryAngle = _number(float(np.rad2deg(np.arcsin(np.clip(to_head, -1, 1)))))
    content.PatientOrientation = [_letters(right), _letters(down)]
    # A detector around the principal point that holds the image tells where in the image that is.
    from_corner = np.array(carm.principal_point[::-1]) + 0.5
    size = np.array(carm.size[::-1])
    half = np.maximum(from_corner, size - from_corner)
    content.DetectorActiveShape, content.FieldOfViewShape = "RECTANGLE", "RECTANGLE"
    content.DetectorActiveDimensions = [_number(float(n)) for n in 2 * half * (v_mm, u_mm)]
    content.FieldOfViewOrigin = [_number(float(n)) for n in half - from_corner]
    content.FieldOfViewRotation, content.FieldOfViewHorizontalFlip = "0", "NO"


def _letters(direction_ras: NDArray[np.float64]) -> str:
    """The sides of the patient that a direction leads to, as PatientOrientation has them; the most first."""
    order = np.argsort(-np.abs(direction_ras))
    told = [axis for axis in order if abs(direction_ras[axis]) >= LEAST_SHARE]
    return "".join(_LETTERS[axis][int(direction_ras[axis] < 0)] for axis in told)


def _number(value: float) -> str:
    return format_number_as_ds(value + 0.0)


def _row(matrix: Matrix) -> str:
    return " ".join(f"{number + 0.0:.9g}" for number in matrix.ravel())
