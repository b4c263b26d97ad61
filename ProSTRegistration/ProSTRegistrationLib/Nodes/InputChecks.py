"""Faults of the chosen images, in words for people, before any of it is sent to the worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from prostreg.images.anatomy import misfit
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice, anatomyLabels
from ProSTRegistrationLib.Nodes.CArmNode import pixelsOf
from ProSTRegistrationLib.Nodes.CArmSettings import isPlaced
from ProSTRegistrationLib.Nodes.FluoroscopyImage import isOfRun
from ProSTRegistrationLib.Nodes.LabelSamples import chosenPointsMm
from ProSTRegistrationLib.Nodes.NodeGeometry import worldFromNode
from ProSTRegistrationLib.Nodes.Scene import DRR_ROLE, ROLE_ATTRIBUTE, Scene

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLScalarVolumeNode

    from prostreg.geometry.frames import Matrix
    from prostreg.images.volume import Volume

MOST_POINTS = 20000
SAME_PLACE = 1e-3


def imageFaults(
    ctNode: vtkMRMLScalarVolumeNode | None,
    fluoroscopyNodes: Sequence[vtkMRMLScalarVolumeNode | None],
    anatomy: AnatomyChoice | None = None,
    needsCArm: bool = True,
) -> list[str]:
    """Every fault of the images that a registration would use; the scene is not changed.

    Args:
        ctNode: volume node or None.
        fluoroscopyNodes: volume nodes; None among them counts as not chosen.
        anatomy: AnatomyChoice; bone by threshold if it is None.
        needsCArm: whether an image without C-arm is a fault.

    Returns:
        list of sentences: what, why, what to do. Empty if a registration can begin.
    """
    anatomy = anatomy or AnatomyChoice()
    nodes = [node for node in fluoroscopyNodes if node is not None]
    faults = FaultList()
    faults.extend(_choiceFaults(ctNode, nodes))
    swapped = _swapped(ctNode, nodes)
    if ctNode is not None and swapped is not None:
        return [*faults.faults, _swappedFault(ctNode, swapped)]
    ct = None if ctNode is None else faults.collect(lambda: _checkedCt(ctNode))
    for node in dict.fromkeys(nodes):
        if node is not ctNode:
            faults.extend(_xrayFaults(node, needsCArm))
    if ct is not None and anatomy.node is not None:
        faults.extend(_anatomyFaults(*ct, ctNode, anatomy))
    return faults.faults


def anatomyFaults(ctNode: vtkMRMLScalarVolumeNode, anatomy: AnatomyChoice) -> list[str]:
    """Every fault of an anatomy that is shown over a CT which has none itself.

    Looks at a sample of its voxels: a few hundredths of a second for large ones.
    """
    if anatomy.node is None:
        return []
    ct = FaultList().collect(lambda: _checkedCt(ctNode))
    return [] if ct is None else _anatomyFaults(*ct, ctNode, anatomy)


def _choiceFaults(ctNode: vtkMRMLScalarVolumeNode | None, nodes: Sequence[vtkMRMLScalarVolumeNode]) -> Iterator[str]:
    if ctNode is None:
        yield "No CT is chosen: load one and choose it."
    if not nodes:
        yield "No X-ray is chosen: load at least one fluoroscopy image and choose it."
    for node in dict.fromkeys(nodes):
        if ctNode is not None and node is ctNode:
            yield f"'{node.GetName()}' is chosen as CT and as X-ray: choose the X-ray that shows the patient of the CT."
        if nodes.count(node) > 1:
            yield f"'{node.GetName()}' is chosen {nodes.count(node)} times as X-ray: choose each image once."


def _swapped(
    ctNode: vtkMRMLScalarVolumeNode | None, nodes: Sequence[vtkMRMLScalarVolumeNode]
) -> vtkMRMLScalarVolumeNode | None:
    """The volume that was chosen as X-ray while a single picture was chosen as CT; None if that is not so."""
    if ctNode is None or _sliceCount(ctNode) != 1:
        return None
    return next((node for node in nodes if _sliceCount(node) > 1), None)


def _swappedFault(ctNode: vtkMRMLScalarVolumeNode, volumeNode: vtkMRMLScalarVolumeNode) -> str:
    return (
        f"CT and X-ray are swapped: '{ctNode.GetName()}', chosen as CT, is a single picture, and"
        f" '{volumeNode.GetName()}', chosen as X-ray, has {_sliceCount(volumeNode)} slices. Exchange them."
    )


def _checkedCt(ctNode: vtkMRMLScalarVolumeNode) -> tuple[Volume, Matrix]:
    name = ctNode.GetName()
    if ctNode.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError(f"'{name}', chosen as CT, is a label map: choose the CT itself, and the labels as anatomy.")
    if _sliceCount(ctNode) == 1:
        raise InputError(f"'{name}', chosen as CT, is a single picture: choose a volume with slices.")
    return Scene(ctNode.GetScene()).ct(ctNode)


def _xrayFaults(node: vtkMRMLScalarVolumeNode, needsCArm: bool) -> list[str]:
    name = node.GetName()
    if node.GetAttribute(ROLE_ATTRIBUTE) == DRR_ROLE:
        return [f"'{name}' is a DRR computed from the CT, not an X-ray: choose the fluoroscopy image itself."]
    if isOfRun(node):
        return [
            f"'{name}' shows the frames of a run and forgets its C-arm with every step: take one frame as an image of"
            " its own."
        ]
    if _sliceCount(node) > 1:
        return [
            f"'{name}', chosen as X-ray, has {_sliceCount(node)} frames or slices: choose a frame of the run and"
            " press 'Use this frame'; if it is a CT, choose it as CT."
        ]
    faults = FaultList()
    if needsCArm or isPlaced(node):
        faults.collect(lambda: Scene(node.GetScene()).fluoroscopy(node))
    else:
        faults.collect(lambda: pixelsOf(node))
    return faults.faults


def _anatomyFaults(
    ct: Volume, worldFromVolume: Matrix, ctNode: vtkMRMLScalarVolumeNode, anatomy: AnatomyChoice
) -> list[str]:
    faults = FaultList()
    parts = faults.collect(lambda: anatomyLabels(worldFromVolume, anatomy))
    if parts is None:
        return faults.faults
    points = np.concatenate([np.zeros((0, 3)), *(chosenPointsMm(part) for part in parts)])
    anatomyNode: vtkMRMLNode = anatomy.node
    name = f"Anatomy '{anatomyNode.GetName()}'"
    if not len(points):
        return [f"{name}: nothing is marked by its chosen labels: choose others, or draw it."]
    if not np.allclose(worldFromNode(anatomyNode), worldFromNode(ctNode), atol=SAME_PLACE):
        return [
            f"{name}: it is under another transform than the CT '{ctNode.GetName()}' and does not move with it. Put it"
            " under the same transform in the Data module."
        ]
    hu = _huAt(ct, points[:: -(-len(points) // MOST_POINTS)])
    inside = hu[np.isfinite(hu)]
    share = len(inside) / len(hu)
    found = misfit(share, inside)
    hint = "Does it belong to another patient or scan? Choose the one that was made of this CT."
    if found == "outside":
        return [f"{name}: only {100 * share:.0f} % of it lie in the CT '{ctNode.GetName()}'. {hint}"]
    if found == "in air":
        return [f"{name}: it lies mostly in air ({np.median(inside):.0f} HU) in the CT '{ctNode.GetName()}'. {hint}"]
    return []


def _huAt(ct: Volume, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of the nearest voxels at points (n, 3) of the CT's frame; NaN outside of it."""
    indexFromVolume = np.linalg.inv(ct.volume_from_index)
    indices = np.rint(points @ indexFromVolume[:3, :3].T + indexFromVolume[:3, 3]).astype(np.int64)[:, ::-1]
    inside = ((indices >= 0) & (indices < ct.values.shape)).all(axis=1)
    hu = np.full(len(points), np.nan)
    hu[inside] = ct.values[tuple(indices[inside].T)]
    return hu


def _sliceCount(node: vtkMRMLScalarVolumeNode) -> int:
    image = node.GetImageData()
    return image.GetDimensions()[2] if image is not None else 0
