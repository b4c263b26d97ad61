"""The origin of a DRR, kept with it: none is shown that belongs to another CT, anatomy, C-arm or pose."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice, contentKey
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas, roundedRows

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from prostreg.geometry.frames import Matrix

ORIGIN_ATTRIBUTE = "ProSTRegistration.Origin"


def originOf(
    ctNode: vtkMRMLScalarVolumeNode,
    fluoroscopyNode: vtkMRMLScalarVolumeNode,
    anatomy: AnatomyChoice,
    worldFromVolume: Matrix,
    bones: Sequence[tuple[AnatomyChoice, Matrix]] = (),
) -> str:
    """A short text that differs for any two DRRs that may look different.

    Args:
        anatomy: AnatomyChoice.
        worldFromVolume: rigid (4, 4).
        bones: parts that are drawn each at a pose of its own instead; none for one body.

    Raises:
        InputError: the fluoroscopy image was never placed.
    """
    carm = carmOf(fluoroscopyNode)
    if bones:
        # Where each part has a pose of its own, that of the CT is seen nowhere.
        worldFromVolume = np.eye(4)
    matrices = (carm.intrinsics, carm.camera_from_world, worldFromVolume, ijkToRas(ctNode))
    parts: tuple[object, ...] = (
        contentKey(ctNode), contentKey(fluoroscopyNode), contentKey(anatomy.node), anatomy.segmentIds,
        anatomy.labelValues, anatomy.thresholdHu, carm.size, list(map(roundedRows, matrices)),
    )  # fmt: skip
    own = [(part.segmentIds, part.labelValues, roundedRows(pose)) for part, pose in bones]
    parts = (*parts, own) if own else parts
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def keepOrigin(drrNode: vtkMRMLScalarVolumeNode, origin: str) -> None:
    """Writes down what a DRR was made of."""
    drrNode.SetAttribute(ORIGIN_ATTRIBUTE, origin)


def isMadeOf(drrNode: vtkMRMLScalarVolumeNode, origin: str) -> bool:
    """True if a DRR was made of just this."""
    return drrNode.GetAttribute(ORIGIN_ATTRIBUTE) == origin


def areMadeAlike(oneNode: vtkMRMLScalarVolumeNode, otherNode: vtkMRMLScalarVolumeNode) -> bool:
    """True if it was written down of both what they were made of, and that is the same."""
    origin = oneNode.GetAttribute(ORIGIN_ATTRIBUTE)
    return origin is not None and isMadeOf(otherNode, origin)
