"""C-arms that other programs calibrated, as settings of an image in the scene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prostreg.errors import InputError
from prostreg.geometry.camera_files.reading import read_camera
from ProSTRegistrationLib.Nodes.CArmNode import pixelsOf
from ProSTRegistrationLib.Nodes.CArmSettings import CArmSettings, settingsOfCarm
from ProSTRegistrationLib.Nodes.FluoroscopyImage import isFlipped

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

MOST_SKEW_PX = 0.5
"""By so much a skew may move the image's corners: settings have none."""


def settingsInFile(path: Path, volumeNode: vtkMRMLScalarVolumeNode, shown: CArmSettings) -> CArmSettings:
    """The settings that a file tells, of any of the engine's CAMERA_FORMATS, for an image as it is stored.

    Args:
        path: of the file.
        volumeNode: the image, flipped or not.
        shown: tells where the C-arm stands, where the file tells nothing of that.

    Raises:
        InputError: lists all that is wrong with the file, or says that it belongs to another image.
    """
    size = pixelsOf(volumeNode).shape[::-1]
    carm = read_camera(path, image_size=lambda: size)
    if carm.size != size:
        raise InputError(
            f"The C-arm in {path.name} is that of an image of {carm.width} x {carm.height} pixels, and"
            f" '{volumeNode.GetName()}' has {size[0]} x {size[1]}: give the file that belongs to this image."
        )
    movedPx = abs(carm.intrinsics[0, 1] / carm.intrinsics[1, 1]) * max(
        abs(v - carm.principal_point[1]) for v in (0, carm.height)
    )
    if movedPx > MOST_SKEW_PX:
        raise InputError(
            f"The axes of the image in {path.name} stand askew, by {movedPx:.1f} pixels at its edge, which this panel"
            " does not know: register this image with the command prostreg."
        )
    settings = settingsOfCarm(carm.mirrored() if isFlipped(volumeNode) else carm)
    if not np.array_equal(carm.camera_from_world, np.eye(4)):
        return settings
    sodMm = shown.sodMm * settings.sddMm / shown.sddMm
    angles = shown.primaryAngleDeg, shown.secondaryAngleDeg
    return replace(settings, sodMm=sodMm, primaryAngleDeg=angles[0], secondaryAngleDeg=angles[1],
                   fixedCameraFromWorld=shown.fixedCameraFromWorld)  # fmt: skip
