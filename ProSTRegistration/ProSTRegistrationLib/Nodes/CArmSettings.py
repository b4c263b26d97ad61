"""A C-arm in the numbers that people know: distances, pixel size, angles.

World: the C-arm's isocentre is the origin, the axes are those of a supine patient (RAS). At angles 0/0 the detector is
above the patient and the picture is the standard view "PA". Positive primary angles bring the detector to the
patient's left (LAO), positive secondary angles to the head (cranial), as DICOM counts them (PS3.3, C.8.7.5).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from prostreg.errors import FaultList, InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_accuracy import CALIBRATED, CARM_ACCURACIES
from prostreg.geometry.carm_limits import LARGEST_PIXEL_MM, SMALLEST_PIXEL_MM, SMALLEST_SDD_MM, sdd_faults
from prostreg.geometry.frames import Matrix, invert_rigid, rigid_faults
from prostreg.geometry.standard_views import standard_view
from prostreg.json_fields import is_number
from ProSTRegistrationLib.Nodes.CArmNode import CARM_ATTRIBUTE, carmOf, pixelsOf
from ProSTRegistrationLib.Nodes.KeptTexts import keptJson

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.Nodes.Scene import Scene

SETTINGS_ATTRIBUTE = "ProSTRegistration.CArmSettings"
LARGEST_ANGLE_DEG = 180.0
MOST_IMAGE_SIZES = 3.0
LARGEST_MISS_MM = 1.0
LARGEST_ROLL_DEG = 0.05
TYPICAL_SOD_SHARE = 0.6
LEAST_SOD_SHARE, MOST_SOD_SHARE = 0.33, 0.97
MOST_PIXEL_RATIO = 1.05
MOST_SECONDARY_DEG = 60.0
FIELD_UNITS_MM = {"mm": 1.0, "cm": 10.0, "inch": 25.4, "in": 25.4, '"': 25.4}
FIELD_PATTERN = re.compile(rf"(\d+\.?\d*)\s*({'|'.join(FIELD_UNITS_MM)})?")


@dataclass(frozen=True)
class CArmSettings:
    """The settings of one image's C-arm.

    Attributes:
        sddMm: from the source to the detector, along the detector's normal.
        sodMm: from the source to the isocentre.
        pixelSizeMm: on the detector, (along u, along v).
        principalPointPx: (u, v) where the detector's normal through the source meets it; None for the image's centre.
        primaryAngleDeg: DICOM's positioner primary angle, + towards LAO.
        secondaryAngleDeg: DICOM's positioner secondary angle, + towards cranial.
        fixedCameraFromWorld: None if the angles say where the C-arm stands; else the rows of that matrix (4, 4), for a
            camera that no angles describe. The isocentre is then the point on its central ray at sodMm.
        accuracy: how well distance and pixels are known, one of the engine's CARM_ACCURACIES.

    Raises:
        InputError: every value that no X-ray device can have.
    """

    sddMm: float
    sodMm: float
    pixelSizeMm: tuple[float, float]
    principalPointPx: tuple[float, float] | None = None
    primaryAngleDeg: float = 0.0
    secondaryAngleDeg: float = 0.0
    fixedCameraFromWorld: tuple[tuple[float, ...], ...] | Matrix | None = None
    accuracy: str = CALIBRATED

    def __post_init__(self) -> None:
        faults = FaultList()
        faults.extend(_distanceFaults(self.sddMm, self.sodMm))
        faults.extend(_pixelFaults(self.pixelSizeMm, self.principalPointPx))
        for name, angle in (("primary", self.primaryAngleDeg), ("secondary", self.secondaryAngleDeg)):
            if not _isBetween(angle, -LARGEST_ANGLE_DEG, LARGEST_ANGLE_DEG):
                faults.add(f"The {name} angle is {_shown(angle)} degrees: give one from -180 to 180, a full turn.")
        if self.fixedCameraFromWorld is not None:
            faults.extend(rigid_faults(self.fixedCameraFromWorld, "The place of the C-arm"))
        if self.accuracy not in CARM_ACCURACIES:
            faults.add(f"The C-arm's accuracy '{self.accuracy}' is none of {', '.join(CARM_ACCURACIES)}.")
        faults.raise_if_any()
        object.__setattr__(self, "pixelSizeMm", tuple(map(float, self.pixelSizeMm)))
        if self.principalPointPx is not None:
            object.__setattr__(self, "principalPointPx", tuple(map(float, self.principalPointPx)))
        if self.fixedCameraFromWorld is not None:
            rows = np.array(self.fixedCameraFromWorld, dtype=np.float64).tolist()
            object.__setattr__(self, "fixedCameraFromWorld", tuple(map(tuple, rows)))

    def doubts(self) -> list[str]:
        """Sentences on values that are possible and that no usual device has, one for each."""
        found, share, (u, v) = [], self.sodMm / self.sddMm, self.pixelSizeMm
        if not LEAST_SOD_SHARE <= share <= MOST_SOD_SHARE:
            found.append(
                f"The isocentre is {self.sodMm:g} mm from the source and the detector {self.sddMm:g} mm: the patient"
                f" would be magnified {1 / share:.2f} times; 1.1 to 2 times are usual."
            )
        if max(u, v) > MOST_PIXEL_RATIO * min(u, v):
            found.append(f"The pixels are {u:g} mm wide and {v:g} mm high; detectors have square ones.")
        if abs(self.secondaryAngleDeg) > MOST_SECONDARY_DEG:
            found.append(f"The beam is turned {self.secondaryAngleDeg:g} degrees to head or feet; up to 50 are usual.")
        return found

    @property
    def isFixedPose(self) -> bool:
        """True where the C-arm stands as no angles describe: editing other values keeps where it stands."""
        return self.fixedCameraFromWorld is not None

    def mirrored(self, width: int) -> CArmSettings:
        """The settings of the image, ``width`` pixels wide, with its columns in reverse order."""
        if self.principalPointPx is None:
            return self
        u, v = self.principalPointPx
        return replace(self, principalPointPx=(width - 1 - u, v))


def inMillimetres(sdd: float, sod: float) -> tuple[float, float]:
    """Distances from the source to detector and isocentre in mm; those that can only be centimetres ten times as long.

    A distance to the detector below 300 mm, or a patient magnified more than three times, is no usual device's.
    """
    sddMm = 10 * sdd if 10 * sdd >= SMALLEST_SDD_MM > sdd else sdd
    isShort = 0 < sod < LEAST_SOD_SHARE * sddMm
    return sddMm, 10 * sod if isShort and LEAST_SOD_SHARE * sddMm <= 10 * sod < sddMm else sod


def fieldMm(text: str) -> float:
    """A detector's field in mm that a person tells, as "9 inch", "23 cm" or "229".

    Raises:
        InputError: it is no length.
    """
    found = FIELD_PATTERN.fullmatch(text.strip().lower().replace(",", "."))
    if found is None:
        raise InputError(f"The field '{text}' is no length: give one as 9 inch, 23 cm or 229 mm.")
    return float(found[1]) * FIELD_UNITS_MM[found[2] or "mm"]


def carmOfSettings(settings: CArmSettings, size: tuple[int, int]) -> CArm:
    """The C-arm of an image of ``size`` (width, height) in the world.

    Raises:
        InputError: the principal point is too far from such an image.
    """
    if settings.principalPointPx is not None:
        for name, place, length in zip(("u", "v"), settings.principalPointPx, size, strict=True):
            if abs(place - (length - 1) / 2) > MOST_IMAGE_SIZES * length:
                raise InputError(
                    f"The principal point's {name} is {place:g}, more than {MOST_IMAGE_SIZES:g} image sizes away from"
                    f" an image of {length} pixels: it is where the central ray meets the detector, in pixels."
                )
    return CArm.from_sdd(
        settings.sddMm, settings.pixelSizeMm, size, settings.principalPointPx, _cameraFromWorld(settings),
        settings.accuracy,
    )  # fmt: skip


def settingsOfCarm(carm: CArm) -> CArmSettings:
    """The settings of a C-arm in the world; angles where these describe it, else its pose is kept as it is.

    Angles describe a camera without roll whose central ray passes the world's origin within 1 mm.

    Raises:
        InputError: no X-ray device has these distances or pixels.
    """
    sddMm, pose = carm.sdd_mm, carm.camera_from_world
    originMm = pose[:3, 3]
    isBetween = bool(0 < originMm[2] < sddMm)
    sodMm = float(originMm[2]) if isBetween else TYPICAL_SOD_SHARE * sddMm
    angles = _anglesOf(pose) if isBetween and np.hypot(*originMm[:2]) <= LARGEST_MISS_MM else None
    fixed = pose if angles is None else None
    point, (primary, secondary) = offCentrePoint(carm), angles or (0.0, 0.0)
    return CArmSettings(sddMm, sodMm, carm.detector_spacing_mm, point, primary, secondary, fixed, carm.accuracy)


def offCentrePoint(carm: CArm) -> tuple[float, float] | None:
    """The principal point (u, v) in pixels; None where it is the image's centre."""
    centre = ((carm.width - 1) / 2, (carm.height - 1) / 2)
    return None if np.allclose(carm.principal_point, centre, atol=1e-9) else carm.principal_point


