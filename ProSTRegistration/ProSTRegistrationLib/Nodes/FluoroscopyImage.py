"""Makes an image fit to be registered: grey, turned as seen from the source, without what a shutter covers.

What a person has outlined, as an instrument that the CT does not hold, is left out as well; the polarity may be told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from prostreg.choices import POLARITIES, PolarityChoice
from prostreg.errors import InputError
from prostreg.images.dicom.padding import PADDING_KEYWORDS, padded, padding_value, stored_from_itk
from prostreg.images.dicom.shutter import SHUTTER_KEYWORDS, open_part
from prostreg.images.dicom_tags import Tags, value_of
from ProSTRegistrationLib.Nodes.CArmNode import carmOf, pixelsOf
from ProSTRegistrationLib.Nodes.CArmSettings import SETTINGS_ATTRIBUTE, isPlaced, settingsOf
from ProSTRegistrationLib.Nodes.ImageMarks import isMarked, marksPx, putMarks
from ProSTRegistrationLib.Nodes.KeptTexts import keptJson
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas, setIjkToRas
from ProSTRegistrationLib.Nodes.Scene import OWNER_REFERENCE, ROLE_ATTRIBUTE, Scene

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsClosedCurveNode, vtkMRMLScalarVolumeNode, vtkMRMLSequenceBrowserNode

    from prostreg.geometry.frames import Matrix

FLIPPED_ATTRIBUTE = "ProSTRegistration.Flipped"
SHUTTER_ATTRIBUTE = "ProSTRegistration.Shutter"
"""The DICOM tags that tell what a shutter covers, and what is padding."""

POLARITY_ATTRIBUTE = "ProSTRegistration.Polarity"
OUTLINE_ROLE = "left out"
OUTLINE_COLOR = (1.0, 0.4, 0.9)
LEAST_CORNERS = 3

LARGEST_CHANNEL_DIFFERENCE = 2
"""Grey pictures that went through a lossy colour format differ by as much."""


def isFlipped(volumeNode: vtkMRMLScalarVolumeNode) -> bool:
    """True for an image that flipLeftRight has turned."""
    return volumeNode.GetAttribute(FLIPPED_ATTRIBUTE) == "1"


def turnAsStored(volumeNode: vtkMRMLScalarVolumeNode, isFromDetector: bool) -> None:
    """Turns an image as seen from the source where it was stored as seen from the detector.

    Once only: an image that was turned or left before, by this or by a person, stays as it is.

    Raises:
        InputError: the image cannot be used.
    """
    if volumeNode.GetAttribute(FLIPPED_ATTRIBUTE) is None:
        volumeNode.SetAttribute(FLIPPED_ATTRIBUTE, "0")
        if isFromDetector:
            flipLeftRight(volumeNode)


def flipLeftRight(volumeNode: vtkMRMLScalarVolumeNode) -> None:
    """Turns an image stored as seen from the detector into one as seen from the source; a second call turns it back.

    Its columns are reversed in a copy of its own; principal point and marks go with them.

    Raises:
        InputError: the image cannot be used, or its C-arm; nothing is changed then.
    """
    reversedPixels = pixelsOf(volumeNode)[:, ::-1].copy()
    if isPlaced(volumeNode):
        _flipCarm(volumeNode)
    image = vtk.vtkImageData()
    image.DeepCopy(volumeNode.GetImageData())
    vtk_to_numpy(image.GetPointData().GetScalars())[:] = reversedPixels.ravel()
    volumeNode.SetAndObserveImageData(image)
    volumeNode.StorableModified()
    volumeNode.SetAttribute(FLIPPED_ATTRIBUTE, "0" if isFlipped(volumeNode) else "1")


def sizeOf(volumeNode: vtkMRMLScalarVolumeNode | None) -> tuple[int, int]:
    """Numbers of frames and of values per pixel; (0, 0) without an image."""
    image = volumeNode.GetImageData() if volumeNode is not None else None
    return (0, 0) if image is None else (image.GetDimensions()[2], image.GetNumberOfScalarComponents())


def isColoured(volumeNode: vtkMRMLScalarVolumeNode | None) -> bool:
    """True for an image of several values per pixel."""
    return sizeOf(volumeNode)[1] > 1


def isOfRun(volumeNode: vtkMRMLScalarVolumeNode | None) -> bool:
    """True for an image that shows the frames of a sequence in turn: it loses all that was made of it at each step."""
    return volumeNode is not None and browserOf(volumeNode) is not None


def nodesBeside(volumeNode: vtkMRMLScalarVolumeNode, className: str) -> Iterator[Any]:
    """The nodes of a class in an image's scene; none where it has left its scene."""
    mrmlScene = volumeNode.GetScene()
    if mrmlScene is not None:
        for index in range(mrmlScene.GetNumberOfNodesByClass(className)):
            yield mrmlScene.GetNthNodeByClass(index, className)


