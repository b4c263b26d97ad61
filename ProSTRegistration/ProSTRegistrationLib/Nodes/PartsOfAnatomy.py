"""The parts of a segmentation or label map that a person can choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ProSTRegistrationLib.Nodes.NodeGeometry import voxelsOf

if TYPE_CHECKING:
    from slicer import vtkMRMLLabelMapVolumeNode, vtkMRMLNode

MOST_VOXELS_LOOKED_AT = 2_000_000


def partsOf(anatomyNode: vtkMRMLNode | None) -> tuple[tuple[str, str], ...]:
    """Keys and names of the parts, in their order: segment ids, or label values as text.

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
    return tuple((str(value), _labelName(anatomyNode, value)) for value in _labelValues(anatomyNode))


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
    return f"{value}  {name}" if name and name != "(none)" else str(value)
