"""X-ray images from files, pixels as stored: row 0 is the top row, u runs along columns, nothing is flipped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.choices import Polarity
from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.images.dicom.opening import is_dicom
from prostreg.images.dicom_geometry.carm_numbers import CArmNumber
from prostreg.images.dicom_geometry.viewing_side import ViewingSide
from prostreg.images.formats.picture_size import refuse_many_pixels
from prostreg.images.formats.pictures import PICTURE_FORMATS, read_picture
from prostreg.images.formats.stored_image import count_of, unreadable
from prostreg.images.formats.tiff import read_tiff
from prostreg.images.formats.value_reading import as_float32, read_values
from prostreg.images.formats.volume_files import SUFFIXES, image_suffix, read_image_header
from prostreg.images.frames import ONE_FRAME, Frames, chosen_frames
from prostreg.images.library_messages import quiet_libraries
from prostreg.images.xray_dicom import read_dicom_xray, read_folder_xray
from prostreg.machine import refuse_too_large

_TIFF_SUFFIXES = (".tif", ".tiff")


@dataclass(frozen=True, eq=False)
class XRayImage:
    """An X-ray as its file stores it.

    Attributes:
        pixels: (height, width) float32, grey values as stored.
        carm: from DICOM tags, None where they do not tell.
        polarity: from DICOM tags, None where they do not tell.
        note: sentences on DICOM tags that are missing for the C-arm, or have to be doubted.
        polarity_note: a sentence on DICOM tags that contradict each other on the polarity.
        side: from DICOM tags, None for other files: the side from which the stored pixels are seen.
        open_part: (height, width) from DICOM tags, True where no shutter covers the image; None where none does.
        notes: sentences on the frame that is read, on shutters and subtraction.
        numbers: each number of the C-arm that DICOM tags tell.
        frames: of a run, which of them are shown.
    """

    pixels: NDArray[np.float32]
    carm: CArm | None = None
    polarity: Polarity | None = None
    note: str | None = None
    polarity_note: str | None = None
    side: ViewingSide | None = None
    open_part: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()
    numbers: tuple[CArmNumber, ...] = ()
    frames: Frames = ONE_FRAME


def read_xray_image(path: Path, frames: Frames | None = None) -> XRayImage:
    """Reads one X-ray image from TIFF, PNG, JPEG, BMP, NRRD, MHA/MHD, NIfTI or DICOM, or from a folder with a run.

    The fastest index of NRRD, MHA and NIfTI files runs along the image's columns (u), the
    second along its rows (v); their directions in space are not looked at. Colour images
    are read where all channels are equal.

    Args:
        path: of a file; or of a folder with a DICOM run, a file for each frame.
        frames: of a DICOM run; None for the one that it calls representative, or else its middle one.

    Raises:
        InputError: lists every fault of the image.
    """
    path = Path(path)
    image = _from_dicom(path, frames) if path.is_dir() else _stored_image(path, "The X-ray", frames)
    faults = pixel_faults(image.pixels, f"The X-ray {path.name}")
    if faults:
        raise InputError(faults)
    return image


def read_mask_image(path: Path) -> NDArray[np.bool_]:
    """Reads a mask (height, width) from the formats of X-rays: pixels above 0 count.

    Raises:
        InputError: missing, of another kind, damaged, or JPEG, whose compression lights pixels up beside the mask.
    """
    if Path(path).suffix.lower() in (".jpg", ".jpeg"):
        raise InputError(f"The mask {Path(path).name} is a JPEG, which blurs what counts: save it as PNG or TIFF.")
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


def _stored_image(path: Path, what: str, wanted: Frames | None = None) -> XRayImage:
    if path.is_dir():
        raise InputError(f"{what} {path} is a folder: give the file in it.")
    if not path.is_file():
        raise InputError(f"{what} {path} does not exist or is no file: check the path.")
    if is_dicom(path):
        return _from_dicom(path, wanted)
    name = f"{what} {path.name}"
    try:
        pixels, frames = _stored_pixels(path, name)
    except OSError as error:
        raise InputError(unreadable(name, error)) from None
    if frames != 1:
        raise InputError(multi_frame_fault(name, frames))
    chosen_frames(name, frames, wanted, None)
    return XRayImage(as_float32(one_channel(pixels, name) if pixels.ndim == 3 else pixels))


def _from_dicom(path: Path, wanted: Frames | None) -> XRayImage:
    found = read_folder_xray(path, wanted) if path.is_dir() else read_dicom_xray(path, wanted)
    pixels = found.pixels if found.pixels.ndim == 2 else one_channel(found.pixels, f"The X-ray {path.name}")
    return XRayImage(
        pixels,
        found.carm,
        found.polarity,
        found.note,
        found.polarity_note,
        found.side,
        found.open_part,
        found.notes,
        found.numbers,
        found.frames,
    )


def _stored_pixels(path: Path, name: str) -> tuple[NDArray[Any], int]:
    """The first frame (height, width) or (height, width, channels), and how many there are."""
    suffix = image_suffix(path)
    if suffix in SUFFIXES:
        return _pixels_of_volume_file(path, name)
    if suffix in (*_TIFF_SUFFIXES, *PICTURE_FORMATS):
        refuse_too_large(path.stat().st_size, name)
        with quiet_libraries():
            return read_tiff(path.read_bytes(), name) if suffix in _TIFF_SUFFIXES else read_picture(path, suffix, name)
    raise InputError(
        f"{name} is of a kind that is not read here: give TIFF, PNG, JPEG, BMP, NRRD, MHA, NIfTI or DICOM."
    )


def _pixels_of_volume_file(path: Path, name: str) -> tuple[NDArray[Any], int]:
    image = read_image_header(path, name)
    if len(image.grid) < 2:
        raise InputError(f"{name} has one dimension: give an image with rows and columns.")
    frames = count_of(image.grid[2:])
    if frames != 1:
        return np.empty((0, 0)), frames
    refuse_many_pixels((image.grid[1], image.grid[0]), name)
    values = read_values(image, name)
    return values.reshape(image.grid[1], image.grid[0], *values.shape[len(image.grid) :]), 1


def one_channel(pixels: NDArray[Any], name: str) -> NDArray[Any]:
    """Grey values (height, width) of an image (height, width, channels) whose colours are all equal.

    Raises:
        InputError: it has true colours.
    """
    colours = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., :1]
    if np.array_equal(colours.min(axis=-1), colours.max(axis=-1)):
        return np.ascontiguousarray(colours[..., 0])
    raise InputError(f"{name} is a colour (RGB) image: give the grey-value image, without annotations drawn into it.")


def multi_frame_fault(name: str, frames: int) -> str:
    return f"{name} has {frames} frames: one image per view is needed, save the frame you mean on its own."
