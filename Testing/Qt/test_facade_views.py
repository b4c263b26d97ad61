"""The application's window: views of a layout, and a person at its panel."""

import time

import numpy as np
import pytest
import slicer
from Heartbeat import Heartbeat

from SlicerFacade.Driving import CannotDo

OWN_LAYOUT = 7654
OWN_XML = """
<layout type="horizontal">
 <item splitSize="2"><view class="vtkMRMLSliceNode" singletontag="Fluoro">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">F</property>
  <property name="viewcolor" action="default">#00FF00</property>
 </view></item>
 <item><view class="vtkMRMLViewNode" singletontag="CArm">
  <property name="viewlabel" action="default">C</property>
 </view></item>
</layout>
"""


@pytest.fixture
def ownLayout(facade):
    manager = slicer.app.layoutManager()
    manager.layoutLogic().GetLayoutNode().AddLayoutDescription(OWN_LAYOUT, OWN_XML)
    manager.setLayout(OWN_LAYOUT)
    return manager


def testTheUsualLayoutHasItsViews(facade):
    manager = slicer.app.layoutManager()
    assert set(manager.sliceViewNames()) == {"Red", "Green", "Yellow"}
    assert manager.threeDViewCount == 1
    red = manager.sliceWidget("Red")
    assert red.sliceLogic().GetSliceNode() is red.mrmlSliceNode()
    assert red.mrmlSliceNode().GetLayoutName() == "Red"
    assert slicer.app.applicationLogic().GetSliceLogicByLayoutName("Red") is red.sliceLogic()
    assert manager.threeDWidget(0).threeDView().mrmlViewNode().IsA("vtkMRMLViewNode")
    assert manager.sliceWidget("Purple") is None


def testAnOwnLayoutMakesItsViews(facade, ownLayout):
    changes = []
    ownLayout.connect("layoutChanged(int)", changes.append)
    assert ownLayout.layout == OWN_LAYOUT
    assert {"Red", "Fluoro"} <= set(ownLayout.sliceViewNames())
    facade.mainWindow.show()
    assert ownLayout.sliceWidget("Fluoro").visible
    assert ownLayout.threeDWidget("CArm").visible
    assert not ownLayout.sliceWidget("Red").visible
    assert ownLayout.sliceWidget("Fluoro").width > 1.5 * ownLayout.threeDWidget("CArm").width
    ownLayout.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    assert changes == [slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView]
    assert ownLayout.sliceWidget("Red").visible
    assert not ownLayout.sliceWidget("Fluoro").visible


def testViewsSurviveTheClosedScene(facade, driver, ownLayout):
    facade.mainWindow.show()
    facade.scene.Clear(0)
    driver.pump()
    assert ownLayout.sliceWidget("Red").sliceLogic().GetSliceNode() is not None
    facade.refreshViews()


