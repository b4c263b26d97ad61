"""The C-arm of a fluoroscopy image: kept on its volume node, drawn by it.

The node's frame is the RAS below its parent transform: an image that is moved takes its C-arm along.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_values import carm_from_values, carm_to_values
from prostreg.geometry.frames import Matrix, invert_rigid
from ProSTRegistrationLib.Nodes.KeptTexts import keptJson, keptPose
from ProSTRegistrationLib.Nodes.NodeGeometry import setIjkToRas, voxelsOf, worldFromNode

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode


CARM_ATTRIBUTE = "ProSTRegistration.CArm"
FOUND_ATTRIBUTE = "ProSTRegistration.FoundCamera"
"""camera_from_world at which a result has found the C-arm, where it is drawn for that."""

SLICE_THICKNESS_MM = 1.0
LARGEST_SKEW = 1e-6
CARMS_KEPT = 64
"""Some images with their DRRs in two sizes: each is asked for many times while a hand moves the CT."""


def placeOnDetector(volumeNode: vtkMRMLScalarVolumeNode, carm: CArm) -> None:
    """Puts a one-slice volume onto the detector plane of a C-arm in the world, and keeps the C-arm with it.

    Column i runs along u, row j along v, the normal points along the beam, away from the source: seen from the
    source, u is right and v is down.

    Raises:
        InputError: the image's axes are skewed, or a parent transform of the node is not rigid.
    """
    _place(volumeNode, replace(carm, camera_from_world=carm.camera_from_world @ worldFromNode(volumeNode)))


def placeOnSameDetector(
    volumeNode: vtkMRMLScalarVolumeNode, fluoroscopyNode: vtkMRMLScalarVolumeNode, downsampling: int
) -> None:
    """Puts a one-slice volume onto the detector plane of a placed image, each pixel over a block of that image's.

    Raises:
        InputError: the image was never placed, or its C-arm is damaged.
    """
    volumeNode.SetAndObserveTransformNodeID(fluoroscopyNode.GetTransformNodeID())
    _place(volumeNode, nodeCarmOf(fluoroscopyNode, downsampling))


def cameraFromPixel(carm: CArm) -> Matrix:
    """Maps (u, v, 0) to the place of that pixel's centre on the detector in the camera frame, (4, 4)."""
    fx, skew = carm.intrinsics[0, 0], carm.intrinsics[0, 1]
    if abs(skew) > LARGEST_SKEW * fx:
        raise InputError(
            f"K has a skew of {skew:g}: a volume node cannot have slanted axes. Resample the image to square ones."
        )
    (sx, sy), (cx, cy) = carm.detector_spacing_mm, carm.principal_point
    matrix = np.diag([sx, sy, SLICE_THICKNESS_MM, 1.0])
    matrix[:3, 3] = -cx * sx, -cy * sy, carm.sdd_mm
    return matrix


def nodeCarmOf(volumeNode: vtkMRMLScalarVolumeNode, downsampling: int = 1) -> CArm:
    """The C-arm of a placed image, averaged over blocks of pixels, with the node's own frame as its world.

    Raises:
        InputError: the node was never placed, or its C-arm is damaged.
    """
    return _keptCarm(volumeNode, downsampling, np.eye(4))


def carmOf(volumeNode: vtkMRMLScalarVolumeNode) -> CArm:
    """The C-arm of a placed image in the world, where its parent transforms have put it.

    Raises:
        InputError: as for nodeCarmOf, or a parent transform is not rigid.
    """
    return _keptCarm(volumeNode, 1, worldFromNode(volumeNode))


def drawnCarmOf(volumeNode: vtkMRMLScalarVolumeNode) -> CArm:
    """The C-arm of a placed image in the world, as it is drawn: where a result found it, or else where it was told.

    Raises:
        InputError: as for carmOf.
    """
    camera, carm = keptPose(volumeNode.GetAttribute(FOUND_ATTRIBUTE)), carmOf(volumeNode)
    return carm if camera is None else replace(carm, camera_from_world=camera)


def nodeDrawnCarmOf(volumeNode: vtkMRMLScalarVolumeNode) -> CArm:
    """The C-arm of a placed image as it is drawn, with the node's own frame as its world.

    Raises:
        InputError: as for nodeCarmOf.
    """
    camera, carm = keptPose(volumeNode.GetAttribute(FOUND_ATTRIBUTE)), nodeCarmOf(volumeNode)
    return carm if camera is None else replace(carm, camera_from_world=camera @ worldFromNode(volumeNode))


def pixelsOf(volumeNode: vtkMRMLScalarVolumeNode) -> NDArray[Any]:
    """A fluoroscopy image's grey values (height, width), as stored; the node's own memory.

    Raises:
        InputError: no image, a colour image, or several frames.
    """
    voxels = voxelsOf(volumeNode)
    if voxels.shape[0] != 1:
        raise InputError(
            f"'{volumeNode.GetName()}' has {voxels.shape[0]} frames: choose one of them as an image of its own."
        )
    return voxels[0]


def _place(volumeNode: vtkMRMLScalarVolumeNode, nodeCarm: CArm) -> None:
    setIjkToRas(volumeNode, invert_rigid(nodeCarm.camera_from_world) @ cameraFromPixel(nodeCarm))
    volumeNode.SetAttribute(CARM_ATTRIBUTE, json.dumps(carm_to_values(nodeCarm)))


def _keptCarm(volumeNode: vtkMRMLScalarVolumeNode, downsampling: int, place: Matrix) -> CArm:
    text = volumeNode.GetAttribute(CARM_ATTRIBUTE)
    if not text:
        raise InputError(f"'{volumeNode.GetName()}' has no C-arm: set its geometry first.")
    try:
        return _built(text, downsampling, place.tobytes())
    except InputError as error:
        raise InputError(f"The C-arm kept with '{volumeNode.GetName()}' is damaged: set its geometry again.") from error


@lru_cache(maxsize=CARMS_KEPT)
def _built(text: str, downsampling: int, place: bytes) -> CArm:
    """The C-arm of an attribute's text, in the world around a node at a place (16 numbers). Nobody can change it."""
    values, worldFromNode = keptJson(text), np.frombuffer(place).reshape(4, 4)
    carm = carm_from_values(values, "The C-arm")
    if not np.array_equal(worldFromNode, np.eye(4)):
        carm = replace(carm, camera_from_world=carm.camera_from_world @ invert_rigid(worldFromNode))
    if downsampling > 1:
        carm = carm.downsampled(downsampling)
    for matrix in (carm.intrinsics, carm.camera_from_world):
        matrix.setflags(write=False)
    return carm
