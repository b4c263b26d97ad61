"""A frame of a run as an image that can be registered: one image for each run, whose frame is exchanged in place.

A run is a volume whose slices are frames, or a volume that shows the frames of a sequence in turn.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.dicom.frame_times import frame_times_s
from prostreg.images.dicom.pixels import frame_count
from prostreg.images.dicom_geometry.frame_tags import FrameTags
from prostreg.images.dicom_geometry.standing_camera import standing_frames
from prostreg.images.dicom_tags import number_within, whole_number_of, words_of
from prostreg.images.frames import chosen_frames
from ProSTRegistrationLib.Nodes.CArmSettings import LARGEST_ANGLE_DEG, applySettings, isPlaced, settingsOf
from ProSTRegistrationLib.Nodes.DicomCArm import tagsOf
from ProSTRegistrationLib.Nodes.FluoroscopyImage import browserOf, isFlipped, sizeOf
from ProSTRegistrationLib.Nodes.ImageMarks import FRAME_ATTRIBUTE
from ProSTRegistrationLib.Nodes.KeptTexts import cellNumber, keptWhole
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas, setIjkToRas, voxelsOf
from ProSTRegistrationLib.Nodes.Scene import OWNER_REFERENCE, Scene

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

FRAME_ROLE = "frame"
_VOLUMES = ("CT", "MR", "PT", "NM", "SEG")


def runOf(imageNode: vtkMRMLScalarVolumeNode | None) -> vtkMRMLScalarVolumeNode | None:
    """The run that an image shows one frame of; None for other images, and where the run has left the scene."""
    return None if imageNode is None or frameOf(imageNode) is None else imageNode.GetNodeReference(OWNER_REFERENCE)


def frameOf(imageNode: vtkMRMLScalarVolumeNode | None) -> int | None:
    """The index of the frame that an image shows, 0 for the first; None for other images."""
    return None if imageNode is None else keptWhole(imageNode.GetAttribute(FRAME_ATTRIBUTE))


def frameTotal(runNode: vtkMRMLScalarVolumeNode) -> int:
    """The number of a run's frames; 1 for a single image, 0 for an empty one."""
    browser = browserOf(runNode)
    if browser is not None:
        return int(browser.GetNumberOfItems())
    image = runNode.GetImageData()
    return 0 if image is None else int(image.GetDimensions()[2])


def isStack(volumeNode: vtkMRMLScalarVolumeNode | None) -> bool:
    """True for grey slices of which one may be the X-ray."""
    return sizeOf(volumeNode)[1] == 1 and frameTotal(volumeNode) > 1


def isSurelyRun(volumeNode: vtkMRMLScalarVolumeNode | None, dicomDatabase: Any | None = None) -> bool:
    """True for a sequence of images, and for a volume whose DICOM file has as many frames as it has slices."""
    if volumeNode is None or frameTotal(volumeNode) < 2:
        return False
    if browserOf(volumeNode) is not None:
        return sizeOf(volumeNode)[1] == 1
    tags = tagsOf(volumeNode, dicomDatabase)
    if tags is None or set(words_of(tags, "Modality")) & set(_VOLUMES):
        return False
    return frame_count(tags) == frameTotal(volumeNode)


def usualFrame(runNode: vtkMRMLScalarVolumeNode, dicomDatabase: Any | None = None) -> int:
    """The index of the frame that the command line would take; of a sequence without DICOM tags the one it shows."""
    tags, browser = tagsOf(runNode, dicomDatabase), browserOf(runNode)
    if tags is None and browser is not None:
        return int(browser.GetSelectedItemNumber())
    told = 0 if tags is None else whole_number_of(tags, "RepresentativeFrameNumber", 0)
    return chosen_frames(runNode.GetName(), max(1, frameTotal(runNode)), None, told or None)[0].first - 1


def frameImage(runNode: vtkMRMLScalarVolumeNode, index: int) -> vtkMRMLScalarVolumeNode:
    """The image that shows one frame of a run, beside it; the same node for every frame.

    Args:
        index: 0 for the first; the node's name counts from 1.

    Raises:
        InputError: there is no such frame, or the run is empty or in colour.
    """
    voxels = _frameVoxels(runNode, index)
    node = Scene(runNode.GetScene()).ownedNode(runNode, FRAME_ROLE, "vtkMRMLScalarVolumeNode", runNode.GetName())
    if node.GetImageData() is None:
        setIjkToRas(node, ijkToRas(runNode))
        node.SetAndObserveTransformNodeID(runNode.GetTransformNodeID())
        _put(runNode, node, index, voxels)
        node.CreateDefaultDisplayNodes()
    else:
        showFrame(node, index)
    return node


