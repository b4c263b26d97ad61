"""X-ray images from DICOM: stored pixels, and what the tags tell about polarity and C-arm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.choices import Polarity
from prostreg.errors import FaultList, InputError
from prostreg.geometry.carm import CArm
from prostreg.images.carm_from_dicom import carm_from_dicom, field_trouble
from prostreg.images.dicom_tags import read_dataset, value_of, whole_number_of, words_of
from prostreg.images.library_messages import quiet_libraries


def read_dicom_xray(
    path: Path,
) -> tuple[NDArray[np.float32], CArm | None, Polarity | None, str | None]:
    """Stored pixels (height, width), C-arm, polarity, and what has to be said of the C-arm, of a single-frame image.

    Raises:
        InputError: colour, several frames, no pixels, or pixels that cannot be decoded.
    """
    with quiet_libraries():
        dataset = read_dataset(path)
        if dataset is None:
            raise InputError(f"The X-ray {path.name} is not a readable DICOM file: export it anew.")
        faults = FaultList()
        frames = whole_number_of(dataset, "NumberOfFrames", 1)
        if frames > 1:
            faults.add(
                f"The X-ray {path.name} has {frames} frames: one image per view is needed, "
                "save the frame you mean on its own."
            )
        if whole_number_of(dataset, "SamplesPerPixel", 1) != 1:
            faults.add(f"The X-ray {path.name} is a colour (RGB) image: give the grey-value image.")
        if all(value_of(dataset, k) is None for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
            faults.add(f"The X-ray {path.name} has no pixel data: give the image itself.")
        faults.raise_if_any()
        return _pixels(dataset, path), carm_from_dicom(dataset), _polarity(dataset), field_trouble(dataset)


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
        raise InputError(
            f"The pixels of the X-ray {path.name} cannot be decoded ({_compression(dataset)}): "
            "the file is damaged or compressed in a way that is not read here, export it uncompressed."
        ) from None


def _compression(dataset: pydicom.Dataset) -> str:
    syntax = value_of(dataset.file_meta, "TransferSyntaxUID")
    return "no transfer syntax" if syntax is None else str(syntax.name)


def _polarity(dataset: pydicom.Dataset) -> Polarity | None:
    """The direction of the stored values by the tags; None where they do not tell.

    PixelIntensityRelationshipSign (0028,1041) tells it by itself; LIN (0028,1040) is
    proportional to the beam's intensity. Radiographs (CR, DX) are shown with white bone, so their
    photometric interpretation tells it; angiography and fluoroscopy are shown either way.
    """
    sign = whole_number_of(dataset, "PixelIntensityRelationshipSign", 0)
    if sign in (1, -1):
        return "bone-dark" if sign == 1 else "bone-bright"
    if words_of(dataset, "PixelIntensityRelationship") == ["LIN"]:
        return "bone-dark"
    photometric = words_of(dataset, "PhotometricInterpretation")
    if words_of(dataset, "Modality") in (["CR"], ["DX"]) and photometric in (["MONOCHROME1"], ["MONOCHROME2"]):
        return "bone-dark" if photometric == ["MONOCHROME1"] else "bone-bright"
    return None