def browserOf(volumeNode: vtkMRMLScalarVolumeNode) -> vtkMRMLSequenceBrowserNode | None:
    """The browser of the sequence whose frames an image shows in turn; None for other images."""
    browsers = nodesBeside(volumeNode, "vtkMRMLSequenceBrowserNode")
    return next((browser for browser in browsers if browser.IsProxyNode(volumeNode.GetID())), None)


def greyCopy(volumeNode: vtkMRMLScalarVolumeNode) -> vtkMRMLScalarVolumeNode:
    """A colour image whose channels are all alike as a grey image beside it.

    Returns:
        the volume node.

    Raises:
        InputError: it has colours, or is empty.
    """
    image = volumeNode.GetImageData()
    scalars = image.GetPointData().GetScalars() if image is not None else None
    if scalars is None or not scalars.GetNumberOfTuples():
        raise InputError(f"The volume '{volumeNode.GetName()}' is empty: load its image again.")
    channels = vtk_to_numpy(scalars).reshape(*image.GetDimensions()[::-1], -1)
    # A fourth channel tells how opaque a pixel is.
    colours = channels[..., :3].astype(np.float64)
    if np.ptp(colours, axis=-1).max() > LARGEST_CHANNEL_DIFFERENCE:
        raise InputError(
            f"'{volumeNode.GetName()}' is a picture in colour, not an X-ray: its channels differ. Load the original"
            " X-ray, not a screenshot with marks in colour."
        )
    return _made(volumeNode, "grey", channels[..., 0], ijkToRas(volumeNode))


def keepShutter(volumeNode: vtkMRMLScalarVolumeNode, tags: Tags) -> None:
    """Keeps with an image what its tags tell of a shutter and of padding."""
    keywords = SHUTTER_KEYWORDS if padding_value(tags) is None else (*SHUTTER_KEYWORDS, *PADDING_KEYWORDS)
    told = {keyword: _plain(value_of(tags, keyword)) for keyword in keywords}
    found = {keyword: value for keyword, value in told.items() if value is not None}
    if found:
        volumeNode.SetAttribute(SHUTTER_ATTRIBUTE, json.dumps(found))
    else:
        volumeNode.RemoveAttribute(SHUTTER_ATTRIBUTE)


def polarityOf(volumeNode: vtkMRMLScalarVolumeNode) -> PolarityChoice:
    """The polarity that a person has told of an image, "bone-dark" or "bone-bright"; "auto" where nothing was."""
    told = volumeNode.GetAttribute(POLARITY_ATTRIBUTE)
    return next((polarity for polarity in POLARITIES if polarity == told), "auto")


def tellPolarity(volumeNode: vtkMRMLScalarVolumeNode, polarity: PolarityChoice) -> None:
    """Keeps with an image whether its bone is dark or bright; "auto" leaves that to the registration."""
    if polarity == "auto":
        volumeNode.RemoveAttribute(POLARITY_ATTRIBUTE)
    else:
        volumeNode.SetAttribute(POLARITY_ATTRIBUTE, polarity)


def addOutline(
    scene: Scene, volumeNode: vtkMRMLScalarVolumeNode, viewIds: Sequence[str] = ()
) -> vtkMRMLMarkupsClosedCurveNode:
    """Adds an empty outline of a part of an image that is to be left out; the points that it gets are its corners.

    Args:
        scene: Scene.
        viewIds: view nodes that show it; none for all views.
    """
    name = f"{volumeNode.GetName()} left out"
    node = scene.addOwned(volumeNode, OUTLINE_ROLE, "vtkMRMLMarkupsClosedCurveNode", name)
    node.SetCurveTypeToLinear()  # what is left out is what is drawn
    node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSelectedColor(*OUTLINE_COLOR)
    display.SetPropertiesLabelVisibility(False)
    display.SetViewNodeIDs(list(viewIds))
    return node


def outlinesOf(volumeNode: vtkMRMLScalarVolumeNode) -> list[vtkMRMLMarkupsClosedCurveNode]:
    """The outlines of what is left out of an image; none of one that has left its scene."""
    curves = nodesBeside(volumeNode, "vtkMRMLMarkupsClosedCurveNode")
    owned = [curve for curve in curves if curve.GetNodeReference(OWNER_REFERENCE) is volumeNode]
    return [curve for curve in owned if curve.GetAttribute(ROLE_ATTRIBUTE) == OUTLINE_ROLE]


