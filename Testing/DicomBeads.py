"""X-rays of a few beads in each kind of DICOM file, and how far the C-arm that is read puts them from where they are.

Where a bead is seen follows from the device alone: a source, a detector of elements, the field of these that was read
out, and how many make a pixel. None of that goes through the C-arm of the engine, which is what is tried. Beads are
told in mm from the source, right and down as the file's columns and rows run, and towards the detector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless
from scipy.ndimage import center_of_mass, label

from DicomFiles import item, run_lengths, write_xray
from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.images.xray_reading import XRayImage, read_xray_image
from prostreg.outputs.dicom_object import write_object
from prostreg.outputs.secondary_capture import secondary_capture

BEADS_MM = np.array(
    [[0, 0, 700], [38, -21, 640], [-44, 27, 760], [31, 40, 600], [-27, -38, 820], [12, -47, 690]], dtype=np.float64
)
JPEG_LOSSLESS, JPEG_2000 = UID("1.2.840.10008.1.2.4.70"), UID("1.2.840.10008.1.2.4.90")
SYNTAXES = (ExplicitVRLittleEndian, RLELossless, JPEG_LOSSLESS, JPEG_2000)

BEAD_PX, DEPTH, GROUND = 1.5, 1500.0, 2600.0
"""Of a bead's shadow, its radius and how much darker it is than what surrounds it; 12 bits."""

Pixels = NDArray[np.uint16]


@dataclass(frozen=True)
class Device:
    """A source and a detector; pairs are (down, right).

    Attributes:
        elements: of the detector's active area.
        element_mm: size of one.
        origin: of the field that was read out, in elements.
        binning: elements that make a pixel.
        size: (rows, columns) of the image.
    """

    sdd_mm: float = 1100.0
    elements: tuple[int, int] = (512, 512)
    element_mm: tuple[float, float] = (0.4, 0.4)
    origin: tuple[int, int] = (0, 0)
    binning: int = 1
    size: tuple[int, int] = (512, 512)

    @property
    def pixel_mm(self) -> list[float]:
        return [self.binning * side for side in self.element_mm]

    def seen_px(self) -> NDArray[np.float64]:
        """Where the beads' shadows are, (beads, 2) as (u, v): the source stands before the detector's middle."""
        hit_mm = BEADS_MM[:, 1::-1] * self.sdd_mm / BEADS_MM[:, 2:]  # down, right
        corner_mm = np.array(self.element_mm) * (np.array(self.elements) / 2 - self.origin)
        return np.asarray((hit_mm + corner_mm) / self.pixel_mm - 0.5)[:, ::-1]

    def picture(self) -> Pixels:
        """Shadows of the beads on ground that falls off to one side, with noise."""
        rows, columns = np.mgrid[: self.size[0], : self.size[1]].astype(np.float64)
        light = GROUND - 0.5 * rows + 0.3 * columns
        for u, v in self.seen_px():
            light -= DEPTH * np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2 * BEAD_PX**2))
        noise = np.random.default_rng(0).normal(0.0, 12.0, self.size)
        return np.clip(np.rint(light + noise), 0, 4095).astype(np.uint16)

    @property
    def field_tags(self) -> dict[str, Any]:
        """What a flat detector tells of the field that was read out."""
        active_mm = [count * side for count, side in zip(self.elements, self.element_mm, strict=True)]
        return {
            "DetectorElementSpacing": list(self.element_mm), "DetectorBinning": [self.binning, self.binning],
            "DetectorActiveDimensions": active_mm, "FieldOfViewOrigin": list(self.origin),
            "FieldOfViewRotation": 0, "FieldOfViewHorizontalFlip": "NO",
        }  # fmt: skip


WHOLE = Device()
OBLONG = Device(element_mm=(0.3, 0.4), elements=(640, 512), size=(640, 512))
PART = Device(elements=(1024, 1280), element_mm=(0.2, 0.2), origin=(60, 300), binning=2, size=(440, 420))

Writer = Callable[[Path, UID], Device]


def _plain(modality: str, device: Device, **more: Any) -> Writer:
    def write(path: Path, syntax: UID) -> Device:
        tags = {"DistanceSourceToDetector": device.sdd_mm, "ImagerPixelSpacing": device.pixel_mm, "Modality": modality}
        _write(path, modality, device.picture(), syntax, **(tags | more))
        return device

    return write


