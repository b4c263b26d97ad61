"""Scenes and volumes that come while the panel is open, in the order of events that Slicer has."""

import logging
import sys

import numpy as np
import pytest
import slicer
from vtk.util.numpy_support import vtk_to_numpy

from Patience import PATIENCE_S
from prostreg.geometry.frames import invert_rigid, transform_points
from ProSTRegistrationLib.Nodes.CArmNode import cameraFromPixel, carmOf
from ProSTRegistrationLib.Nodes.Landmarks import prepareLandmarkLists
from ProSTRegistrationLib.Nodes.Scene import Scene
from ProSTRegistrationLib.Views.CheckLayout import CARM_VIEW, DRR_VIEW, FLUOROSCOPY_VIEW, LAYOUT_ID, viewNode
from ProSTRegistrationLib.Views.SourceView import OPACITY_OF_HU, PICTURE_ROLE, cameraOf
from SlicerFacade.Profiles import EACH_SLICER


@pytest.fixture
def otherScene(facade, addVolume, tmp_path):
    """The file of a scene with a volume, made before anything else was."""
    volume = addVolume(np.zeros((4, 5, 6), dtype=np.int16), "Other")
    path = tmp_path / "other.mrb"
    assert slicer.util.saveScene(str(path))
    facade.scene.RemoveNode(volume)
    return path


@pytest.fixture
def checking(driver, patient):
    """A panel with the check layout up and a DRR in it."""
    panel, _ct, xray = patient
    panel.check.showViews()
    driver.pump(lambda: panel.scene.findOwned(xray, "drr") is not None, PATIENCE_S)
    driver.pump(0.1)
    return patient


def choicesOf(panel):
    names = ("ct", "anatomy", "anatomyParts", "fluoroscopy", "secondView", "thirdView", "ctLandmarks", "xrayLandmarks")
    return {name: getattr(panel.parameters, name) for name in names}


def shownIn(name):
    return slicer.app.layoutManager().sliceWidget(name).sliceLogic().GetSliceCompositeNode().GetBackgroundVolumeID()


def assertQuiet(panel, caplog):
    assert "defect" not in panel.ui.checkStatusLabel.text
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_adding_a_scene_keeps_all_choices(driver, otherScene, patient, addVolume):
    panel, ct, xray = patient
    labels = addVolume(np.ones((48, 56, 52), dtype=np.uint8), "Labels", (2, 1.8, 2.5), "vtkMRMLLabelMapVolumeNode")
    labels.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    driver.choose(panel.ui.anatomySelector, labels)
    panel.parameters.secondView = addVolume(slicer.util.arrayFromVolume(xray).copy(), "Side")
    panel.parameters.ctLandmarks, panel.parameters.xrayLandmarks = prepareLandmarkLists(panel.scene, ct, xray)
    driver.pump()
    before = choicesOf(panel)
    slicer.util.loadScene(str(otherScene))
    driver.pump()
    assert slicer.util.getNode("Other") is not None
    assert choicesOf(panel) == before
    assert panel.ui.ctSelector.currentNode() is ct
    assert panel.ui.fluoroscopySelector.currentNode() is xray


def test_a_scene_that_brings_another_layout_ends_the_check(driver, otherScene, checking, caplog):
    panel, _ct, xray = checking
    slicer.util.loadScene(str(otherScene))
    driver.pump(0.2)
    assert slicer.app.layoutManager().layout != LAYOUT_ID
    assert not panel.ui.checkViewsButton.checked
    driver.click(panel.ui.checkViewsButton)
    driver.pump(0.1)
    assert slicer.app.layoutManager().layout == LAYOUT_ID
    assert shownIn(FLUOROSCOPY_VIEW) == xray.GetID()
    assertQuiet(panel, caplog)


def test_the_button_of_the_check_follows_the_layout(driver, checking):
    panel, _ct, _xray = checking
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    driver.pump()
    assert not panel.ui.checkViewsButton.checked
    assert slicer.app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


