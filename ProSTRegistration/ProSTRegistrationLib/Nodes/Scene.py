"""ProSTRegistration's share of a MRML scene: poses, pictures on the detector plane, models, numbers.

All nodes are found again by their role, so that a scene that was saved and reloaded goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from ProSTRegistrationLib.Nodes.CArmModels import carmSurfaces
from ProSTRegistrationLib.Nodes.CArmNode import (
    FOUND_ATTRIBUTE,
    carmOf,
    nodeDrawnCarmOf,
    pixelsOf,
    placeOnDetector,
    placeOnSameDetector,
)
from ProSTRegistrationLib.Nodes.ImageMarks import LANDMARKS_ROLE, marksPx, putMarks
from ProSTRegistrationLib.Nodes.NodeGeometry import setWorldFromTransform, volumeFromNode, worldFromNode
from ProSTRegistrationLib.Nodes.ResultTable import fillResultTable

if TYPE_CHECKING:
    from slicer import (
        vtkMRMLLinearTransformNode,
        vtkMRMLMarkupsNode,
        vtkMRMLNode,
        vtkMRMLScalarVolumeNode,
        vtkMRMLScene,
        vtkMRMLSubjectHierarchyNode,
        vtkMRMLTableNode,
    )

    from prostreg.geometry.carm import CArm
    from prostreg.geometry.frames import Matrix
    from prostreg.images.volume import Volume

ROLE_ATTRIBUTE = "ProSTRegistration.Role"
OWNER_REFERENCE = "ProSTRegistration.Owner"
FOLDER_ATTRIBUTE = "ProSTRegistration.Folder"
DRR_ROLE = "drr"
TRANSFORM_NAME = "CT to C-arm"
MODEL_COLORS = {"Source": (1.0, 0.8, 0.1), "Detector": (0.3, 0.8, 1.0), "Frustum": (1.0, 0.8, 0.1)}


class Scene:
    """The nodes of registrations in a scene.

    Args:
        mrmlScene: vtkMRMLScene, slicer.mrmlScene inside the application.
    """

    def __init__(self, mrmlScene: vtkMRMLScene) -> None:
        self.mrmlScene = mrmlScene

    def holds(self, node: vtkMRMLNode | None) -> bool:
        """True while a node is (still) in this scene."""
        return node is not None and node.GetScene() is self.mrmlScene

    def ct(self, ctNode: vtkMRMLScalarVolumeNode) -> tuple[Volume, Matrix]:
        """A CT node as (Volume in its own frame, world_from_volume).

        Raises:
            InputError: every fault of the node and its parent transform.
        """
        faults = FaultList()
        volume = faults.collect(lambda: volumeFromNode(ctNode))
        worldFromVolume = faults.collect(lambda: worldFromNode(ctNode))
        faults.raise_if_any()
        assert volume is not None  # or it was raised
        assert worldFromVolume is not None
        return volume, worldFromVolume

    def fluoroscopy(self, fluoroscopyNode: vtkMRMLScalarVolumeNode) -> tuple[NDArray[Any], CArm]:
        """A placed fluoroscopy node as (pixels, CArm in the world).

        Raises:
            InputError: every fault of the node.
        """
        faults = FaultList()
        pixels = faults.collect(lambda: pixelsOf(fluoroscopyNode))
        carm = faults.collect(lambda: carmOf(fluoroscopyNode))
        faults.raise_if_any()
        assert pixels is not None  # or it was raised
        assert carm is not None
        if pixels.shape[::-1] != carm.size:
            raise InputError(
                f"'{fluoroscopyNode.GetName()}' has {pixels.shape[1]} x {pixels.shape[0]} pixels, its C-arm says"
                f" {carm.width} x {carm.height}: set its geometry again."
            )
        return pixels, carm

    def placeFluoroscopy(self, fluoroscopyNode: vtkMRMLScalarVolumeNode, carm: CArm) -> None:
        """Puts a fluoroscopy image onto the detector plane and shows its C-arm; its marks stay on their pixels.

        Raises:
            InputError: the image does not fit the C-arm, or cannot be placed.
        """
        pixels = pixelsOf(fluoroscopyNode)
        if pixels.shape[::-1] != carm.size:
            raise InputError(
                f"'{fluoroscopyNode.GetName()}' has {pixels.shape[1]} x {pixels.shape[0]} pixels, the C-arm says"
                f" {carm.width} x {carm.height}: K and size must belong to this very image."
            )
        before = FaultList().collect(lambda: carmOf(fluoroscopyNode))
        marks = self.marksOn(fluoroscopyNode)
        marked = [] if before is None else [(node, marksPx(node, before)) for node in marks]
        placeOnDetector(fluoroscopyNode, carm)
        for node, pixels in marked:
            putMarks(node, carm, pixels)
        fluoroscopyNode.RemoveAttribute(FOUND_ATTRIBUTE)
        self._showCarm(fluoroscopyNode)

    def showFoundCarms(self, fluoroscopyNodes: Sequence[vtkMRMLScalarVolumeNode], found: Sequence[Matrix]) -> None:
        """Draws the C-arms of all images but the first where they were found, and any others where they were told.

        The images, their DRRs and overlays stay where they were told: a search begins there.

        Args:
            found: camera_from_world of each further image; none where all are drawn as they were told.

        Raises:
            InputError: an image has lost its C-arm.
        """
        wanted = dict(zip(fluoroscopyNodes[1:], found, strict=False))
        nodes = self.mrmlScene.GetNodesByClass("vtkMRMLScalarVolumeNode")
        for node in {*wanted, *(node for node in nodes if node.GetAttribute(FOUND_ATTRIBUTE))}:
            text = json.dumps(wanted[node].tolist()) if node in wanted else None
            if node.GetAttribute(FOUND_ATTRIBUTE) != text:
                node.SetAttribute(FOUND_ATTRIBUTE, text)
                self._showCarm(node)

    def marksOn(self, fluoroscopyNode: vtkMRMLScalarVolumeNode) -> list[vtkMRMLMarkupsNode]:
        """Lists of points that belong to pixels of an image: landmarks, outlines, the corner of a checkerboard."""
        return [node for node in self.ownedNodes(fluoroscopyNode) if node.IsA("vtkMRMLMarkupsNode")]

    def poseTransform(self, ctNode: vtkMRMLScalarVolumeNode) -> vtkMRMLLinearTransformNode | None:
        """The transform node that places a CT, None before its first registration."""
        parent = ctNode.GetParentTransformNode()
        return parent if parent is not None and parent.GetAttribute(ROLE_ATTRIBUTE) == "pose" else None

    def setPose(
        self, ctNode: vtkMRMLScalarVolumeNode, worldFromVolume: Matrix, companions: Sequence[vtkMRMLNode] = ()
    ) -> vtkMRMLLinearTransformNode:
        """Moves a CT to a pose by the transform node above it, which changes once.

        Args:
            worldFromVolume: rigid (4, 4).
            companions: nodes that move with the CT if they were under the same parent, as its segmentation; its list
                of landmarks is always one of them.

        Returns:
            the transform node. What the CT was under before is now that node's parent.

        Raises:
            InputError: a parent transform of the CT is not rigid; nothing is changed then.
        """
        worldFromNode(ctNode)
        transformNode = self.poseTransform(ctNode) or self._addPoseTransform(ctNode, companions)
        setWorldFromTransform(transformNode, worldFromVolume)
        return transformNode

    def showDrr(
        self, fluoroscopyNode: vtkMRMLScalarVolumeNode, drr: NDArray[np.float32], downsampling: int = 1
    ) -> vtkMRMLScalarVolumeNode:
        """Shows a DRR on the plane of its fluoroscopy image.

        Args:
            drr: (height, width) of the C-arm ``downsampled`` by that factor.

        Returns:
            the volume node.
        """
        name = f"{fluoroscopyNode.GetName()} DRR"
        node = self.ownedNode(fluoroscopyNode, DRR_ROLE, "vtkMRMLScalarVolumeNode", name)
        wasModifying = node.StartModify()
        placeOnSameDetector(node, fluoroscopyNode, downsampling)
        slicer.util.updateVolumeFromArray(node, np.asarray(drr, dtype=np.float32)[np.newaxis])
        node.EndModify(wasModifying)
        node.CreateDefaultDisplayNodes()
        return node

    def showResult(self, ctNode: vtkMRMLScalarVolumeNode, *results: dict[str, Any]) -> vtkMRMLTableNode:
        """Shows the numbers of results (dicts as in result.json) in the CT's table; returns the table node."""
        node = self.ownedNode(ctNode, "result", "vtkMRMLTableNode", f"{ctNode.GetName()} registration")
        fillResultTable(node, *results)
        return node

    def gather(self, ctNode: vtkMRMLScalarVolumeNode, fluoroscopyNodes: Sequence[vtkMRMLScalarVolumeNode]) -> int:
        """Gathers all nodes of a registration in one subject-hierarchy folder; returns the folder's item.

        CT and fluoroscopy images that are filed elsewhere already, as under a patient, stay there.
        """
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.mrmlScene)
        folder = _folder(hierarchy, f"Registration of {ctNode.GetName()}")
        for node in (ctNode, *fluoroscopyNodes):
            item = _item(hierarchy, node)
            if hierarchy.GetItemParent(item) == hierarchy.GetSceneItemID():
                hierarchy.SetItemParent(item, folder)
        owned = [node for owner in (ctNode, *fluoroscopyNodes) for node in self.ownedNodes(owner)]
        for node in filter(None, [self.poseTransform(ctNode), *owned]):
            # Colour tables and the like are no data to a person.
            if not node.GetHideFromEditors():
                hierarchy.SetItemParent(_item(hierarchy, node), folder)
        return folder

    def ownedNodes(self, owner: vtkMRMLNode) -> list[vtkMRMLNode]:
        """The nodes that were made for a CT or a fluoroscopy image: its DRR, models, table."""
        nodes, ownerId = self.mrmlScene.GetNodes(), owner.GetID()
        nodes.InitTraversal()  # GetNthNode would begin at the first one each time
        every = iter(nodes.GetNextItemAsObject, None)
        return [node for node in every if node.GetNodeReferenceID(OWNER_REFERENCE) == ownerId]

    def ownedNode(self, owner: vtkMRMLNode, role: str, className: str, name: str) -> vtkMRMLNode:
        """The node that has a role for a CT or a fluoroscopy image; made and named at the first call."""
        return self.findOwned(owner, role) or self.addOwned(owner, role, className, name)

    def addOwned(self, owner: vtkMRMLNode, role: str, className: str, name: str) -> vtkMRMLNode:
        """A new node that has a role for a CT or a fluoroscopy image, beside any other that has it."""
        node = self.mrmlScene.AddNewNodeByClass(className, name)
        node.SetAttribute(ROLE_ATTRIBUTE, role)
        node.SetNodeReferenceID(OWNER_REFERENCE, owner.GetID())
        return node

    def removeOwned(self, owner: vtkMRMLNode, role: str) -> None:
        """Takes the node that has a role for a CT or a fluoroscopy image out of the scene; nothing if there is none."""
        node = self.findOwned(owner, role)
        if node is not None:
            self.mrmlScene.RemoveNode(node)

    def findOwned(self, owner: vtkMRMLNode, role: str) -> vtkMRMLNode | None:
        """The node that has a role for a CT or a fluoroscopy image; None if it was not made."""
        return next((node for node in self.ownedNodes(owner) if node.GetAttribute(ROLE_ATTRIBUTE) == role), None)

    def _addPoseTransform(
        self, ctNode: vtkMRMLScalarVolumeNode, companions: Sequence[vtkMRMLNode]
    ) -> vtkMRMLLinearTransformNode:
        parentId = ctNode.GetTransformNodeID()
        transformNode = self.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", TRANSFORM_NAME)
        transformNode.SetAttribute(ROLE_ATTRIBUTE, "pose")
        transformNode.SetAndObserveTransformNodeID(parentId)
        landmarks = self.findOwned(ctNode, LANDMARKS_ROLE)
        companions = [*companions, *([landmarks] if landmarks else [])]
        for node in (ctNode, *(node for node in companions if node.GetTransformNodeID() == parentId)):
            node.SetAndObserveTransformNodeID(transformNode.GetID())
        return transformNode

    def _showCarm(self, fluoroscopyNode: vtkMRMLScalarVolumeNode) -> None:
        for name, surface in carmSurfaces(nodeDrawnCarmOf(fluoroscopyNode)).items():
            label = f"{fluoroscopyNode.GetName()} {name.lower()}"
            node = self.ownedNode(fluoroscopyNode, name.lower(), "vtkMRMLModelNode", label)
            node.SetAndObserveTransformNodeID(fluoroscopyNode.GetTransformNodeID())
            node.SetAndObservePolyData(surface)
            node.CreateDefaultDisplayNodes()
            node.GetDisplayNode().SetColor(MODEL_COLORS[name])
            node.GetDisplayNode().SetLineWidth(2)


def _folder(hierarchy: vtkMRMLSubjectHierarchyNode, name: str) -> int:
    sceneItem = hierarchy.GetSceneItemID()
    item = hierarchy.GetItemChildWithName(sceneItem, name)
    if item and hierarchy.GetItemAttribute(item, FOLDER_ATTRIBUTE):
        return item
    item = hierarchy.CreateFolderItem(sceneItem, name)
    hierarchy.SetItemAttribute(item, FOLDER_ATTRIBUTE, "1")
    return item


def _item(hierarchy: vtkMRMLSubjectHierarchyNode, node: vtkMRMLNode) -> int:
    # In the application every node has its item; outside of it nobody makes them.
    return hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
