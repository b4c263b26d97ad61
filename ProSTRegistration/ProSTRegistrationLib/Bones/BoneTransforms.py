"""A transform for each bone, beside the one that places the CT: the bone's pose for other modules and programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prostreg.geometry.frames import Matrix
from ProSTRegistrationLib.Nodes.NodeGeometry import setWorldFromTransform, worldFromTransform
from ProSTRegistrationLib.Nodes.Scene import ROLE_ATTRIBUTE

if TYPE_CHECKING:
    from slicer import vtkMRMLLinearTransformNode, vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.Nodes.Scene import Scene

ROLE = "bone pose"
PART_ATTRIBUTE = "ProSTRegistration.Part"


def boneTransform(scene: Scene, ctNode: vtkMRMLScalarVolumeNode, part: str) -> vtkMRMLLinearTransformNode | None:
    """The transform that places a part of a CT, by its key; None before it was first found."""
    for node in scene.ownedNodes(ctNode):
        if node.GetAttribute(ROLE_ATTRIBUTE) == ROLE and node.GetAttribute(PART_ATTRIBUTE) == part:
            return node
    return None


def setBonePoses(scene: Scene, ctNode: vtkMRMLScalarVolumeNode, poses: Sequence[tuple[str, str, Matrix]]) -> None:
    """Moves the transforms of bones, and makes those that are missing.

    Args:
        poses: key of the part, name of the bone, world_from_volume (4, 4).

    Raises:
        InputError: what one of them lies under is not rigid; nothing is changed then.
    """
    known = [boneTransform(scene, ctNode, part) for part, _, _ in poses]
    for node in known:
        if node is not None:
            worldFromTransform(node.GetParentTransformNode(), node.GetName())
    for node, (part, name, pose) in zip(known, poses, strict=True):
        if node is None:
            node = scene.addOwned(ctNode, ROLE, "vtkMRMLLinearTransformNode", f"{name} to C-arm")
            node.SetAttribute(PART_ATTRIBUTE, part)
        setWorldFromTransform(node, pose)
