"""X-ray images from files, pixels as stored: row 0 is the top row, u runs along columns, nothing is flipped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.choices import Polarity
from prostreg.errors import FaultList, InputError
from prostreg.geometry.carm import CArm
from prostreg.images.dicom_tags import is_dicom
from prostreg.images.header_check import nifti_data_faults
from prostreg.images.library_messages import quiet_libraries
from prostreg.images.reading import image_suffix
from prostreg.images.xray_dicom import read_dicom_xray

_IMAGE_IO = {
    ".tif": "TIFFImageIO",
    ".tiff": "TIFFImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
    ".nii": "NiftiImageIO",
    ".nii.gz": "NiftiImageIO",
}


@dataclass(frozen=True, eq=False)
class XRayImage:
    """An X-ray as its file stores it.

    Attributes:
        pixels: (height, width) float32, grey values as stored.
        carm: from DICOM tags, None where they do not tell.
        polarity: from DICOM tags, None where they do not tell.
    """

    pixels: NDArray[np.float32]
    carm: CArm | None = None
    polarity: Polarity | None = None


def read_xray_image(path: Path) -> XRayImage:
    """Reads one X-ray image from TIFF, PNG, NRRD, MHA/MHD, NIfTI or DICOM.

    The fastest index of NRRD, MHA and NIfTI files runs along the image's columns (u), the
    second along its rows (v); their directions in space are not looked at. Colour images
    are read where all channels are equal.

    Raises:
        InputError: lists every fault of the image.
    """
    image = _stored_image(Path(path), "The X-ray")
    faults = pixel_faults(image.pixels, f"The X-ray {Path(path).name}")
    if faults:
        raise InputError(faults)
    return image


def read_mask_image(path: Path) -> NDArray[np.bool_]:
    """Reads a mask (height, width) from the formats of X-rays: pixels above 0 count.

    Raises:
        InputError: missing, of another kind, or damaged.
    """
    return np.asarray(_stored_image(Path(path), "The mask").pixels > 0)


def pixel_faults(pixels: NDArray[np.float32], name: str) -> list[str]:
    """Says what keeps an image (height, width) from being an X-ray that can be registered."""
    if pixels.ndim != 2 or min(pixels.shape) < 8:
        return [f"{name} has the shape {pixels.shape}: an image of 8 x 8 pixels or more is needed."]
    if not np.isfinite(pixels).all():
        return [f"{name} contains NaN or infinity: fill these pixels, or mask them and set them to 0."]
    if pixels.min() == pixels.max():
        return [f"{name} is constant, all pixels are {pixels.min():g}: it shows nothing."]
    return []


def _stored_image(path: Path, what: str) -> XRayImage:
    if not path.is_file():
        raise InputError(f"{what} {path} does not exist or is no file: check the path.")
    if is_dicom(path):
        return XRayImage(*read_dicom_xray(path))
    return XRayImage(_read_png(path, what) if image_suffix(path) == ".png" else _read_with_itk(path, what))


def _read_png(path: Path, what: str) -> NDArray[np.float32]:
    # Only here: Slicer reads other X-rays before anything is installed in it.
    from PIL import Image

    try:
        with quiet_libraries(), Image.open(path) as stored:
            image = stored.convert("RGB") if stored.mode in ("P", "PA") else stored
            pixels = np.asarray(image).astype(np.float32)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise InputError(_damaged(path, what)) from None
    return one_channel(pixels, path.name) if pixels.ndim == 3 else pixels


def _read_with_itk(path: Path, what: str) -> NDArray[np.float32]:
    image_io = _IMAGE_IO.get(image_suffix(path))
    if image_io is None:
        raise InputError(
            f"{what} {path.name} is of a kind that is not read here: give TIFF, PNG, NRRD, MHA, NIfTI or DICOM."
        )
    reader = sitk.ImageFileReader()
    reader.SetImageIO(image_io)
    reader.SetFileName(str(path))
    try:
        with quiet_libraries():
            image = reader.Execute()
    except RuntimeError:
        raise InputError(_damaged(path, what)) from None
    pixels = np.asarray(sitk.GetArrayFromImage(image), dtype=np.float32)
    channels = image.GetNumberOfComponentsPerPixel()
    spatial = pixels.shape[: image.GetDimension()]
    frames = int(np.prod(spatial[:-2], dtype=int))
    faults = FaultList()
    faults.extend(nifti_data_faults(path, what))
    if frames != 1:
        faults.add(multi_frame_fault(path.name, frames))
    faults.raise_if_any()
    pixels = pixels.reshape((*spatial[-2:], channels) if channels > 1 else spatial[-2:])
    return one_channel(pixels, path.name) if channels > 1 else pixels


def one_channel(pixels: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Grey values (height, width) of an image (height, width, channels) whose colours are all equal.

    Raises:
        InputError: it has true colours.
    """
    colours = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., :1]
    if np.array_equal(colours.min(axis=-1), colours.max(axis=-1)):
        return np.ascontiguousarray(colours[..., 0])
    raise InputError(
        f"The X-ray {name} is a colour (RGB) image: give the grey-value image, without annotations drawn into it."
    )


def multi_frame_fault(name: str, frames: int) -> str:
    return f"The X-ray {name} has {frames} frames: one image per view is needed, save the frame you mean on its own."


def _damaged(path: Path, what: str) -> str:
    return f"{what} {path.name} cannot be read, it is damaged or not what its name says: write it anew."
