"""Hears what happens in a MRML scene and to nodes in it."""

import slicer
import vtk

SCENE_CHANGED_EVENTS = ("EndCloseEvent", "EndImportEvent")
# After whoever else wants to know of a removal, as Slicer's model of the scene.
LATE = -10.0


class SceneEvents:
    """Tells of nodes that come and go and of whole changes of a scene, until it is stopped.

    Args:
        scene: vtkMRMLScene.
        onAdded: called with the node; not while a scene is imported.
        onRemoval: called with the node while it still is in the scene; not when all of it is closed.
        onChanged: called without arguments after a close or an import.
    """

    def __init__(self, scene, onAdded, onRemoval, onChanged):
        self._scene = scene

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def added(_caller, _event, node):
            if not scene.IsImporting():
                onAdded(node)

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def removed(_caller, _event, node):
            if not scene.IsClosing():
                onRemoval(node)

        self._tags = [
            scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, added),
            scene.AddObserver(slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, removed, LATE),
        ]
        for name in SCENE_CHANGED_EVENTS:
            event = getattr(slicer.vtkMRMLScene, name)
            self._tags.append(scene.AddObserver(event, lambda *_: onChanged()))

    def stop(self):
        """Hears no more."""
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags = []


class NodeEvents:
    """Tells of every change of some nodes, until it is stopped.

    Args:
        onModified: called with the node.
    """

    def __init__(self, onModified):
        self._onModified = onModified
        self._tags = {}

    def watch(self, nodes):
        """Watches these nodes and no others."""
        present = {node.GetID(): node for node in nodes}
        for nodeID in [known for known in self._tags if self._tags[known][0] is not present.get(known)]:
            node, tag = self._tags.pop(nodeID)
            node.RemoveObserver(tag)
        for nodeID, node in present.items():
            if nodeID not in self._tags:
                tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, _: self._onModified(caller))
                self._tags[nodeID] = (node, tag)

    def stop(self):
        """Watches none."""
        self.watch([])
