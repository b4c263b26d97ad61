"""Variants of DICOM files for the table of docs/formats.md: a name, a role, and what writes it at a path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID

from DicomFiles import (
    COMPRESSED,
    PICTURE,
    PLAIN,
    item,
    segments,
    stream,
    write_ct,
    write_in,
    write_segmentation,
    write_xray,
)

CARM = {"DistanceSourceToDetector": 1000, "ImagerPixelSpacing": [0.3, 0.3], "Modality": "CR"}
JPEG_LOSSLESS = UID("1.2.840.10008.1.2.4.70")
INVERTED = {"PhotometricInterpretation": "MONOCHROME1"}

Writer = Callable[[Path], Any]


def _xray(**tags: Any) -> Writer:
    return lambda path: write_xray(path, "CR", **(CARM | tags))


def _in(syntax: UID, **tags: Any) -> Writer:
    return lambda path: write_in(path, syntax, "CR", **(CARM | tags))


def _falling(keyword: str) -> dict[str, Any]:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [2, 0, 16])
    table.add_new("LUTData", "US", [4095, 0])
    return {keyword: Sequence([table])}


def _without(tag: str, **more: Any) -> Writer:
    given = {name: value for name, value in (CARM | more).items() if name != tag}
    return lambda path: write_xray(path, "CR", **given)


def _bare(path: Path) -> None:
    content = _xray()(path).read_bytes()
    path.write_bytes(content[144 + int.from_bytes(content[140:144], "little") :])


def _cut(path: Path) -> None:
    path.write_bytes(_xray()(path).read_bytes()[:-40])


def _not_jpeg(path: Path) -> None:
    write_xray(path, "CR", syntax=JPEG_LOSSLESS, compressed=b"\xff\xd8 no JPEG \xff\xd9", **CARM)


def _ct(offset: float = 0.0, turn: bool = False, **tags: Any) -> Writer:
    """A body in air, four slices."""

    def write(folder: Path) -> None:
        v, u = np.mgrid[:24, :24]
        hu = np.where((u - 12) ** 2 + (v - 12) ** 2 < 81, 40, -1000) + offset
        stored = (4095 - hu - 1024 if turn else hu + 1024).astype(np.uint16)
        for number in range(4):
            write_ct(
                folder / f"{number}.dcm", stored, [0, 0, 2.0 * number], **(tags | {"BitsStored": 12, "HighBit": 11})
            )

    return write


def _two_patients(folder: Path) -> None:
    _ct(PatientID="A")(folder)
    write_ct(folder / "4.dcm", np.zeros((24, 24), np.uint16), [0, 0, 8], PatientID="B")


def _two_voltages(folder: Path) -> None:
    _ct(KVP=120)(folder)
    write_ct(folder / "4.dcm", np.zeros((24, 24), np.uint16), [0, 0, 8], KVP=80)


_TURNING = {"PositionerPrimaryAngleIncrement": [0.0, 10.0, 20.0, 30.0, 40.0]}
_DSA = item(MaskOperation="AVG_SUB", MaskFrameNumbers=[1])
_SHUTTER = {
    "ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 3, "ShutterRightVerticalEdge": 18,
    "ShutterUpperHorizontalEdge": 2, "ShutterLowerHorizontalEdge": 15,
}  # fmt: skip


_UNBINNED = {"ImagerPixelSpacing": [0.2, 0.2], "DetectorElementSpacing": [0.2, 0.2], "DetectorBinning": [2, 2]}


def _frames(count: int, **tags: Any) -> Writer:
    given = CARM | {"Modality": "XA", "NumberOfFrames": count} | tags
    return lambda path: write_xray(path, "XA", np.stack([PICTURE] * count), **given)


def _enhanced() -> dict[str, Any]:
    frames = [Dataset() for _ in range(3)]
    for frame in frames:
        frame.XRayGeometrySequence = item(DistanceSourceToDetector=1000)
    return {"PerFrameFunctionalGroupsSequence": Sequence(frames), "DistanceSourceToDetector": None}


def _compressed_run(path: Path) -> None:
    data = encapsulate([stream(JPEG_LOSSLESS)] * 3)
    bits = {"BitsStored": 12, "HighBit": 11, "Modality": "XA", "NumberOfFrames": 3, "PixelData": data}
    write_xray(path, "XA", PICTURE, JPEG_LOSSLESS, b"\0\0", **(CARM | bits))


def _run_folder(series: int = 1, **of_last: Any) -> Writer:
    """Three frames of each series, a file for each."""

    def write(folder: Path) -> None:
        folder.mkdir()
        for number in range(1, 3 * series + 1):
            tags = {"SeriesInstanceUID": f"1.2.{(number - 1) // 3}", "InstanceNumber": (number - 1) % 3 + 1}
            more = {"SeriesNumber": 5 + (number - 1) // 3} | (of_last if number == 3 else {})
            write_xray(folder / f"{number}.dcm", "XA", **(CARM | {"Modality": "XA"} | tags | more))

    return write


def _grabbed(path: Path) -> None:
    grey = (PICTURE // 16).astype(np.uint8)
    colours = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    write_xray(path, "XA", grey, Modality="OT", PixelData=np.stack([grey] * 3, axis=-1).tobytes(), **colours)


def _segmentation(**tags: Any) -> Writer:
    return lambda path: write_segmentation(path, segments(), lambda given: given.update(tags))


VARIANTS: list[tuple[str, str, str, Writer]] = [
    *((f"DICOM, {syntax.name}", "X-ray", "a.dcm", _in(syntax)) for syntax in (*PLAIN, *COMPRESSED)),
    ("DICOM without meta header", "X-ray", "a.dcm", _bare),
    ("DICOM, 12 bits at the upper end of 16", "X-ray", "a.dcm", _xray(BitsStored=12, HighBit=15)),
    ("DICOM, MONOCHROME1, compressed or not", "X-ray", "a.dcm", _in(JPEG_LOSSLESS, **INVERTED)),
    ("DICOM, RescaleSlope below 0", "X-ray", "a.dcm", _xray(RescaleSlope=-1, RescaleIntercept=4095)),
    ("DICOM, falling modality lookup", "X-ray", "a.dcm", _xray(**_falling("ModalityLUTSequence"))),
    ("DICOM, falling VOI lookup", "X-ray", "a.dcm", _xray(**_falling("VOILUTSequence"))),
    ("DICOM, MONOCHROME1 and a falling lookup", "X-ray", "a.dcm", _xray(**INVERTED, **_falling("VOILUTSequence"))),
    ("DICOM, PixelIntensityRelationshipSign -1", "X-ray", "a.dcm", _xray(PixelIntensityRelationshipSign=-1)),
    ("DICOM, sign and display that contradict", "X-ray", "a.dcm", _xray(PixelIntensityRelationshipSign=1)),
    ("DICOM, distance in cm", "X-ray", "a.dcm", _xray(DistanceSourceToDetector=115)),
    ("DICOM without distance", "X-ray", "a.dcm", _without("DistanceSourceToDetector")),
    (
        "DICOM, binned detector",
        "X-ray",
        "a.dcm",
        _without("ImagerPixelSpacing", DetectorElementSpacing=[0.15, 0.15], DetectorBinning=[2, 2]),
    ),
    ("DICOM, intensifier", "X-ray", "a.dcm", _without("ImagerPixelSpacing", IntensifierSize=40)),
    ("DICOM run of several frames", "X-ray", "a.dcm", _frames(2)),
    ("DICOM run that names a frame", "X-ray", "a.dcm", _frames(9, RepresentativeFrameNumber=4)),
    ("DICOM run, compressed", "X-ray", "a.dcm", _compressed_run),
    ("DICOM run of a turning C-arm", "X-ray", "a.dcm", _frames(5, PositionerPrimaryAngle=-20, **_TURNING)),
    ("DICOM run, enhanced", "X-ray", "a.dcm", _frames(3, **_enhanced())),
    ("DICOM run in a folder, a file for each frame", "X-ray", "a", _run_folder()),
    ("DICOM folder with two runs", "X-ray", "a", _run_folder(2)),
    ("DICOM folder with a frame twice", "X-ray", "a", _run_folder(InstanceNumber=2)),
    ("DICOM folder with frames of two sizes", "X-ray", "a", _run_folder(Columns=18)),
    ("DICOM run to be shown subtracted (DSA)", "X-ray", "a.dcm", _frames(3, MaskSubtractionSequence=_DSA)),
    ("DICOM picture made by subtraction", "X-ray", "a.dcm", _xray(ImageType=["DERIVED", "PRIMARY", "SUBTRACTED"])),
    ("DICOM with a shutter", "X-ray", "a.dcm", _xray(**_SHUTTER)),
    ("DICOM with padding", "X-ray", "a.dcm", _xray(PixelPaddingValue=0, PixelPaddingRangeLimit=600)),
    ("DICOM, pixel spacing without its binning", "X-ray", "a.dcm", _xray(**_UNBINNED)),
    ("DICOM, pixels of two shapes", "X-ray", "a.dcm", _xray(PixelAspectRatio=[2, 1])),
    ("DICOM, slice or scout of a CT", "X-ray", "a.dcm", _xray(Modality="CT")),
    ("DICOM with a palette of colours", "X-ray", "a.dcm", _xray(PhotometricInterpretation="PALETTE COLOR")),
    ("DICOM secondary capture, greys in colours", "X-ray", "a.dcm", _grabbed),
    ("DICOM in colour", "X-ray", "a.dcm", _xray(SamplesPerPixel=3)),
    ("DICOM, 12 bits packed", "X-ray", "a.dcm", _xray(BitsAllocated=12, BitsStored=12, HighBit=11)),
    ("DICOM, cut off", "X-ray", "a.dcm", _cut),
    ("DICOM, damaged JPEG", "X-ray", "a.dcm", _not_jpeg),
    ("DICOM slices", "CT", "a", _ct()),
    ("DICOM slices, MONOCHROME1 as shown", "CT", "a", _ct(**INVERTED)),
    ("DICOM slices, MONOCHROME1 turned over", "CT", "a", _ct(turn=True, **INVERTED)),
    ("DICOM slices, turned over without a word", "CT", "a", _ct(turn=True)),
    ("DICOM slices without intercept", "CT", "a", _ct(RescaleIntercept=None, RescaleSlope=None)),
    ("DICOM slices of two patients in one series", "CT", "a", _two_patients),
    ("DICOM slices of two tube voltages", "CT", "a", _two_voltages),
    ("DICOM slices of atomic numbers", "CT", "a", _ct(RescaleType="Z_EFF")),
    ("DICOM slabs as projections (MIP)", "CT", "a", _ct(ImageType=["DERIVED", "SECONDARY", "AXIAL", "MIP"])),
    ("DICOM slices made by subtraction", "CT", "a", _ct(ImageType=["DERIVED", "SECONDARY", "SUBTRACTED"])),
    ("DICOM slices in metres", "CT", "a", _ct(PixelSpacing=[0.0008, 0.0008])),
    ("DICOM slices stored as XA", "CT", "a", _ct(Modality="XA")),
    ("DICOM slices of MR", "CT", "a", _ct(Modality="MR")),
    ("DICOM volume in frames", "CT", "a.dcm", _frames(9)),
    ("DICOM segmentation (SEG)", "labels", "a.dcm", _segmentation()),
    ("DICOM segmentation, fractional", "labels", "a.dcm", _segmentation(SegmentationType="FRACTIONAL")),
    ("DICOM contours (RTSTRUCT)", "labels", "a.dcm", _segmentation(Modality="RTSTRUCT")),
]
