"""Turns a segmentation or a label map, as it lies over the CT in the scene, into a mask in the CT's grid."""

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from prostreg.errors import InputError
from prostreg.geometry.frames import invert_rigid
from prostreg.images.anatomy import anatomy_from_labels
from prostreg.images.volume import Volume
from ProSTRegistrationLib.Nodes.NodeGeometry import volumeFromNode, worldFromNode


def anatomyMask(ct, worldFromCt, anatomyNode, segmentIds=None, labelValues=None):
    """The chosen parts of a segmentation or label map as a mask.

    Args:
        ct: Volume, the CT in its own frame.
        worldFromCt: where the CT lies, rigid (4, 4).
        anatomyNode: vtkMRMLSegmentationNode or vtkMRMLLabelMapVolumeNode, shown over the CT.
        segmentIds: of a segmentation; all segments if it is None.
        labelValues: of a label map; all but 0 if it is None.

    Returns:
        bool array [k, j, i] of the CT's shape.

    Raises:
        InputError: nothing is chosen, nothing overlaps the CT, or a transform is not rigid.
    """
    ctFromAnatomy = invert_rigid(worldFromCt) @ worldFromNode(anatomyNode)
    try:
        if anatomyNode.IsA("vtkMRMLSegmentationNode"):
            masks = [
                anatomy_from_labels(ct, _moved(labels, ctFromAnatomy), [1])
                for labels in _segments(anatomyNode, segmentIds)
            ]
            return np.logical_or.reduce(masks)
        labels = volumeFromNode(anatomyNode)
        values = np.unique(labels.values[labels.values != 0]).tolist() if labelValues is None else labelValues
        return anatomy_from_labels(ct, _moved(labels, ctFromAnatomy), values)
    except InputError as error:
        raise InputError([f"Anatomy '{anatomyNode.GetName()}': {fault}" for fault in error.faults]) from error


def _segments(segmentationNode, segmentIds):
    segmentation = segmentationNode.GetSegmentation()
    chosen = list(segmentation.GetSegmentIDs()) if segmentIds is None else list(segmentIds)
    if not chosen:
        raise InputError("it has no segment: draw one, or choose bone by threshold.")
    return [_segmentLabels(segmentationNode, segmentId) for segmentId in chosen]


def _segmentLabels(segmentationNode, segmentId):
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    if segment is None:
        raise InputError(f"it has no segment '{segmentId}': choose another one.")
    image = slicer.vtkOrientedImageData()
    if not segmentationNode.GetBinaryLabelmapRepresentation(segmentId, image):
        raise InputError(
            f"its segment '{segment.GetName()}' has no binary labelmap: create that representation in the"
            " Segmentations module."
        )
    scalars = image.GetPointData().GetScalars()
    if scalars is None or scalars.GetNumberOfTuples() == 0:
        raise InputError(f"its segment '{segment.GetName()}' is empty: draw it, or choose another one.")
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    extentStart = image.GetExtent()[::2]
    rasFromIndex = slicer.util.arrayFromVTKMatrix(matrix)
    # A segment's image covers only its own box, whose first index is not zero.
    rasFromIndex[:3, 3] += rasFromIndex[:3, :3] @ extentStart
    values = vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])
    return Volume((values != 0).astype(np.int32), rasFromIndex)


def _moved(labels, ctFromAnatomy):
    return Volume(labels.values, ctFromAnatomy @ labels.volume_from_index)
