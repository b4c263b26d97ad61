"""The origin of a DRR, kept with it: none is shown that belongs to another CT, anatomy, C-arm or pose."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice, contentKey
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from prostreg.geometry.frames import Matrix

ORIGIN_ATTRIBUTE = "ProSTRegistration.Origin"
MM_DECIMALS = 3


def originOf(
    ctNode: vtkMRMLScalarVolumeNode,
    fluoroscopyNode: vtkMRMLScalarVolumeNode,
    anatomy: AnatomyChoice,
    worldFromVolume: Matrix,
) -> str:
    """A short text that differs for any two DRRs that may look different.

    Args:
        anatomy: AnatomyChoice.
        worldFromVolume: rigid (4, 4).

    Raises:
        InputError: the fluoroscopy image was never placed.
    """
    carm = carmOf(fluoroscopyNode)
    # Adding 0 turns -0 into 0, which look different in a text.
    matrices = [
        np.round(matrix, MM_DECIMALS) + 0.0
        for matrix in (carm.intrinsics, carm.camera_from_world, worldFromVolume, ijkToRas(ctNode))
    ]
    parts = (
        contentKey(ctNode), contentKey(fluoroscopyNode), contentKey(anatomy.node), anatomy.segmentIds,
        anatomy.labelValues, anatomy.thresholdHu, carm.size, [matrix.tolist() for matrix in matrices],
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def keepOrigin(drrNode: vtkMRMLScalarVolumeNode, origin: str) -> None:
    """Writes down what a DRR was made of."""
    drrNode.SetAttribute(ORIGIN_ATTRIBUTE, origin)


def isMadeOf(drrNode: vtkMRMLScalarVolumeNode, origin: str) -> bool:
    """True if a DRR was made of just this."""
    return drrNode.GetAttribute(ORIGIN_ATTRIBUTE) == origin
