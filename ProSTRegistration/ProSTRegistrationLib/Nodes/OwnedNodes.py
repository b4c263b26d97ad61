"""Takes away what was made for a CT or a fluoroscopy image when a person deletes that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import vtk

from ProSTRegistrationLib.Nodes.Scene import Scene

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLScene


class OwnedNodesRemover:
    """Watches a scene until it is stopped. A scene that closes takes all its nodes away by itself.

    Args:
        mrmlScene: vtkMRMLScene.
    """

    def __init__(self, mrmlScene: vtkMRMLScene) -> None:
        self._mrmlScene = mrmlScene
        self._orphans: dict[str, list[str]] = {}

        # VTK hands out the node only to functions that say so.
        @vtk.calldata_type(vtk.VTK_OBJECT)
        def aboutToBeRemoved(caller: object, event: object, node: vtkMRMLNode) -> None:
            if not mrmlScene.IsClosing():
                self._orphans[node.GetID()] = [owned.GetID() for owned in Scene(mrmlScene).ownedNodes(node)]

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def removed(caller: object, event: object, node: vtkMRMLNode) -> None:
            for nodeId in self._orphans.pop(node.GetID(), []):
                orphan = mrmlScene.GetNodeByID(nodeId)
                if orphan is not None:
                    mrmlScene.RemoveNode(orphan)

        self._tags = [
            mrmlScene.AddObserver(mrmlScene.NodeAboutToBeRemovedEvent, aboutToBeRemoved),
            mrmlScene.AddObserver(mrmlScene.NodeRemovedEvent, removed),
        ]

    def stop(self) -> None:
        """No longer watches."""
        for tag in self._tags:
            self._mrmlScene.RemoveObserver(tag)
        self._tags = []
