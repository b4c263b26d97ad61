"""X-ray images from DICOM: stored pixels, and what the tags tell about polarity and C-arm."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError

from prostreg.errors import FaultList, InputError
from prostreg.geometry.carm import CArm
from prostreg.images.carm_from_dicom import carm_from_dicom
from prostreg.images.library_messages import quiet_libraries

_PREAMBLE_BYTES = 128


def is_dicom(path: Path) -> bool:
    """True for a file with the DICOM preamble, or named as one."""
    try:
        with path.open("rb") as file:
            start = file.read(_PREAMBLE_BYTES + 4)
    except OSError:  # whoever reads the file says so
        start = b""
    return start[_PREAMBLE_BYTES:] == b"DICM" or path.suffix.lower() in (".dcm", ".dicom", ".ima")


def read_dicom_xray(
    path: Path,
) -> tuple[NDArray[np.float32], CArm | None, Literal["bone-dark", "bone-bright"] | None]:
    """Stored pixels (height, width), C-arm and polarity of a single-frame DICOM image.

    Raises:
        InputError: colour, several frames, no pixels, or pixels that cannot be decoded.
    """
    with quiet_libraries():
        try:
            dataset = pydicom.dcmread(path)
        except (InvalidDicomError, OSError, EOFError, ValueError):
            raise InputError(f"The X-ray {path.name} is not a readable DICOM file: export it anew.") from None
        faults = FaultList()
        frames = int(dataset.get("NumberOfFrames", None) or 1)
        if frames > 1:
            faults.add(
                f"The X-ray {path.name} has {frames} frames: one image per view is needed, "
                "save the frame you mean on its own."
            )
        if int(dataset.get("SamplesPerPixel", 1)) != 1:
            faults.add(f"The X-ray {path.name} is a colour (RGB) image: give the grey-value image.")
        if not any(keyword in dataset for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
            faults.add(f"The X-ray {path.name} has no pixel data: give the image itself.")
        faults.raise_if_any()
        return _pixels(dataset, path), carm_from_dicom(dataset), _polarity(dataset)


def _pixels(dataset: pydicom.Dataset, path: Path) -> NDArray[np.float32]:
    try:
        return np.asarray(dataset.pixel_array, dtype=np.float32)
    except Exception:  # pydicom's decoders raise many kinds; ITK's decoder knows more compressions
        reader = sitk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(path))
    try:
        pixels = np.asarray(sitk.GetArrayFromImage(reader.Execute()), dtype=np.float32)
        return pixels.reshape(pixels.shape[-2:])
    except (RuntimeError, ValueError):
        syntax = dataset.file_meta.get("TransferSyntaxUID", None)
        raise InputError(
            f"The pixels of the X-ray {path.name} cannot be decoded "
            f"({syntax.name if syntax is not None else 'no transfer syntax'}): "
            "the file is damaged or compressed in a way that is not read here, export it uncompressed."
        ) from None


def _polarity(dataset: pydicom.Dataset) -> Literal["bone-dark", "bone-bright"] | None:
    """What the tags tell of the stored values' direction, None where they do not.

    PixelIntensityRelationshipSign (0028,1041) tells it by itself; LIN (0028,1040) is
    proportional to the beam's intensity. Radiographs (CR, DX) are shown with white bone, so their
    photometric interpretation tells it; angiography and fluoroscopy are shown either way.
    """
    sign = dataset.get("PixelIntensityRelationshipSign", None)
    if sign in (1, -1):
        return "bone-dark" if sign == 1 else "bone-bright"
    if dataset.get("PixelIntensityRelationship", "") == "LIN":
        return "bone-dark"
    photometric = dataset.get("PhotometricInterpretation", "")
    if dataset.get("Modality", "") in ("CR", "DX") and photometric in ("MONOCHROME1", "MONOCHROME2"):
        return "bone-dark" if photometric == "MONOCHROME1" else "bone-bright"
    return None
