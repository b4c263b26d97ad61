"""A MRML scene with its logics outside the Slicer application, as slicer-core provides it.

Classes of nodes that belong to modules become known to a scene only when their module's logic gets it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import slicer

if TYPE_CHECKING:
    from slicer import vtkSlicerModuleLogic

MODULE_LOGICS = {
    "Volumes": "vtkSlicerVolumesLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Models": "vtkSlicerModelsLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Tables": "vtkSlicerTablesLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
}


class HeadlessScene:
    """A scene that can hold, save and load everything that ProSTRegistration writes. Use as a context manager.

    Attributes:
        scene: the vtkMRMLScene.
        applicationLogic: the vtkSlicerApplicationLogic that the module logics and views share.
    """

    def __enter__(self) -> HeadlessScene:
        self._temporaryFolder = tempfile.TemporaryDirectory(prefix="prostreg-scene-")
        self.scene = slicer.vtkMRMLScene()
        self.applicationLogic = slicer.vtkSlicerApplicationLogic()
        self.applicationLogic.SetTemporaryPath(self._temporaryFolder.name)
        self.applicationLogic.SetMRMLScene(self.scene)
        self._makeFilesReadable()
        self._colorLogic = slicer.vtkMRMLColorLogic()
        self._colorLogic.SetMRMLScene(self.scene)
        self._colorLogic.AddDefaultColorNodes()
        self.applicationLogic.SetColorLogic(self._colorLogic)
        self._moduleLogics = [self._addModuleLogic(*item) for item in MODULE_LOGICS.items()]
        return self

    def __exit__(self, *_: object) -> None:
        self.scene.Clear(True)
        self._temporaryFolder.cleanup()

    def save(self, path: Path) -> bool:
        """Writes the scene with all its data as one .mrb file; True on success."""
        return bool(self.scene.WriteToMRB(str(path)))

    def load(self, path: Path) -> bool:
        """Replaces the scene by that of a .mrb file; True on success."""
        return bool(self.scene.ReadFromMRB(str(path), True))

    def _makeFilesReadable(self) -> None:
        # Bundles are unpacked into the cache folder; without one they cannot be read.
        self._remoteIO = slicer.vtkMRMLRemoteIOLogic()
        self._remoteIO.GetCacheManager().SetRemoteCacheDirectory(self._temporaryFolder.name)
        self._dataIOManagerLogic = slicer.vtkDataIOManagerLogic()
        self._dataIOManagerLogic.SetMRMLApplicationLogic(self.applicationLogic)
        self._dataIOManagerLogic.SetAndObserveDataIOManager(self._remoteIO.GetDataIOManager())
        self.applicationLogic.SetMRMLSceneDataIO(self.scene, self._remoteIO, self._dataIOManagerLogic)

    def _addModuleLogic(self, moduleName: str, className: str) -> vtkSlicerModuleLogic:
        logic = getattr(slicer, className)()
        logic.SetMRMLApplicationLogic(self.applicationLogic)
        logic.SetMRMLScene(self.scene)
        self.applicationLogic.SetModuleLogic(moduleName, logic)
        return logic