def _enhanced(path: Path, syntax: UID) -> Device:
    """A run of three frames of which each has its distance; the middle one is read."""
    frames = [Device(sdd_mm=WHOLE.sdd_mm + step) for step in (-60.0, 0.0, 60.0)]
    groups = []
    for frame in frames:
        group = Dataset()
        group.XRayGeometrySequence = item(DistanceSourceToDetector=frame.sdd_mm, DistanceSourceToIsocenter=700)
        groups.append(group)
    shared = Dataset()
    shared.FramePixelDataPropertiesSequence = item(ImagerPixelSpacing=WHOLE.pixel_mm)
    tags = {"NumberOfFrames": 3, "PerFrameFunctionalGroupsSequence": Sequence(groups)}
    tags["SharedFunctionalGroupsSequence"] = Sequence([shared])
    _write(path, "XA", np.stack([frame.picture() for frame in frames]), syntax, **tags)
    return frames[1]


def _own_capture(path: Path, syntax: UID) -> Device:
    """A secondary capture as `prostreg drr` writes it; plain, and bright where the beam is weakened."""
    if syntax != ExplicitVRLittleEndian:
        raise InputError("written plain only")
    corner_px = PART.binning * np.array(PART.size)
    middle = (np.array(PART.elements) / 2 - PART.origin) / corner_px * PART.size - 0.5
    size = PART.size[1], PART.size[0]
    carm = CArm.from_sdd(PART.sdd_mm, (PART.pixel_mm[1], PART.pixel_mm[0]), size, (middle[1], middle[0]))
    uids = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
    slices = [dict.fromkeys(uids, "1.2.3")]
    write_object(path, secondary_capture((4095 - PART.picture()).astype(np.float32), carm, np.eye(4), slices))
    return PART


VARIANTS: dict[str, Writer] = {
    "XA": _plain("XA", WHOLE, DistanceSourceToPatient=700, PositionerPrimaryAngle=20, PositionerSecondaryAngle=-5),
    "XA, oblong pixels": _plain("XA", OBLONG),
    "XA, part of a binned detector": _plain("XA", PART, **PART.field_tags),
    "XA, enhanced": _enhanced,
    "RF": _plain("RF", WHOLE, DistanceSourceToPatient=700, IntensifierSize=220),
    "DX": _plain("DX", PART, PixelIntensityRelationship="LIN", PixelIntensityRelationshipSign=1, **PART.field_tags),
    "CR, white is zero": _plain("CR", WHOLE, PhotometricInterpretation="MONOCHROME1", PlateType="STORAGE"),
    "CR, distance in cm": _plain("CR", WHOLE, DistanceSourceToDetector=110),
    "SC of prostreg": _own_capture,
}


def error_px(image: XRayImage, beads: int = len(BEADS_MM)) -> float:
    """The largest distance of a bead, as the C-arm that was read projects it, from a shadow in the pixels.

    Raises:
        InputError: the file tells no C-arm, or the shadows are not as many as the beads.
    """
    if image.carm is None:
        raise InputError("The file tells no C-arm.")
    beyond = np.abs(image.pixels - np.median(image.pixels)).astype(np.float64)
    beyond[beyond < beyond.max() / 3] = 0.0
    pieces, count = label(beyond > 0)
    if count != beads:
        raise InputError(f"{count} shadows were found of {beads} beads.")
    found = np.array(center_of_mass(beyond, pieces, range(1, count + 1)))[:, ::-1]
    told = image.carm.project(BEADS_MM)
    distances = np.linalg.norm(told[:, None] - found[None], axis=-1)
    return float(max(distances.min(axis=0).max(), distances.min(axis=1).max()))


def read_error_px(name: str, syntax: UID, folder: Path) -> tuple[float, XRayImage]:
    """Writes a variant in a transfer syntax into a folder, and reads it.

    Raises:
        InputError: it is not written in this syntax, or cannot be read.
    """
    path = folder / "beads.dcm"
    VARIANTS[name](path, syntax)
    image = read_xray_image(path)
    return error_px(image), image


def _write(path: Path, modality: str, pixels: Pixels, syntax: UID, **tags: Any) -> None:
    frames = pixels[None] if pixels.ndim == 2 else pixels
    tags |= {"BitsStored": 12, "HighBit": 11}
    if syntax == ExplicitVRLittleEndian:
        write_xray(path, modality, pixels, syntax, **tags)
        return
    streams = [run_lengths(frame) if syntax == RLELossless else _by_gdcm(frame, syntax, path) for frame in frames]
    write_xray(path, modality, pixels, syntax, streams, **tags)


def _by_gdcm(frame: Pixels, syntax: UID, path: Path) -> bytes:
    """A frame as the library that everybody has compresses it."""
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(str(path.with_suffix(".gdcm")))
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG" if syntax == JPEG_LOSSLESS else "JPEG2000")
    writer.Execute(sitk.GetImageFromArray(frame))
    written = pydicom.dcmread(path.with_suffix(".gdcm"))
    assert written.file_meta.TransferSyntaxUID == syntax
    return next(generate_frames(written.PixelData, number_of_frames=1))