def test_a_scene_saved_with_the_check_layout_opens_without_a_word(driver, facade, checking, tmp_path, caplog):
    panel, _ct, xray = checking
    name = xray.GetName()
    assert slicer.util.saveScene(str(tmp_path / "check.mrb"))
    facade.scene.Clear(False)
    driver.pump()
    for view in (FLUOROSCOPY_VIEW, DRR_VIEW, CARM_VIEW):
        # As in an application that was just started.
        facade.scene.RemoveNode(viewNode(facade.scene, view))
    caplog.clear()
    slicer.util.loadScene(str(tmp_path / "check.mrb"))
    assertQuiet(panel, caplog)
    driver.pump(0.2)
    assertQuiet(panel, caplog)
    assert panel.parameters.fluoroscopy.GetName() == name
    assert panel.ui.checkViewsButton.checked
    assert shownIn(FLUOROSCOPY_VIEW) == panel.parameters.fluoroscopy.GetID()


def test_nothing_looks_into_a_scene_that_is_half_loaded(driver, facade, otherScene, patient, monkeypatch):
    panel, _ct, _xray = patient
    batches, refresh, poll = [], panel.images.refresh, panel.logic.poll

    def refreshed(situation):
        batches.append(facade.scene.IsBatchProcessing())
        refresh(situation)

    def polled():
        batches.append(facade.scene.IsBatchProcessing())
        poll()

    monkeypatch.setattr(panel.images, "refresh", refreshed)
    monkeypatch.setattr(panel.logic, "poll", polled)
    driver.pump(0.1)
    panel.refreshSoon()
    slicer.util.loadScene(str(otherScene))
    assert True not in batches
    batches.clear()
    driver.pump(0.1)
    assert False in batches


def test_what_changed_in_a_batch_is_shown_when_it_has_ended(driver, facade, patient):
    """Another module may work on many nodes at once: what it has not finished is no fault of the user's."""
    panel, ct, _xray = patient
    facade.scene.StartState(facade.scene.BatchProcessState)
    panel.parameters.ct = None
    driver.pump(0.1)
    assert panel.ui.imagesStatusLabel.text == ""
    facade.scene.EndState(facade.scene.BatchProcessState)
    driver.pump()
    assert "No CT is chosen" in panel.ui.imagesStatusLabel.text
    driver.choose(panel.ui.ctSelector, ct)
    assert panel.ui.imagesStatusLabel.text == ""


def test_an_xray_can_be_chosen_without_the_dicom_module(driver, panelWidget, addVolume, bones, monkeypatch, caplog):
    """Slicer's DICOM module makes slicer.dicomDatabase, and can be switched off."""
    monkeypatch.delattr(slicer, "dicomDatabase")
    panel = panelWidget.panel
    driver.choose(panel.ui.ctSelector, addVolume(bones, "CT", (2.0, 1.8, 2.5)))
    driver.choose(panel.ui.fluoroscopySelector, addVolume(np.ones((1, 90, 80), dtype=np.uint16), "X-ray"))
    assert "values of a usual C-arm" in panel.ui.carmStatusLabel.text
    assertQuiet(panel, caplog)


@pytest.fixture
def volumeFile(facade, addVolume, tmp_path):
    """The file of a volume that is not in the scene."""
    volume = addVolume(np.ones((4, 5, 6), dtype=np.int16), "Loaded")
    path = tmp_path / "loaded.nrrd"
    assert slicer.util.saveNode(volume, str(path))
    facade.scene.RemoveNode(volume)
    return path


def axesOf(name):
    node = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()
    return slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())[:3, :3].copy()


def test_a_volume_that_is_loaded_leaves_xray_and_drr_in_their_views(driver, checking, volumeFile):
    before = [(shownIn(name), axesOf(name)) for name in (FLUOROSCOPY_VIEW, DRR_VIEW)]
    loaded = slicer.util.loadVolume(str(volumeFile))
    assert [shownIn(name) for name in (FLUOROSCOPY_VIEW, DRR_VIEW)] == [shown for shown, _ in before]
    assert shownIn("Red") == loaded.GetID()
    driver.pump(0.1)
    for name, (shown, axes) in zip((FLUOROSCOPY_VIEW, DRR_VIEW), before, strict=True):
        assert shownIn(name) == shown
        assert np.allclose(axesOf(name), axes)


