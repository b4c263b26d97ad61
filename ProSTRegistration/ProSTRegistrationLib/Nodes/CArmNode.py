"""The C-arm of a fluoroscopy image: kept on its volume node, drawn by it.

The node's frame is the RAS below its parent transform: an image that is moved takes its C-arm along.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import invert_rigid
from ProSTRegistrationLib.Nodes.NodeGeometry import setIjkToRas, voxelsOf, worldFromNode

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from prostreg.geometry.frames import Matrix

CARM_ATTRIBUTE = "ProSTRegistration.CArm"
SLICE_THICKNESS_MM = 1.0
LARGEST_SKEW = 1e-6


def placeOnDetector(volumeNode: vtkMRMLScalarVolumeNode, carm: CArm) -> None:
    """Puts a one-slice volume onto the detector plane of a C-arm in the world, and keeps the C-arm with it.

    Column i runs along u, row j along v, the normal points along the beam, away from the source: seen from the
    source, u is right and v is down.

    Raises:
        InputError: the image's axes are skewed, or a parent transform of the node is not rigid.
    """
    nodeCarm = replace(carm, camera_from_world=carm.camera_from_world @ worldFromNode(volumeNode))
    setIjkToRas(volumeNode, invert_rigid(nodeCarm.camera_from_world) @ cameraFromPixel(nodeCarm))
    volumeNode.SetAttribute(CARM_ATTRIBUTE, _text(nodeCarm))


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


def nodeCarmOf(volumeNode: vtkMRMLScalarVolumeNode) -> CArm:
    """The C-arm of a placed image with the node's own frame as its world.

    Raises:
        InputError: the node was never placed, or its C-arm is damaged.
    """
    text = volumeNode.GetAttribute(CARM_ATTRIBUTE)
    if not text:
        raise InputError(f"'{volumeNode.GetName()}' has no C-arm: set its geometry first.")
    try:
        content = json.loads(text)
        spacing = content["spacing_mm"] and tuple(content["spacing_mm"])
        return CArm(content["K"], tuple(content["size"]), np.array(content["camera_from_world"]), spacing)
    except (ValueError, KeyError, TypeError, InputError) as error:
        raise InputError(f"The C-arm kept with '{volumeNode.GetName()}' is damaged: set its geometry again.") from error


def carmOf(volumeNode: vtkMRMLScalarVolumeNode) -> CArm:
    """The C-arm of a placed image in the world, where its parent transforms have put it.

    Raises:
        InputError: as for nodeCarmOf, or a parent transform is not rigid.
    """
    carm = nodeCarmOf(volumeNode)
    return replace(carm, camera_from_world=carm.camera_from_world @ invert_rigid(worldFromNode(volumeNode)))


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


def _text(carm: CArm) -> str:
    return json.dumps(
        {
            "K": carm.intrinsics.tolist(),
            "size": list(carm.size),
            "spacing_mm": carm.spacing_mm,
            "camera_from_world": carm.camera_from_world.tolist(),
        }
    )
