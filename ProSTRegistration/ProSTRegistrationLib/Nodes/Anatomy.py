"""The labels that say what is registered: parts of a segmentation or label map, where they lie over the CT.

Nothing is computed here: the worker makes a mask of them, so that the application does not wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from prostreg.errors import InputError
from prostreg.geometry.frames import Matrix, invert_rigid
from prostreg.images.volume import Volume
from ProSTRegistrationLib.Nodes.NodeGeometry import volumeFromNode, worldFromNode

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLSegmentationNode, vtkSegment, vtkSegmentation


@dataclass(frozen=True)
class AnatomyChoice:
    """The part of the CT that is registered: parts of a segmentation or label map, or bone by threshold.

    Attributes:
        node: vtkMRMLSegmentationNode or vtkMRMLLabelMapVolumeNode; None for bone by threshold.
        segmentIds: of a segmentation; None for all.
        labelValues: of a label map; None for all but 0.
        thresholdHu: for bone; None for the engine's own.
        movesInParts: each part moves by itself; else all move together.
        keepsJoints: parts that move by themselves stay together in the joints that they share.
    """

    node: vtkMRMLNode | None = None
    segmentIds: tuple[str, ...] | None = None
    labelValues: tuple[int, ...] | None = None
    thresholdHu: float | None = None
    movesInParts: bool = False
    keepsJoints: bool = False


@dataclass(frozen=True, eq=False)
class LabelPart:
    """Labels in a grid of their own.

    Attributes:
        labels: Volume in the CT's frame; its values are the node's own memory.
        chosen: list of the label values that count; None for all but 0.
    """

    labels: Volume
    chosen: list[int] | None


def contentKey(node: vtkMRMLNode | None) -> tuple[object, ...] | None:
    """A key that differs between two states of a volume's or segmentation's content; None for no node."""
    if node is None:
        return None
    if node.IsA("vtkMRMLSegmentationNode"):
        # The segmentation's own time does not change when a segment is painted.
        return node.GetID(), tuple((value, _imageKey(image)) for _, value, image in segmentImages(node))
    return node.GetID(), _imageKey(node.GetImageData())


def segmentImages(segmentationNode: vtkMRMLSegmentationNode) -> list[tuple[str, int, vtk.vtkImageData | None]]:
    """(id, label value, binary labelmap) of each segment; None for one that has no such representation."""
    segmentation = segmentationNode.GetSegmentation()
    segments = [(name, segmentation.GetSegment(name)) for name in segmentation.GetSegmentIDs()]
    return [(name, int(segment.GetLabelValue()), _labelmapOf(segment)) for name, segment in segments]


def drawnLabels(image: vtk.vtkImageData) -> Volume:
    """The smallest box of a segment's image that holds all that is drawn, in the segmentation's frame.

    Raises:
        InputError: nothing is drawn in it.
    """
    if image.GetPointData().GetScalars() is None:
        raise InputError("it is empty: draw it, or choose another one.")
    labels = _labelVolume(image)
    isDrawn = labels.values != 0
    spans = []
    for axis in range(3):
        (drawn,) = np.nonzero(isDrawn.any(axis=tuple({0, 1, 2} - {axis})))
        if not len(drawn):
            raise InputError("it is empty: draw it, or choose another one.")
        spans.append(slice(int(drawn[0]), int(drawn[-1]) + 1))
    rasFromBox = labels.volume_from_index.copy()
    rasFromBox[:3, 3] += rasFromBox[:3, :3] @ [span.start for span in reversed(spans)]
    return Volume(labels.values[tuple(spans)], rasFromBox)


def anatomyLabels(worldFromCt: Matrix, anatomy: AnatomyChoice) -> list[LabelPart]:
    """The chosen parts of a segmentation or label map, one LabelPart per image that holds some.

    Args:
        worldFromCt: where the CT lies, rigid (4, 4).
        anatomy: AnatomyChoice with a node.

    Raises:
        InputError: nothing is chosen or drawn, or a transform is not rigid.
    """
    node: vtkMRMLNode = anatomy.node
    try:
        ctFromAnatomy = invert_rigid(worldFromCt) @ worldFromNode(node)
        if node.IsA("vtkMRMLSegmentationNode"):
            return [_moved(*part, ctFromAnatomy) for part in _segmentLayers(node, anatomy.segmentIds)]
        chosen = None if anatomy.labelValues is None else [int(value) for value in anatomy.labelValues]
        if chosen == []:
            raise InputError("none of its labels is chosen: choose at least one.")
        return [_moved(volumeFromNode(node), chosen, ctFromAnatomy)]
    except InputError as error:
        raise InputError([f"Anatomy '{node.GetName()}': {fault}" for fault in error.faults]) from error


def _imageKey(image: vtk.vtkImageData | None) -> tuple[int, int] | None:
    scalars = image.GetPointData().GetScalars() if image is not None else None
    return None if image is None or scalars is None else (image.GetMTime(), scalars.GetMTime())


def _labelmapOf(segment: vtkSegment) -> vtk.vtkImageData | None:
    return segment.GetRepresentation(slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName())


def _segmentLayers(
    segmentationNode: vtkMRMLSegmentationNode, segmentIds: Sequence[str] | None
) -> list[tuple[Volume, list[int]]]:
    """(Volume in the segmentation's frame, label values) per image; segments that do not overlap share one."""
    segmentation = segmentationNode.GetSegmentation()
    chosen = list(segmentation.GetSegmentIDs()) if segmentIds is None else list(segmentIds)
    if not chosen:
        raise InputError("no segment of it is chosen: draw or choose one, or take bone by threshold.")
    layers: dict[vtk.vtkImageData, list[int]] = {}
    for segmentId in chosen:
        image, value = _segmentImage(segmentation, segmentId)
        layers.setdefault(image, []).append(value)
    return [(_labelVolume(image), values) for image, values in layers.items()]


def _segmentImage(segmentation: vtkSegmentation, segmentId: str) -> tuple[vtk.vtkImageData, int]:
    segment = segmentation.GetSegment(segmentId)
    if segment is None:
        raise InputError(f"it has no segment '{segmentId}': choose another one.")
    image = _labelmapOf(segment)
    if image is None:
        raise InputError(
            f"its segment '{segment.GetName()}' has no binary labelmap: create that representation in the"
            " Segmentations module."
        )
    if image.GetPointData().GetScalars() is None or image.GetNumberOfPoints() == 0:
        raise InputError(f"its segment '{segment.GetName()}' is empty: draw it, or choose another one.")
    return image, int(segment.GetLabelValue())


def _labelVolume(image: vtk.vtkImageData) -> Volume:
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    rasFromIndex = slicer.util.arrayFromVTKMatrix(matrix)
    # A segment's image covers only its own box, whose first index is not zero.
    rasFromIndex[:3, 3] += rasFromIndex[:3, :3] @ np.array(image.GetExtent()[::2])
    return Volume(vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]), rasFromIndex)


def _moved(labels: Volume, chosen: list[int] | None, ctFromAnatomy: Matrix) -> LabelPart:
    return LabelPart(Volume(labels.values, ctFromAnatomy @ labels.volume_from_index), chosen)