def outlineCorners(volumeNode: vtkMRMLScalarVolumeNode) -> tuple[tuple[tuple[float, ...], ...], ...]:
    """The corners (u, v) in pixels, to a tenth, of each outline of an image that encloses something.

    Raises:
        InputError: the image has outlines, but no C-arm that can be used.
    """
    found = []
    for node in outlinesOf(volumeNode):
        marked = [number for number in range(node.GetNumberOfControlPoints()) if isMarked(node, number)]
        if len(marked) >= LEAST_CORNERS:
            corners = np.round(marksPx(node, carmOf(volumeNode))[marked], 1) + 0.0
            found.append(tuple(map(tuple, corners.tolist())))
    return tuple(found)


def comparedPartOf(volumeNode: vtkMRMLScalarVolumeNode) -> NDArray[np.bool_] | None:
    """True where no shutter, padding or outline leaves a part of an image (height, width) out, as it is shown.

    Returns:
        None where that is the whole image.

    Raises:
        InputError: the image cannot be used, or what is kept with it is damaged.
    """
    compared = _openPartOf(volumeNode)
    for corners in outlineCorners(volumeNode):
        outside = ~_enclosed(corners, pixelsOf(volumeNode).shape)
        compared = outside if compared is None else compared & outside
    return compared


def _enclosed(corners: Sequence[tuple[float, ...]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """True for the pixels (height, width) that a polygon encloses."""
    points = vtk.vtkPoints()
    points.SetData(numpy_to_vtk(np.column_stack([corners, np.zeros(len(corners))]), deep=True))
    lasso, drawn = vtk.vtkLassoStencilSource(), vtk.vtkImageStencilToImage()
    lasso.SetShapeToPolygon()
    lasso.SetSliceOrientation(2)
    lasso.SetPoints(points)
    lasso.SetOutputWholeExtent(0, shape[1] - 1, 0, shape[0] - 1, 0, 0)
    drawn.SetInputConnection(lasso.GetOutputPort())
    drawn.SetOutputScalarTypeToUnsignedChar()
    drawn.Update()
    return np.asarray(vtk_to_numpy(drawn.GetOutput().GetPointData().GetScalars()).reshape(shape) != 0)


def _openPartOf(volumeNode: vtkMRMLScalarVolumeNode) -> NDArray[np.bool_] | None:
    text = volumeNode.GetAttribute(SHUTTER_ATTRIBUTE)
    if not text:
        return None
    height, width = pixelsOf(volumeNode).shape
    tags = keptJson(text)
    if not isinstance(tags, dict):
        raise InputError(f"The shutter kept with '{volumeNode.GetName()}' is damaged: load the image again.")
    mask, _ = open_part(tags, (height, width))
    if mask is not None and isFlipped(volumeNode):
        mask = np.ascontiguousarray(mask[:, ::-1])
    padding = padded(stored_from_itk(pixelsOf(volumeNode), tags), tags)
    if padding is None:
        return mask
    return ~padding if mask is None else mask & ~padding


def _flipCarm(volumeNode: vtkMRMLScalarVolumeNode) -> None:
    carm = carmOf(volumeNode)
    settings = settingsOf(volumeNode) if volumeNode.GetAttribute(SETTINGS_ATTRIBUTE) else None
    flippedCarm = carm.mirrored()
    scene = Scene(volumeNode.GetScene())
    scene.placeFluoroscopy(volumeNode, flippedCarm)
    for marks in scene.marksOn(volumeNode):
        putMarks(marks, flippedCarm, marksPx(marks, flippedCarm) * (-1, 1) + (carm.width - 1, 0))
    if settings is not None:
        volumeNode.SetAttribute(SETTINGS_ATTRIBUTE, json.dumps(asdict(settings.mirrored(carm.width))))


def _made(
    volumeNode: vtkMRMLScalarVolumeNode, what: str, voxels: NDArray[Any], rasFromIjk: Matrix
) -> vtkMRMLScalarVolumeNode:
    name = f"{volumeNode.GetName()} {what}"
    node = Scene(volumeNode.GetScene()).ownedNode(volumeNode, what, "vtkMRMLScalarVolumeNode", name)
    if node.GetImageData() is None:  # an image made before may have been placed and flipped since
        setIjkToRas(node, rasFromIjk)
        node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
        slicer.util.updateVolumeFromArray(node, voxels)
        node.CreateDefaultDisplayNodes()
    return node


def _plain(value: object) -> str | list[str] | None:
    if value is None:
        return None
    return [str(item) for item in value] if isinstance(value, (list, pydicom.multival.MultiValue)) else str(value)