def showFrame(
    imageNode: vtkMRMLScalarVolumeNode, index: int, dicomDatabase: Any | None = None
) -> vtkMRMLScalarVolumeNode:
    """Exchanges the frame that an image shows; it keeps its C-arm, turned by as much as the C-arm of the run turned.

    Raises:
        InputError: the run has left the scene, or has no such frame.
    """
    runNode = runOf(imageNode)
    if runNode is None:
        raise InputError(f"The run of '{imageNode.GetName()}' has left the scene: load it again.")
    voxels = _frameVoxels(runNode, index)
    before = _angles(runNode, frameOf(imageNode) or 0, dicomDatabase)
    after = _angles(runNode, index, dicomDatabase)
    _put(runNode, imageNode, index, voxels[..., ::-1] if isFlipped(imageNode) else voxels)
    if isPlaced(imageNode) and before != after:
        settings = settingsOf(imageNode)
        primary = settings.primaryAngleDeg + after[0] - before[0]
        secondary = settings.secondaryAngleDeg + after[1] - before[1]
        if not settings.isFixedPose and max(abs(primary), abs(secondary)) <= LARGEST_ANGLE_DEG:
            turned = replace(settings, primaryAngleDeg=primary, secondaryAngleDeg=secondary)
            applySettings(Scene(imageNode.GetScene()), imageNode, turned)
    return imageNode


def runPixels(imageNode: vtkMRMLScalarVolumeNode) -> NDArray[Any]:
    """All frames (frames, height, width) of the run that an image shows one of, turned over as the image is.

    Raises:
        InputError: the image shows no frame of a run in the scene, or frames differ in their size.
    """
    runNode = runOf(imageNode)
    if runNode is None:
        raise InputError(f"'{imageNode.GetName()}' shows no frame of a run: choose a run as the X-ray.")
    if browserOf(runNode) is None:
        voxels = voxelsOf(runNode)
    else:
        frames = [_frameVoxels(runNode, index) for index in range(frameTotal(runNode))]
        if len({frame.shape for frame in frames}) != 1:
            raise InputError(f"The frames of '{runNode.GetName()}' differ in their size: only alike ones are tracked.")
        voxels = np.concatenate(frames)
    return voxels[..., ::-1] if isFlipped(imageNode) else voxels


def frameTimesS(runNode: vtkMRMLScalarVolumeNode, dicomDatabase: Any | None = None) -> list[float] | None:
    """Seconds of each frame since the first one; None where neither tags nor a sequence in seconds tell them."""
    tags, browser, total = tagsOf(runNode, dicomDatabase), browserOf(runNode), frameTotal(runNode)
    told = None if tags is None or frame_count(tags) != total else frame_times_s(tags, total)
    if told is None and browser is not None and browser.GetMasterSequenceNode().GetIndexUnit() == "s":
        sequence = browser.GetMasterSequenceNode()
        told = tuple(cellNumber(sequence.GetNthIndexValue(index)) or 0.0 for index in range(total))
    return None if told is None else [time - told[0] for time in told]


def refuseMovingCArm(imageNode: vtkMRMLScalarVolumeNode, dicomDatabase: Any | None = None) -> None:
    """Refuses a run whose C-arm moved, by the tags that it came with: one C-arm stands for all frames.

    Raises:
        InputError: distances, pixels or angles are others in some frames than in the one that is shown.
    """
    runNode, number = runOf(imageNode), (frameOf(imageNode) or 0) + 1
    tags = None if runNode is None else tagsOf(runNode, dicomDatabase)
    if runNode is None or tags is None or frame_count(tags) != frameTotal(runNode):
        return
    total = frameTotal(runNode)
    still = standing_frames(lambda frame: FrameTags(tags, frame - 1, total), number, (1, total))
    if still != (1, total):
        raise InputError(
            f"By its DICOM tags the C-arm moved during '{runNode.GetName()}': it is as in frame {number} in frames"
            f" {still[0]} to {still[1]} only. A track needs one that stands still."
        )


def _angles(runNode: vtkMRMLScalarVolumeNode, index: int, dicomDatabase: Any | None) -> tuple[float, float]:
    tags = tagsOf(runNode, dicomDatabase)
    if tags is None:
        return 0.0, 0.0
    ofFrame = FrameTags(tags, index, frame_count(tags))
    primary, secondary = (
        number_within(ofFrame, keyword, -LARGEST_ANGLE_DEG, LARGEST_ANGLE_DEG) or 0.0
        for keyword in ("PositionerPrimaryAngle", "PositionerSecondaryAngle")
    )
    return primary, secondary


def _frameVoxels(runNode: vtkMRMLScalarVolumeNode, index: int) -> NDArray[Any]:
    """Values (1, height, width)."""
    total, browser = frameTotal(runNode), browserOf(runNode)
    if total and not 0 <= index < total:
        raise InputError(f"'{runNode.GetName()}' has no frame {index + 1}: choose one from 1 to {total}.")
    if browser is None:
        return voxelsOf(runNode)[index : index + 1]
    return voxelsOf(browser.GetSequenceNode(runNode).GetNthDataNode(index))[:1]


def _put(
    runNode: vtkMRMLScalarVolumeNode, imageNode: vtkMRMLScalarVolumeNode, index: int, voxels: NDArray[Any]
) -> None:
    imageNode.SetAttribute(FRAME_ATTRIBUTE, str(index))
    imageNode.SetName(f"{runNode.GetName()} frame {index + 1}")
    slicer.util.updateVolumeFromArray(imageNode, np.ascontiguousarray(voxels))
    imageNode.StorableModified()