def applySettings(scene: Scene, volumeNode: vtkMRMLScalarVolumeNode, settings: CArmSettings) -> None:
    """Places a fluoroscopy image by settings and keeps them with it.

    Args:
        scene: Scene.

    Raises:
        InputError: the image or a transform above it cannot be used; nothing is changed then.
    """
    pixels = pixelsOf(volumeNode)
    scene.placeFluoroscopy(volumeNode, carmOfSettings(settings, pixels.shape[::-1]))
    volumeNode.SetAttribute(SETTINGS_ATTRIBUTE, json.dumps(asdict(settings)))


def settingsOf(volumeNode: vtkMRMLScalarVolumeNode) -> CArmSettings:
    """The settings of a placed image: those it was placed by, or read off its C-arm where that was changed since.

    Raises:
        InputError: the image was never placed, or what is kept with it is damaged.
    """
    carm = carmOf(volumeNode)
    kept = _keptSettings(volumeNode)
    if kept is not None and _isSameCarm(carmOfSettings(kept, carm.size), carm):
        return kept
    return settingsOfCarm(carm)


def isPlaced(volumeNode: vtkMRMLScalarVolumeNode) -> bool:
    """True if an image has a C-arm."""
    return bool(volumeNode.GetAttribute(CARM_ATTRIBUTE))