def test_views_that_something_took_over_or_turned_are_put_back(driver, facade, checking, addVolume):
    """As DICOMImageSequencePlugin.py, whose FitSliceToBackground asks no view whether it may be turned."""
    before = [(shownIn(name), axesOf(name)) for name in (FLUOROSCOPY_VIEW, DRR_VIEW)]
    other = addVolume(np.ones((4, 5, 6), dtype=np.int16), "Other")
    for name in (FLUOROSCOPY_VIEW, DRR_VIEW):
        logic = slicer.app.layoutManager().sliceWidget(name).sliceLogic()
        logic.GetSliceCompositeNode().SetBackgroundVolumeID(other.GetID())
        logic.GetSliceCompositeNode().SetForegroundVolumeID(other.GetID())
    facade.applicationLogic.FitSliceToBackground()
    driver.pump(0.1)
    for name, (shown, axes) in zip((FLUOROSCOPY_VIEW, DRR_VIEW), before, strict=True):
        assert shownIn(name) == shown
        assert np.allclose(axesOf(name), axes)
        logic = slicer.app.layoutManager().sliceWidget(name).sliceLogic()
        assert logic.GetSliceCompositeNode().GetForegroundVolumeID() != other.GetID()


def test_a_second_placing_takes_views_and_detector_in_3d_along(driver, checking):
    """A longer SDD moves the detector away along its own direction; larger pixels make it larger."""
    panel, _, xray = checking
    ui = panel.ui
    camera = cameraOf(viewNode(slicer.mrmlScene, CARM_VIEW))
    before = camera.GetFocalPoint()
    driver.type(ui.sddSpinBox, "1080")
    driver.type(ui.pixelSizeUSpinBox, "2.4")
    driver.type(ui.pixelSizeVSpinBox, "2.4")
    driver.click(ui.placeButton)
    driver.pump(0.2)
    carm = carmOf(xray)
    assert (carm.sdd_mm, carm.detector_spacing_mm) == (1080.0, (2.4, 2.4))
    corners = transform_points(
        invert_rigid(carm.camera_from_world) @ cameraFromPixel(carm),
        [(u, v, 0) for u in (-0.5, carm.width - 0.5) for v in (-0.5, carm.height - 0.5)],
    )
    for name in (FLUOROSCOPY_VIEW, DRR_VIEW):
        node = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()
        inView = transform_points(invert_rigid(slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())), corners)
        assert np.abs(inView[:, 2]).max() < 1e-3
        field = np.array(node.GetFieldOfView()[:2])
        assert (np.abs(inView[:, :2]).max(axis=0) <= field / 2 + 1e-3).all()
        assert (np.abs(inView[:, :2]).max(axis=0) / field).max() > 0.49
    bounds = np.zeros(6)
    panel.scene.findOwned(xray, PICTURE_ROLE).GetRASBounds(bounds)
    assert np.allclose(bounds[::2], corners.min(axis=0), atol=1.0)
    assert np.allclose(bounds[1::2], corners.max(axis=0), atol=1.0)
    assert not np.allclose(camera.GetFocalPoint(), before)


def test_an_added_scene_of_another_check_leaves_this_ones_pictures(driver, checking, caplog, tmp_path):
    """A scene brings the view nodes of the check layout, which MRML writes over those that are there."""
    panel, ct, xray = checking
    other = slicer.vtkMRMLScene()
    node = other.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Elsewhere")
    for name in (FLUOROSCOPY_VIEW, DRR_VIEW):
        composite = slicer.vtkMRMLSliceCompositeNode()
        composite.SetSingletonTag(name)
        composite.SetLayoutName(name)
        composite.SetBackgroundVolumeID(node.GetID())
        other.AddNode(composite)
    other.Commit(str(tmp_path / "check.mrml"))
    slicer.util.loadScene(str(tmp_path / "check.mrml"))
    driver.pump(0.2)
    assert (panel.ctNode, panel.fluoroscopyNodes) == (ct, [xray])
    assert panel.ui.checkViewsButton.checked
    assert shownIn(FLUOROSCOPY_VIEW) == xray.GetID()
    assert shownIn(DRR_VIEW) == panel.scene.findOwned(xray, "drr").GetID()
    assertQuiet(panel, caplog)


def test_a_view_without_size_is_left_alone_until_it_has_one(driver, checking, caplog):
    """vtkMRMLSliceLogic::ResizeSliceNode hands on the widget's size, which is nothing when it is pulled shut."""
    panel, _ct, _xray = checking
    node = slicer.app.layoutManager().sliceWidget(DRR_VIEW).mrmlSliceNode()
    node.SetDimensions(0, 0, 1)
    driver.pump(0.1)
    panel.refresh()
    node.SetDimensions(300, 200, 1)
    node.SetFieldOfView(1.0, 1.0, 1.0)
    driver.pump(0.1)
    # The detector of the fixture is 112 pixels of 1.6 mm high.
    assert node.GetFieldOfView()[1] == pytest.approx(112 * 1.6)
    assertQuiet(panel, caplog)


