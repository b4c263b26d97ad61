"""slicer.app.coreIOManager(): what slicer.util.loadVolume, saveNode, loadScene and the like call."""

import contextlib
import shutil
from pathlib import Path
from xml.etree import ElementTree

import slicer
from PySide6 import QtCore

FILE_TYPES = {
    ".mrb": "SceneFile", ".mrml": "SceneFile", ".h5": "TransformFile", ".tfm": "TransformFile", ".txt": "TransformFile",
    ".vtk": "ModelFile", ".vtp": "ModelFile", ".stl": "ModelFile", ".obj": "ModelFile", ".json": "MarkupsFile",
    ".fcsv": "MarkupsFile", ".csv": "TableFile", ".tsv": "TableFile",
}  # fmt: skip
STORAGE_NODES = {
    "TransformFile": "vtkMRMLTransformStorageNode",
    "ModelFile": "vtkMRMLModelStorageNode",
    "TableFile": "vtkMRMLTableStorageNode",
    "SegmentationFile": "vtkMRMLSegmentationStorageNode",
}


class FileInputOutput:
    """Reads and writes by MRML's own logics and storage nodes.

    Other events are handled at every node that comes while something is loaded, as by Slicer's progress dialog.

    Args:
        headless: ProSTRegistrationLib's HeadlessScene.
        applicationLogic: vtkSlicerApplicationLogic.
    """

    def __init__(self, headless, applicationLogic, profile):
        self._headless, self._applicationLogic, self._profile = headless, applicationLogic, profile
        self.savesOffered = 0

    def fileType(self, path):
        suffixes = "".join(Path(path).suffixes)
        return "SegmentationFile" if suffixes.endswith(".seg.nrrd") else FILE_TYPES.get(Path(path).suffix, "VolumeFile")

    def fileWriterFileType(self, node):
        return type(node).__name__

    def loadNodes(self, fileType, properties, loaded, messages=None):
        path = str(properties["fileName"])
        with self._handlingEvents():
            if fileType == "SceneFile":
                return self._loadScene(path, properties.get("clear", False))
            node = self._loadNode(fileType, path, properties)
        if node is not None:
            if properties.get("name"):
                node.SetName(properties["name"])
            if fileType == "VolumeFile" and properties.get("show", True):
                self._showEverywhere(node)
            loaded.AddItem(node)
        return node is not None

    def saveNodes(self, fileType, properties, messages=None):
        path = str(properties["fileName"])
        if fileType == "SceneFile":
            if path.endswith(".mrb"):
                return bool(self._headless.scene.WriteToMRB(path))
            return bool(self._headless.scene.Commit(path))
        node = self._headless.scene.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode()
        node.GetStorageNode().SetFileName(path)
        return bool(node.GetStorageNode().WriteData(node))

    def openSaveDataDialog(self):
        """*File > Save*, whose window nobody answers here."""
        self.savesOffered += 1

    def saveByDialog(self, path):
        """Saves the scene as a .mrml file with its data beside it, as Slicer's dialog does with all rows ticked.

        Hidden nodes have no row in it; the profile tells whether the scene saves their data by itself.
        """
        scene = self._headless.scene
        for node in slicer.util.getNodesByClass("vtkMRMLStorableNode", scene):
            if node.GetHideFromEditors() or not node.GetSaveWithScene():
                continue
            if node.GetStorageNode() is None:
                node.AddDefaultStorageNode()
            storage = node.GetStorageNode()
            if storage is None:
                continue
            storage.SetFileName(str(path.parent / f"{node.GetID()}.{storage.GetDefaultWriteFileExtension()}"))
            storage.WriteData(node)
        scene.SetRootDirectory(str(path.parent))
        scene.SetURL(str(path))
        scene.Commit(str(path))
        if not self._profile.savesHiddenNodes:
            self._forgetHiddenNodes(path)

    def _forgetHiddenNodes(self, path):
        private = f"{path.stem}_Private"
        shutil.rmtree(path.parent / private, ignore_errors=True)
        document = ElementTree.parse(path)
        root = document.getroot()
        for element in [found for found in root if found.get("fileName", "").startswith(private)]:
            root.remove(element)
        document.write(path)

    def _showEverywhere(self, node):
        """Shows a volume in all slice views that let it in, as qSlicerVolumesReader::load."""
        selection = self._applicationLogic.GetSelectionNode()
        if node.IsA("vtkMRMLLabelMapVolumeNode"):
            selection.SetActiveLabelVolumeID(node.GetID())
        else:
            selection.SetActiveVolumeID(node.GetID())
        self._applicationLogic.PropagateVolumeSelection()

    @contextlib.contextmanager
    def _handlingEvents(self):
        scene = self._headless.scene
        tag = scene.AddObserver(scene.NodeAddedEvent, lambda *_: QtCore.QCoreApplication.processEvents())
        try:
            yield
        finally:
            scene.RemoveObserver(tag)

    def _loadScene(self, path, mustClear):
        scene = self._headless.scene
        if path.endswith(".mrb"):
            return bool(scene.ReadFromMRB(path, mustClear))
        scene.SetURL(path)
        return bool(scene.Connect() if mustClear else scene.Import())

    def _loadNode(self, fileType, path, properties):
        name = Path(path).name.split(".")[0]
        if fileType == "VolumeFile":
            # 1: a label map; 8: the whole series of files is not looked for.
            options = int(bool(properties.get("labelmap"))) + 8 * int(bool(properties.get("singleFile")))
            return self._applicationLogic.GetModuleLogic("Volumes").AddArchetypeVolume(path, name, options)
        if fileType == "TransformFile":
            return self._applicationLogic.GetModuleLogic("Transforms").AddTransform(path, self._headless.scene)
        if fileType == "MarkupsFile":
            nodeID = self._applicationLogic.GetModuleLogic("Markups").LoadMarkups(path, name)
            return self._headless.scene.GetNodeByID(nodeID) if nodeID else None
        return self._loadByStorage(fileType, path, name)

    def _loadByStorage(self, fileType, path, name):
        scene = self._headless.scene
        className = {"ModelFile": "vtkMRMLModelNode", "TableFile": "vtkMRMLTableNode"}.get(
            fileType, "vtkMRMLSegmentationNode"
        )
        node = scene.AddNewNodeByClass(className, scene.GenerateUniqueName(name))
        storage = getattr(slicer, STORAGE_NODES[fileType])()
        storage.SetFileName(path)
        if not storage.ReadData(node):
            scene.RemoveNode(node)
            return None
        node.CreateDefaultDisplayNodes()
        return node
