"""X-ray images from DICOM: stored pixels, and what the tags tell about polarity and C-arm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from prostreg.choices import Polarity
from prostreg.errors import FaultList, InputError
from prostreg.geometry.carm import CArm
from prostreg.images.dicom.pixels import PixelLayout, pixel_layout, stored_values
from prostreg.images.dicom.polarity import polarity_by_tags
from prostreg.images.dicom_geometry.carm_from_dicom import carm_from_dicom, said_of_carm
from prostreg.images.dicom_geometry.viewing_side import ViewingSide, viewing_side
from prostreg.images.dicom_tags import read_dataset, whole_number_of
from prostreg.images.library_messages import quiet_libraries


@dataclass(frozen=True, eq=False)
class DicomXRay:
    """A single-frame image as its file stores it.

    Attributes:
        pixels: (height, width) as stored.
        carm, polarity: None where the tags do not tell.
        note: what has to be said of the C-arm, or what it lacks.
        polarity_note: what has to be said of the polarity.
        side: the side from which it is seen.
    """

    pixels: NDArray[np.float32]
    carm: CArm | None
    polarity: Polarity | None
    note: str | None
    polarity_note: str | None
    side: ViewingSide


def read_dicom_xray(path: Path) -> DicomXRay:
    """Reads a single-frame image.

    Raises:
        InputError: colour, several frames, no pixels, or pixels that cannot be decoded.
    """
    name = f"The X-ray {path.name}"
    with quiet_libraries():
        dataset = read_dataset(path)
        if dataset is None:
            raise InputError(f"{name} is not a readable DICOM file: export it anew.")
        layout = _layout(dataset, name)
        polarity, polarity_note = polarity_by_tags(dataset)
        carm, note, side = carm_from_dicom(dataset), said_of_carm(dataset), viewing_side(dataset)
    values = stored_values({name: (dataset, layout)})[name]
    return DicomXRay(np.asarray(values[0], dtype=np.float32), carm, polarity, note, polarity_note, side)


def _layout(dataset: pydicom.Dataset, name: str) -> PixelLayout:
    faults = FaultList()
    frames = whole_number_of(dataset, "NumberOfFrames", 1)
    if frames > 1:
        faults.add(f"{name} has {frames} frames: one image per view is needed, save the frame you mean on its own.")
    if whole_number_of(dataset, "SamplesPerPixel", 1) != 1:
        faults.add(f"{name} is a colour (RGB) image: give the grey-value image.")
    faults.raise_if_any()
    return pixel_layout(dataset, name)
