"""The parts of a segmentation or label map that a person can choose from."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from ProSTRegistrationLib.Nodes.NodeGeometry import voxelsOf

if TYPE_CHECKING:
    from slicer import vtkMRMLLabelMapVolumeNode, vtkMRMLNode

    from ProSTRegistrationLib.Nodes.Scene import Scene

NAMES_ROLE = "label names"
LOWEST_LABEL = -(2**31)
BONE_NAMES = {
    **{27 + n: f"L{5 - n}" for n in range(5)},
    **{32 + n: f"T{12 - n}" for n in range(12)},
    **{44 + n: f"C{7 - n}" for n in range(7)},
    **{92 + n: f"left rib {n + 1}" for n in range(12)},
    **{104 + n: f"right rib {n + 1}" for n in range(12)},
}
"""Of labels as TotalSegmentator numbers them."""
BONE_COLOR = (0.95, 0.84, 0.57)
MOST_VOXELS_LOOKED_AT = 2_000_000


def partsOf(anatomyNode: vtkMRMLNode | None) -> tuple[tuple[str, str], ...]:
    """Keys and names of the parts, in their order: segment ids, or label values as text.

    Labels of one name get their values behind it.

    Label maps are looked at on a coarser grid, so that large ones do not keep the application waiting: labels of a few
    voxels may be missing from the list.
    """
    if anatomyNode is None:
        return ()
    if anatomyNode.IsA("vtkMRMLSegmentationNode"):
        segmentation = anatomyNode.GetSegmentation()
        ids = segmentation.GetSegmentIDs()
        return tuple((segmentId, segmentation.GetSegment(segmentId).GetName()) for segmentId in ids)
    if anatomyNode.GetImageData() is None or not anatomyNode.GetImageData().GetNumberOfPoints():
        return ()
    names = {value: _labelName(anatomyNode, value) for value in _labelValues(anatomyNode)}
    often = Counter(names.values())
    return tuple((str(value), name if often[name] == 1 else f"{name} ({value})") for value, name in names.items())


def nameBones(scene: Scene, labelMapNode: vtkMRMLLabelMapVolumeNode) -> None:
    """Gives vertebrae and ribs of a label map that TotalSegmentator numbers their names."""
    name = f"{labelMapNode.GetName()} names"
    colors = scene.ownedNode(labelMapNode, NAMES_ROLE, "vtkMRMLColorTableNode", name)
    colors.SetTypeToUser()
    colors.SetHideFromEditors(True)
    colors.SetNumberOfColors(max(BONE_NAMES) + 1)
    for value in range(colors.GetNumberOfColors()):
        colors.SetColor(value, BONE_NAMES.get(value, "(none)"), *BONE_COLOR, 1.0 if value else 0.0)
    labelMapNode.CreateDefaultDisplayNodes()
    labelMapNode.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())


def _labelValues(labelMapNode: vtkMRMLLabelMapVolumeNode) -> list[int]:
    voxels = voxelsOf(labelMapNode)
    step = max(1, int(np.ceil((voxels.size / MOST_VOXELS_LOOKED_AT) ** (1 / 3))))
    return [int(value) for value in np.unique(voxels[::step, ::step, ::step]) if value != 0]


def _labelName(labelMapNode: vtkMRMLLabelMapVolumeNode, value: int) -> str:
    displayNode = labelMapNode.GetDisplayNode()
    colors = displayNode.GetColorNode() if displayNode else None
    # Slicer's own tables, which are singletons, name colours and not what these labels mean.
    name = ""
    if colors is not None and not colors.GetSingletonTag() and 0 <= value < colors.GetNumberOfColors():
        name = colors.GetColorName(value)
    return name if name and name != "(none)" else str(value)