@pytest.mark.parametrize("profile", EACH_SLICER, ids=str)
def test_pictures_have_their_colours_after_the_save_dialog(driver, facade, checking, tmp_path):
    """Slicer 5.10 saves no files of hidden nodes, in which colour tables and volume properties keep what they hold."""
    panel, _ct, _xray = checking

    def contents():
        xray = panel.parameters.fluoroscopy
        table = panel.scene.findOwned(xray, "overlay colours").GetLookupTable().GetTable()
        bone = panel.scene.findOwned(panel.ctNode, "bone rendering colours").GetScalarOpacity()
        return vtk_to_numpy(table).copy(), [bone.GetValue(hu) for hu in (200, 330, 600, 1200)]

    colors, opacities = contents()
    assert opacities == pytest.approx(np.interp((200, 330, 600, 1200), *zip(*OPACITY_OF_HU, strict=True)))
    facade.ioManager.saveByDialog(tmp_path / "scene.mrml")
    facade.scene.Clear(False)
    driver.pump()
    slicer.util.loadScene(str(tmp_path / "scene.mrml"))
    driver.pump(lambda: panel.ui.checkViewsButton.checked, PATIENCE_S)
    driver.pump(0.2)
    assert np.array_equal(contents()[0], colors)
    assert contents()[1] == opacities


@pytest.mark.parametrize("profile", EACH_SLICER, ids=str)
def test_coming_back_to_the_module_adds_no_observers(profile, driver, panelWidget, monkeypatch):
    """Slicer 5.10 keeps those of a parameter node whose widgets are disconnected."""
    wrapper = type(panelWidget.panel.parameters)
    adding, removing, added, removed = wrapper.AddObserver, wrapper.RemoveObserver, [], []

    def add(*arguments):
        added.append(adding(*arguments))
        return added[-1]

    def remove(wrapped, tag):
        removed.append(tag)
        removing(wrapped, tag)

    monkeypatch.setattr(wrapper, "AddObserver", add)
    monkeypatch.setattr(wrapper, "RemoveObserver", remove)
    for _ in range(3):
        driver.leave()
        driver.enter("ProSTRegistration")
        driver.pump()
    assert len(added) == len(removed)


def test_nothing_holds_a_node_that_has_left_the_scene(driver, facade, checking):
    panel, _ct, xray = checking
    drr = panel.scene.findOwned(xray, "drr")
    assert {xray, drr} <= observedBy(panel)
    facade.scene.RemoveNode(xray)
    driver.pump()
    assert not {xray, drr} & observedBy(panel)
    assert panel.parameters.parameterNode in observedBy(panel)


def observedBy(panel):
    return {observation[0] for observation in panel.Observations}


def test_the_next_scenes_xray_is_asked_for_its_own_geometry(driver, facade, patient, addVolume, bones):
    """A scene that was closed gives out its ids again."""
    panel, _ct, _xray = patient
    ids = []
    for pixels in (90, 130):
        facade.scene.Clear(False)
        driver.pump()
        driver.choose(panel.ui.ctSelector, addVolume(bones, "CT", (2.0, 1.8, 2.5)))
        xray = addVolume(np.ones((1, pixels, pixels), dtype=np.uint16), "X-ray")
        driver.choose(panel.ui.fluoroscopySelector, xray)
        ids.append(xray.GetID())
        assert panel.ui.principalPointUSpinBox.value == pytest.approx((pixels - 1) / 2)
    assert ids[0] == ids[1]


def test_a_setup_that_failed_leaves_nothing_behind(driver, facade, panelWidget, monkeypatch):
    """slicer.util.reloadScriptedModule cleans up first: that must not hide what was wrong."""
    panelWidget.cleanup()
    monkeypatch.setattr(sys.modules["ProSTRegistrationLib.Panel.Panel"], "CheckStep", failing)
    with pytest.raises(RuntimeError, match="broken step"):
        panelWidget.setup()
    panelWidget.cleanup()
    scene = Scene(facade.scene)
    owner = facade.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Owner")
    owned = scene.ownedNode(owner, "drr", "vtkMRMLScalarVolumeNode", "Owned")
    facade.scene.RemoveNode(owner)
    assert scene.holds(owned)


def failing(_panel):
    raise RuntimeError("broken step")