def testPicturesOfTheViewsAreInTheWindow(facade, driver, ownLayout):
    if facade.views is None:
        pytest.skip("nothing can be drawn on this machine")
    volume = slicer.util.addVolumeFromArray(np.full((20, 20, 20), 100.0, dtype=np.float32), name="CT")
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().AutoWindowLevelOff()
    volume.GetDisplayNode().SetWindowLevel(2, 98)
    widget = ownLayout.sliceWidget("Fluoro")
    widget.sliceLogic().GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
    facade.mainWindow.show()
    driver.pump()
    widget.sliceLogic().FitSliceToAll()
    facade.refreshViews()
    picture = driver.grab(widget.sliceView())
    middle = picture.pixelColor(picture.width() // 2, picture.height() // 2)
    assert (middle.red(), middle.green(), middle.blue()) == (255, 255, 255)


def testMouseAndWheelComeWithTheirKeys(facade, driver):
    """vtkMRMLViewInteractorStyle: what no displayable manager takes goes on to observers of a lower priority."""
    if facade.views is None:
        pytest.skip("nothing can be drawn on this machine")
    widget, heard = slicer.app.layoutManager().sliceWidget("Red"), []
    interactor = widget.sliceView().interactor()
    for event in ("LeftButtonPressEvent", "MouseWheelForwardEvent"):
        for priority in (1.0, -1.0):
            interactor.AddObserver(
                event, lambda caller, name, at=priority: heard.append((name[:4], at, caller.GetControlKey())), priority
            )
    facade.views.drag(widget.mrmlSliceNode(), (40, 40), (60, 40))
    assert heard == [("Left", 1.0, 0), ("Left", -1.0, 0)]
    heard.clear()
    facade.views.wheel(widget.mrmlSliceNode(), (40, 40), 1, keys=("Control",))
    assert heard == [("Mous", 1.0, 1)], "Slicer's own zoom takes it"


def testShortcutsAreHeard(facade, driver, sample):
    import qt

    heard, shortcut = [], qt.QShortcut(sample.parent)
    shortcut.setKey(qt.QKeySequence("Ctrl+G"))
    shortcut.connect("activated()", lambda: heard.append("blend"))
    driver.press("Ctrl+G")
    assert heard == ["blend"]


def testTheWholeWindowIsGrabbed(driver, sample, tmp_path):
    driver.grab(path=tmp_path / "window.png")
    assert (tmp_path / "window.png").stat().st_size > 1000
    image = driver.grab(sample.ui.applyButton)
    assert image.width() == sample.ui.applyButton.width


def testTheHeartbeatSeesWhatBlocks(driver):
    with Heartbeat() as heart:
        driver.pump(lambda: heart.beats > 3)
        time.sleep(0.15)
        driver.pump()
    assert heart.largestGapMs >= 150


def testViewsOfABatchComeWithItsEnd(facade):
    """qMRMLLayoutViewFactory::onNodeAdded and qMRMLLayoutManager: both look away until EndBatchProcessEvent."""
    manager, scene = slicer.app.layoutManager(), facade.scene
    node = manager.layoutLogic().GetLayoutNode()
    scene.StartState(scene.BatchProcessState)
    node.AddLayoutDescription(OWN_LAYOUT, OWN_XML)
    manager.setLayout(OWN_LAYOUT)
    assert manager.layout == OWN_LAYOUT
    assert manager.sliceWidget("Fluoro") is None
    scene.EndState(scene.BatchProcessState)
    assert manager.sliceWidget("Fluoro") is not None
    scene.RemoveNode(manager.sliceWidget("Fluoro").mrmlSliceNode())
    assert manager.sliceWidget("Fluoro") is None


def testALoadedVolumeTakesOverEverySliceViewThatLetsIt(facade, tmp_path):
    """vtkMRMLApplicationLogic::PropagateVolumeSelection and FitSliceToContent: it is shown, the view turned back."""
    manager = slicer.app.layoutManager()
    volume = slicer.util.addVolumeFromArray(np.ones((4, 5, 6), dtype=np.int16), name="Saved")
    slicer.util.saveNode(volume, str(tmp_path / "saved.nrrd"))
    red, green = (manager.sliceWidget(name).sliceLogic() for name in ("Red", "Green"))
    green.GetSliceCompositeNode().SetDoPropagateVolumeSelection(False)
    for logic in (red, green):
        logic.GetSliceNode().SetOrientation("Sagittal")
    loaded = slicer.util.loadVolume(str(tmp_path / "saved.nrrd"))
    assert red.GetSliceCompositeNode().GetBackgroundVolumeID() == loaded.GetID()
    assert green.GetSliceCompositeNode().GetBackgroundVolumeID() is None
    assert red.GetSliceNode().GetOrientation() == "Axial"
    assert green.GetSliceNode().GetOrientation() == "Sagittal"


def testARightClickEndsPlaceMode(facade, driver):
    """vtkSlicerMarkupsWidget.cxx: WidgetEventStopPlace switches to the view transform mode."""
    if facade.views is None:
        pytest.skip("nothing can be drawn on this machine")
    points = facade.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Points")
    points.CreateDefaultDisplayNodes()
    interaction, selection = facade.applicationLogic.GetInteractionNode(), facade.applicationLogic.GetSelectionNode()
    selection.SetReferenceActivePlaceNodeClassName(points.GetClassName())
    selection.SetActivePlaceNodeID(points.GetID())
    interaction.SwitchToPersistentPlaceMode()
    facade.mainWindow.show()
    facade.refreshViews()
    facade.views.rightClick(slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode(), (60, 60))
    assert interaction.GetCurrentInteractionMode() == interaction.ViewTransform


def testAKeyOfTheApplicationIsNotHeardByAModule(facade, driver, sample):
    """qSlicerModuleSelectorToolBar.cxx: Alt with an arrow goes through the modules, whatever has the focus."""
    import qt

    shortcut = qt.QShortcut(sample.parent)
    shortcut.setKey(qt.QKeySequence("Alt+Left"))
    with pytest.raises(CannotDo, match="2 shortcuts"):
        driver.press("Alt+Left")