def _cameraFromWorld(settings: CArmSettings) -> Matrix:
    if settings.fixedCameraFromWorld is not None:
        return np.array(settings.fixedCameraFromWorld, dtype=np.float64)
    primary, secondary = np.deg2rad((settings.primaryAngleDeg, settings.secondaryAngleDeg))
    aboutHeadAxis, aboutRightAxis = np.eye(4), np.eye(4)
    aboutHeadAxis[:2, :2] = [[np.cos(primary), -np.sin(primary)], [np.sin(primary), np.cos(primary)]]
    aboutRightAxis[1:3, 1:3] = [[np.cos(secondary), -np.sin(secondary)], [np.sin(secondary), np.cos(secondary)]]
    cameraFromUnturned = standard_view("PA", (0, 0, 0), settings.sodMm)
    return cameraFromUnturned @ invert_rigid(aboutHeadAxis @ aboutRightAxis)


def _anglesOf(cameraFromWorld: Matrix) -> tuple[float, float] | None:
    """(primary, secondary) in degrees, None for a camera with roll or one that no usual C-arm can reach."""
    right, _, beam = cameraFromWorld[:3, :3]
    if abs(right[2]) > np.sin(np.deg2rad(LARGEST_ROLL_DEG)):
        return None
    primary = np.arctan2(right[1], right[0])
    secondary = np.arctan2(beam[2], beam @ (-np.sin(primary), np.cos(primary), 0))
    if abs(secondary) > np.pi / 2 + 1e-9:
        return None
    return float(np.rad2deg(primary)), float(np.rad2deg(secondary))


def _keptSettings(volumeNode: vtkMRMLScalarVolumeNode) -> CArmSettings | None:
    text = volumeNode.GetAttribute(SETTINGS_ATTRIBUTE)
    if not text:
        return None
    try:
        return CArmSettings(**keptJson(text))
    except (TypeError, InputError) as error:
        raise InputError(
            f"The C-arm settings kept with '{volumeNode.GetName()}' are damaged: enter its geometry again."
        ) from error


def _isSameCarm(first: CArm, second: CArm) -> bool:
    return (
        np.allclose(first.intrinsics, second.intrinsics, rtol=1e-9, atol=1e-6)
        and np.allclose(first.detector_spacing_mm, second.detector_spacing_mm, rtol=1e-6)
        and np.allclose(first.camera_from_world, second.camera_from_world, atol=1e-6)
        and first.accuracy == second.accuracy
    )


def _distanceFaults(sddMm: float, sodMm: float) -> Iterator[str]:
    faults = list(sdd_faults(sddMm))
    yield from faults
    if not faults and not (is_number(sodMm) and 0 < sodMm < sddMm):
        yield (
            f"The distance from source to isocentre (SOD) is {_shown(sodMm)} mm: it must be above 0 and below the SDD"
            f" of {sddMm:g} mm, since the patient is between source and detector."
        )


def _pixelFaults(pixelSizeMm: object, principalPointPx: object) -> Iterator[str]:
    sizes = list(pixelSizeMm) if isinstance(pixelSizeMm, (tuple, list)) else []
    if len(sizes) != 2 or not all(_isBetween(size, SMALLEST_PIXEL_MM, LARGEST_PIXEL_MM) for size in sizes):
        yield (
            f"The pixel size on the detector is {_shown(pixelSizeMm)} mm: give two numbers (along u, along v) from"
            f" {SMALLEST_PIXEL_MM:g} to {LARGEST_PIXEL_MM:g}. Most detectors have 0.1 to 0.5."
        )
    if principalPointPx is None:
        return
    places = list(principalPointPx) if isinstance(principalPointPx, (tuple, list)) else []
    if len(places) != 2 or not all(map(is_number, places)):
        yield f"The principal point is {_shown(principalPointPx)}: give two numbers (u, v) in pixels."


def _isBetween(value: float, low: float, high: float) -> bool:
    return is_number(value) and low <= value <= high


def _shown(value: object) -> str:
    return f"{value:g}" if is_number(value) else repr(value)
