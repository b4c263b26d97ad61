"""A track as a sequence of transforms beside the images of its run: browsing the run moves the CT.

Slicer's Sequences module copies the item of a sequence, its attributes included, into the node that shows it: here
into the transform that places the CT. Nothing is copied back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from prostreg.geometry.frames import Matrix, invert_rigid
from prostreg.tracking.track import Track
from ProSTRegistrationLib.Nodes.FluoroscopyImage import browserOf, nodesBeside
from ProSTRegistrationLib.Nodes.NodeGeometry import setMatrix, worldFromTransform
from ProSTRegistrationLib.Nodes.RunFrames import frameOf, runOf
from ProSTRegistrationLib.Nodes.Scene import ROLE_ATTRIBUTE, TRANSFORM_NAME

if TYPE_CHECKING:
    from slicer import (
        vtkMRMLScalarVolumeNode,
        vtkMRMLSequenceBrowserNode,
        vtkMRMLSequenceNode,
        vtkMRMLTransformNode,
    )

    from ProSTRegistrationLib.Nodes.Scene import Scene

SEQUENCE_ROLE, BROWSER_ROLE = "track sequence", "track browser"
STATUS_ATTRIBUTE = "ProSTRegistration.FrameStatus"
NOT_LOOKED_AT = "not looked at"
ASIDE_MM = 2000.0
"""How far along the X-ray's columns the CT lies in frames whose pose is not known: no detector is so large."""


def showInBrowser(
    scene: Scene, ctNode: vtkMRMLScalarVolumeNode, imageNode: vtkMRMLScalarVolumeNode, track: Track
) -> vtkMRMLSequenceNode:
    """Makes a sequence of a track's poses and puts it into the browser of the run; returns the sequence's node.

    A run that is no sequence gets a browser of its own. The CT must be placed by its pose transform. Where a frame
    is lost, or was not looked at, the CT lies far outside of the image, and the transform's attribute says why.
    """
    removeFromBrowser(scene, imageNode)
    transformNode = scene.poseTransform(ctNode)
    if transformNode is None:
        transformNode = scene.setPose(ctNode, scene.ct(ctNode)[1])
    runNode = runOf(imageNode)
    browser = browserOf(runNode) if runNode is not None else None
    images = None if browser is None else browser.GetMasterSequenceNode()
    sequence = scene.addOwned(imageNode, SEQUENCE_ROLE, "vtkMRMLSequenceNode", f"{ctNode.GetName()} track")
    _likeImages(sequence, images)
    worldFromParent = worldFromTransform(transformNode.GetParentTransformNode(), transformNode.GetName())
    for index in range(track.frames_in_run):
        value = str(index + 1) if images is None else images.GetNthIndexValue(index)
        sequence.SetDataNodeAtValue(_item(track, index + 1, invert_rigid(worldFromParent)), value)
    # The storage that Slicer would choose by itself keeps neither names nor attributes of transforms.
    storage = scene.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceStorageNode")
    sequence.SetAndObserveStorageNodeID(storage.GetID())
    if browser is None:
        browser = scene.ownedNode(imageNode, BROWSER_ROLE, "vtkMRMLSequenceBrowserNode", f"{ctNode.GetName()} track")
    _addTo(browser, sequence, transformNode, frameOf(imageNode) or 0)
    return sequence


def trackBrowserOf(scene: Scene, imageNode: vtkMRMLScalarVolumeNode) -> vtkMRMLSequenceBrowserNode | None:
    """The browser in which the track of an X-ray's run is; None without one."""
    sequence = scene.findOwned(imageNode, SEQUENCE_ROLE)
    browsers = nodesBeside(imageNode, "vtkMRMLSequenceBrowserNode")
    return next((one for one in browsers if sequence and one.IsSynchronizedSequenceNode(sequence, True)), None)


def removeFromBrowser(scene: Scene, imageNode: vtkMRMLScalarVolumeNode) -> None:
    """Takes the sequence of an earlier track out of its browser and out of the scene."""
    sequence, browser = scene.findOwned(imageNode, SEQUENCE_ROLE), trackBrowserOf(scene, imageNode)
    if sequence is None:
        return
    if browser is not None:
        browser.RemoveSynchronizedSequenceNode(sequence.GetID())
    scene.mrmlScene.RemoveNode(sequence)


def _likeImages(sequence: vtkMRMLSequenceNode, images: vtkMRMLSequenceNode | None) -> None:
    if images is None:
        sequence.SetIndexName("frame")
        sequence.SetIndexUnit("")
        return
    sequence.SetIndexName(images.GetIndexName())
    sequence.SetIndexUnit(images.GetIndexUnit())
    sequence.SetIndexType(images.GetIndexType())


def _item(track: Track, number: int, parentFromWorld: Matrix) -> vtkMRMLTransformNode:
    frame = next((frame for frame in track.frames if frame.number == number), None)
    status = NOT_LOOKED_AT if frame is None else frame.status
    node = slicer.vtkMRMLLinearTransformNode()
    node.SetName(f"{TRANSFORM_NAME}, frame {number}: {status}")
    node.SetAttribute(ROLE_ATTRIBUTE, "pose")
    node.SetAttribute(STATUS_ATTRIBUTE, status)
    pose = None if frame is None else frame.world_from_volume
    setMatrix(node, parentFromWorld @ (asidePose(track) if pose is None else pose))
    return node


def asidePose(track: Track) -> Matrix:
    """The place of the CT, rigid (4, 4), in frames whose pose is not known."""
    pose, down = track.chart.world_from_volume.copy(), track.chart.camera_from_world[1, :3]
    pose[:3, 3] += ASIDE_MM * down
    return pose


def _addTo(
    browser: vtkMRMLSequenceBrowserNode,
    sequence: vtkMRMLSequenceNode,
    transformNode: vtkMRMLTransformNode,
    index: int,
) -> None:
    browser.SetPlaybackActive(False)
    # At once with its node: for a sequence without one the module makes another transform.
    browser.AddProxyNode(transformNode, sequence, False)
    browser.SetOverwriteProxyName(sequence, False)
    browser.SetSaveChanges(sequence, False)
    browser.SetSelectedItemNumber(index)
