"""Slicer's Python comes and goes; modules are loaded, entered, reloaded and unloaded; and DICOM headers."""

import sys

import pydicom
import pytest
import slicer
import vtk
from pydicom.dataset import FileMetaDataset

from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
from SlicerFacade.Driving import Driver
from SlicerFacade.Installation import installed
from SlicerFacade.Profiles import EACH_SLICER, SLICER_5_12

NAMES = ("qt", "ctk", "slicer.i18n", "slicer.parameterNodeWrapper", "slicer.ScriptedLoadableModule")


def testEverythingIsTakenAwayAgain(samplePath):
    modules, attributes, path = dict(sys.modules), dict(vars(slicer)), list(sys.path)
    assert not any(name in sys.modules for name in NAMES)
    with HeadlessScene() as headless, installed(headless) as facade:
        import qt  # noqa: F401

        assert slicer.mrmlScene is headless.scene
        assert slicer.app is facade.app
        Driver(facade).load(samplePath)
        assert slicer.modules.sample.title == "Sample"
    arrived = [name for name in sys.modules if name not in modules]
    assert not [name for name in arrived if name.startswith(("slicer", "qt", "ctk", "Sample"))]
    assert vars(slicer) == attributes
    assert sys.path == path


def testItComesBackAfterAFault(samplePath):
    attributes = dict(vars(slicer))

    def fail():
        with HeadlessScene() as headless, installed(headless) as facade:
            Driver(facade).load(samplePath)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert vars(slicer) == attributes


def testUncaughtErrorsAreRaisedAtTheEnd():
    def fail():
        with HeadlessScene() as headless, installed(headless) as facade:
            facade.app.connect("startupCompleted()", lambda: {}["lost"])
            facade.app.startupCompleted.emit()

    with pytest.raises(KeyError):
        fail()


def testTwoInstallationsDoNotKnowEachOther(samplePath):
    for _ in range(2):
        with HeadlessScene() as headless, installed(headless) as facade:
            import qt

            assert not qt.QSettings().contains("Sample/used")
            qt.QSettings().setValue("Sample/used", True)
            widget = Driver(facade).load(samplePath)
            assert widget.ui.ctSelector.nodeCount() == 0
            facade.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
            assert widget.ui.ctSelector.nodeCount() == 1


def testWhoListenedToTheApplicationIsForgotten():
    heard = []
    with HeadlessScene() as headless, installed(headless) as facade:
        facade.app.connect("fontDatabaseChanged()", lambda: heard.append("fonts"))
        facade.app.startupCompleted.connect(lambda: heard.append("startup"))
    with HeadlessScene() as headless, installed(headless) as facade:
        facade.app.fontDatabaseChanged.emit()
        facade.app.startupCompleted.emit()
    assert heard == []


def testAModuleIsSetUpEnteredLeftAndCleanedUp(facade, driver, sample):
    assert sample.calls == ["enter"]
    assert sample.parent.isEntered
    assert slicer.util.getModuleWidget("Sample") is sample
    assert slicer.util.getModuleLogic("Sample") is sample.logic
    assert slicer.modules.SampleWidget is sample
    assert slicer.util.selectedModule() == "Sample"
    assert slicer.util.mainWindow() is facade.mainWindow
    driver.leave()
    assert not sample.parent.isEntered
    slicer.util.selectModule("Sample")
    facade.mainWindow.moduleSelector().selectModule(None)
    facade.moduleManager.unload("Sample")
    assert sample.calls == ["enter", "exit", "enter", "exit", "cleanup"]
    with pytest.raises(RuntimeError):
        slicer.util.getModule("Sample")


def testAModuleIsReloaded(driver, sample, samplePath):
    sample.parameterNode.count = 7
    source = samplePath.read_text(encoding="utf-8").replace('_("Sample")', '_("Sample again")')
    samplePath.write_text(source + "\nRELOADED = True\n", encoding="utf-8")
    sample.onReload()
    driver.pump()
    again = slicer.modules.SampleWidget
    assert again is not sample
    assert sys.modules["Sample"].RELOADED
    assert sample.calls[-1] == "cleanup"
    assert again.ui.countBox.value == 7
    driver.type(again.ui.countBox, 2)
    assert again.parameterNode.count == 2
    assert sample.ui.applyButton.visible is False


