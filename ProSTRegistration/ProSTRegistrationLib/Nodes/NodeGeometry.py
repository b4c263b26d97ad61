"""Reads voxels and frames from MRML nodes, and writes them.

World is the scene's RAS. A volume's own frame (what the engine calls ``volume``) is the RAS that its IJK-to-RAS matrix
leads to, before its parent transform.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.geometry.frames import Matrix, invert_rigid, rigid_faults
from prostreg.images.volume import Volume

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLScalarVolumeNode, vtkMRMLTransformNode

COMPARED_DECIMALS = 3


def worldFromNode(node: vtkMRMLNode) -> Matrix:
    """The place that the parent transforms of a node give it, rigid (4, 4).

    Raises:
        InputError: a parent transform warps, scales, shears or mirrors.
    """
    return worldFromTransform(node.GetParentTransformNode(), node.GetName())


def worldFromTransform(transformNode: vtkMRMLTransformNode | None, name: str) -> Matrix:
    """The motion that a transform node (or None) gives the node called ``name`` below it, rigid (4, 4).

    Raises:
        InputError: as for worldFromNode.
    """
    if transformNode is None:
        return np.eye(4)
    if not transformNode.IsTransformToWorldLinear():
        raise InputError(
            f"'{name}' is under the transform '{transformNode.GetName()}', which warps it: harden that"
            " transform or take the node out of it."
        )
    matrix = vtk.vtkMatrix4x4()
    transformNode.GetMatrixTransformToWorld(matrix)
    worldFromParent = slicer.util.arrayFromVTKMatrix(matrix)
    if rigid_faults(worldFromParent, "matrix"):
        raise InputError(
            f"'{name}' is under the transform '{transformNode.GetName()}', which scales, shears or mirrors"
            " it: a registration only turns and shifts. Harden that transform or take the node out of it."
        )
    return worldFromParent


def ctFromNode(ctNode: vtkMRMLScalarVolumeNode, node: vtkMRMLNode) -> Matrix:
    """The place of a node in the CT's frame, rigid (4, 4), wherever both lie in the world.

    Raises:
        InputError: as for worldFromNode.
    """
    return invert_rigid(worldFromNode(ctNode)) @ worldFromNode(node)


def setWorldFromTransform(transformNode: vtkMRMLTransformNode, worldFromTransform_: Matrix) -> None:
    """Sets a transform node so that it and its parents together give this (4, 4) matrix."""
    worldFromParent = worldFromTransform(transformNode.GetParentTransformNode(), transformNode.GetName())
    setMatrix(transformNode, np.linalg.inv(worldFromParent) @ worldFromTransform_)


def setMatrix(transformNode: vtkMRMLTransformNode, parentFromTransform: Matrix) -> None:
    """Sets a transform node's own matrix to its parent."""
    transformNode.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.asarray(parentFromTransform)))


def roundedRows(matrix: Matrix) -> list[list[float]]:
    """A matrix in mm or pixels to compare by: saving a scene keeps three decimals, and -0 looks unlike 0 in a text."""
    return (np.round(matrix, COMPARED_DECIMALS) + 0.0).tolist()


def ijkToRas(volumeNode: vtkMRMLScalarVolumeNode) -> Matrix:
    """A volume's index-to-RAS matrix (4, 4), without its parent transform."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def setIjkToRas(volumeNode: vtkMRMLScalarVolumeNode, matrix: Matrix) -> None:
    """Sets a volume's index-to-RAS matrix."""
    volumeNode.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.asarray(matrix)))


def voxelsOf(volumeNode: vtkMRMLScalarVolumeNode) -> NDArray[Any]:
    """A scalar volume's voxels [k, j, i]; the node's own memory, to be read and not to be kept.

    Raises:
        InputError: there is no image in it, or it has several values per voxel.
    """
    name = volumeNode.GetName()
    image = volumeNode.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None or image.GetNumberOfPoints() == 0:
        raise InputError(f"The volume '{name}' is empty: load its image again.")
    if image.GetNumberOfScalarComponents() != 1:
        raise InputError(
            f"The volume '{name}' has {image.GetNumberOfScalarComponents()} values per voxel (a colour image):"
            " convert it to grey values with the Vector to Scalar Volume module."
        )
    return slicer.util.arrayFromVolume(volumeNode)


def volumeFromNode(volumeNode: vtkMRMLScalarVolumeNode) -> Volume:
    """A volume node in its own frame; its voxels are those of voxelsOf.

    Raises:
        InputError: as for voxelsOf.
    """
    return Volume(voxelsOf(volumeNode), ijkToRas(volumeNode))