def testTheModuleIsDescribed(sample):
    module = slicer.modules.sample
    assert (module.title, list(module.categories), module.name) == ("Sample", ["Testing"], "Sample")
    assert slicer.util.modulePath("Sample") == module.path
    assert sample.resourcePath("UI/Sample.ui").endswith("UI/Sample.ui")


def testParameterNodesAreSingletonsOfTheScene(facade, sample):
    node = sample.logic.getParameterNode()
    assert sample.logic.getParameterNode() is node
    assert node.GetAttribute("ModuleName") == "Sample"
    facade.scene.Clear(0)
    assert sample.logic.getParameterNode().GetAttribute("ModuleName") == "Sample"


@pytest.mark.parametrize("profile", EACH_SLICER, ids=str)
def testTheApplicationTellsTheVersionOfItsProfile(profile, facade):
    assert (slicer.app.majorVersion, slicer.app.minorVersion) == profile.version
    assert slicer.app.applicationVersion.startswith("{}.{}.".format(*profile.version))


@pytest.mark.parametrize("profile", EACH_SLICER, ids=str)
def testHiddenNodesAreSavedByTheLaterSlicer(profile, facade, tmp_path):
    """vtkMRMLScene::Commit: SavePrivateStorableNodes is in 5.12 and not in 5.10."""
    hidden = facade.scene.AddNewNodeByClass("vtkMRMLTableNode", "Hidden")
    hidden.SetHideFromEditors(True)
    hidden.GetTable().AddColumn(vtk.vtkFloatArray())
    facade.ioManager.saveByDialog(tmp_path / "scene.mrml")
    assert (tmp_path / "scene_Private").exists() == (profile is SLICER_5_12)
    assert ("scene_Private" in (tmp_path / "scene.mrml").read_text(encoding="utf-8")) == (profile is SLICER_5_12)


def testDicomHeadersAreText(facade, tmp_path):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data = pydicom.Dataset()
    data.file_meta = meta
    data.SOPClassUID, data.SOPInstanceUID = pydicom.uid.XRayAngiographicImageStorage, "1.2.3"
    data.DistanceSourceToDetector, data.ImagerPixelSpacing = "1020.5", [0.2, 0.3]
    data.save_as(tmp_path / "xa.dcm", enforce_file_format=True)
    uid = facade.dicomDatabase.insert(tmp_path / "xa.dcm")
    assert slicer.dicomDatabase.instanceValue(uid, "0018,1110") == "1020.5"
    assert slicer.dicomDatabase.instanceValue(uid, "0018,1164") == "0.2\\0.3"
    assert slicer.dicomDatabase.instanceValue(uid, "0018,1111") == ""
    assert slicer.dicomDatabase.instanceValue("9.9", "0018,1110") == ""
    assert slicer.dicomDatabase.fileForInstance(uid) == str(tmp_path / "xa.dcm")


def testFilesAreReadAndWritten(facade, tmp_path):
    import numpy as np

    node = slicer.util.addVolumeFromArray(np.arange(24.0).reshape(2, 3, 4), name="CT")
    assert slicer.util.saveNode(node, str(tmp_path / "ct.nrrd"))
    again = slicer.util.loadVolume(str(tmp_path / "ct.nrrd"), properties={"singleFile": True, "name": "Again"})
    assert again.GetName() == "Again"
    assert np.array_equal(slicer.util.arrayFromVolume(again), slicer.util.arrayFromVolume(node))
    with pytest.raises(RuntimeError):
        slicer.util.loadNodeFromFile(str(tmp_path / "none.vtp"), "ModelFile", {})


def testEventsAreHandledAtEveryNodeThatIsLoaded(facade, tmp_path):
    """qSlicerIOManager::updateProgressDialog: a modal QProgressDialog handles events when its value is set."""
    import qt

    facade.scene.AddNewNodeByClass("vtkMRMLTextNode", "First")
    facade.scene.Commit(str(tmp_path / "scene.mrml"))
    seen = []
    timer = qt.QTimer()
    timer.connect("timeout()", lambda: seen.append(facade.scene.IsBatchProcessing()))
    timer.start(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrml"))
    timer.stop()
    assert True in seen
