"""Bad input in the panel: a sentence that tells what to do, and a scene and panel that are usable afterwards."""

import numpy as np
import pytest
import slicer
import vtk

from ProSTRegistrationLib.Nodes.CArmSettings import CArmSettings, applySettings
from ProSTRegistrationLib.Nodes.Landmarks import prepareLandmarkLists


def assertUsable(driver, panel, ct, xray):
    """The panel works with good images: it can register, and a live DRR comes."""
    panel.headings.fold(0)
    driver.choose(panel.ui.ctSelector, ct)
    driver.choose(panel.ui.anatomySelector, None)
    driver.choose(panel.ui.fluoroscopySelector, xray)
    driver.pump()
    assert panel.ui.imagesStatusLabel.text == ""
    driver.needReachable(panel.ui.registerButton)
    before = panel.logic.live.shown
    pose = panel.scene.ct(ct)[1]
    pose[0, 3] += 1.0
    panel.scene.setPose(ct, pose)
    driver.pump(lambda: panel.logic.live.shown > before, 60.0)


def test_nothing_chosen(driver, panelWidget):
    ui = panelWidget.ui
    assert "No CT is chosen" in ui.imagesStatusLabel.text
    assert "No X-ray is chosen" in ui.imagesStatusLabel.text
    assert ui.registerStatusLabel.isVisible()
    assert ui.registerStatusLabel.text
    for button in (ui.placeButton, ui.standardViewButton, ui.registerButton, ui.acceptButton):
        assert not driver.isReachable(button)


def test_ct_and_xray_swapped(driver, patient):
    panel, ct, xray = patient
    driver.choose(panel.ui.ctSelector, xray)
    driver.choose(panel.ui.fluoroscopySelector, ct)
    assert "swapped: 'X-ray', chosen as CT" in panel.ui.imagesStatusLabel.text
    assert not driver.isReachable(panel.ui.registerButton)
    assertUsable(driver, panel, ct, xray)


@pytest.mark.parametrize("isGrey", [True, False])
def test_colour_xray(driver, patient, addVolume, isGrey):
    panel, ct, xray = patient
    colours = np.repeat(slicer.util.arrayFromVolume(xray)[..., np.newaxis], 3, axis=-1)
    if not isGrey:
        colours[0, 20:40, 20:40, 0] = 0
    colour = addVolume(colours, "Screenshot", className="vtkMRMLVectorVolumeNode")
    driver.choose(panel.ui.fluoroscopySelector, colour)
    assert "(a colour image)" in panel.ui.imagesStatusLabel.text
    driver.click(panel.ui.greyButton)
    if isGrey:
        assert panel.parameters.fluoroscopy.GetName() == "Screenshot grey"
        assert panel.ui.imagesStatusLabel.text == ""
    else:
        assert "a picture in colour, not an X-ray" in panel.ui.imagesStatusLabel.text
        assert panel.parameters.fluoroscopy is colour
    assertUsable(driver, panel, ct, xray)


def test_multi_frame_xray(driver, patient, addVolume):
    panel, ct, xray = patient
    frames = np.repeat(slicer.util.arrayFromVolume(xray), 3, axis=0)
    frames[1] += 1
    run = addVolume(frames, "Run")
    driver.choose(panel.ui.fluoroscopySelector, run)
    assert "3 frames or slices" in panel.ui.imagesStatusLabel.text
    driver.type(panel.ui.frameSpinBox, 2)
    driver.click(panel.ui.frameButton)
    chosen = panel.parameters.fluoroscopy
    assert np.array_equal(slicer.util.arrayFromVolume(chosen)[0], frames[1])
    assert panel.ui.imagesStatusLabel.text == ""
    assertUsable(driver, panel, ct, xray)


def test_run_that_dicom_loads_as_a_sequence(driver, facade, patient, addVolume):
    panel, ct, xray = patient
    sequence = facade.scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Run")
    for number in range(3):
        frame = addVolume(slicer.util.arrayFromVolume(xray) + number, f"Frame {number}")
        sequence.SetDataNodeAtValue(frame, str(number))
        facade.scene.RemoveNode(frame)
    browser = facade.scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    logic = facade.applicationLogic.GetModuleLogic("Sequences")
    browser.SetSelectedItemNumber(1)
    logic.UpdateProxyNodesFromSequences(browser)
    driver.choose(panel.ui.fluoroscopySelector, browser.GetProxyNode(sequence))
    driver.pump()
    chosen = panel.parameters.fluoroscopy
    assert panel.ui.imagesStatusLabel.text == ""
    applySettings(panel.scene, chosen, CArmSettings(1000.0, 700.0, (1.6, 1.6)))
    browser.SetSelectedItemNumber(2)
    logic.UpdateProxyNodesFromSequences(browser)
    driver.pump()
    assert np.array_equal(slicer.util.arrayFromVolume(chosen), slicer.util.arrayFromVolume(xray) + 1)
    assert driver.isReachable(panel.ui.registerButton)
    assertUsable(driver, panel, ct, xray)


def test_xray_without_geometry(driver, patient, addVolume):
    panel, ct, xray = patient
    loose = addVolume(slicer.util.arrayFromVolume(xray).copy(), "Loose")
    driver.choose(panel.ui.fluoroscopySelector, loose)
    assert "does not tell its geometry" in panel.ui.carmStatusLabel.text
    assert "C-arm': Loose" in panel.ui.carmStatusLabel.text
    assert not driver.isReachable(panel.ui.registerButton)
    driver.type(panel.ui.sddSpinBox, 20)
    driver.click(panel.ui.placeButton)
    assert "(SDD) is 20 mm" in panel.ui.carmStatusLabel.text
    assert loose.GetAttribute("ProSTRegistration.CArm") is None
    driver.type(panel.ui.sddSpinBox, 1000)
    driver.type(panel.ui.sodSpinBox, 700)
    driver.type(panel.ui.pixelSizeUSpinBox, 1.6)
    driver.type(panel.ui.pixelSizeVSpinBox, 1.6)
    driver.click(panel.ui.placeButton)
    assert driver.isReachable(panel.ui.registerButton)
    assertUsable(driver, panel, ct, xray)


@pytest.mark.parametrize("kind", ["scaling", "warping"])
def test_ct_under_a_transform_that_is_not_rigid(driver, facade, patient, kind):
    panel, ct, xray = patient
    kept = ct.GetTransformNodeID()
    if kind == "scaling":
        bad = facade.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Scaled")
        bad.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([1.1, 1.0, 1.0, 1.0])))
    else:
        bad = facade.scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "Warp")
        warp = vtk.vtkThinPlateSplineTransform()
        points = [vtk.vtkPoints(), vtk.vtkPoints()]
        for number, target in enumerate(points):
            for place in ((0, 0, 0), (50, 0, 0), (0, 50, 0), (0, 0, 50), (30, 30, 30 + 20 * number)):
                target.InsertNextPoint(place)
        warp.SetSourceLandmarks(points[0])
        warp.SetTargetLandmarks(points[1])
        warp.SetBasisToR()
        bad.SetAndObserveTransformToParent(warp)
    ct.SetAndObserveTransformNodeID(bad.GetID())
    driver.pump()
    panel.refresh()
    assert "harden" in panel.ui.imagesStatusLabel.text.lower()
    assert not driver.isReachable(panel.ui.registerButton)
    ct.SetAndObserveTransformNodeID(kept)
    driver.pump()
    panel.refresh()
    assertUsable(driver, panel, ct, xray)


def test_ct_under_a_parent_transform_is_moved_below_it(driver, facade, patient):
    panel, ct, xray = patient
    before = panel.scene.ct(ct)[1]
    parent = facade.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Room")
    turn = np.array([[0, -1, 0, 5], [1, 0, 0, 7], [0, 0, 1, -3], [0, 0, 0, 1.0]])
    parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(turn))
    panel.scene.poseTransform(ct).SetAndObserveTransformNodeID(parent.GetID())
    driver.pump()
    assert np.allclose(panel.scene.ct(ct)[1], turn @ before)
    driver.click(panel.ui.standardViewButton)
    centre = panel.scene.ct(ct)[1] @ [*panel.start.centreMm(), 1]
    carm = panel.scene.fluoroscopy(xray)[1]
    assert np.allclose(carm.project_world(centre[:3]), carm.principal_point, atol=1e-6)
    assert panel.scene.poseTransform(ct).GetTransformNodeID() == parent.GetID()
    assertUsable(driver, panel, ct, xray)


def test_segmentation_of_another_patient(driver, patient, addVolume):
    panel, ct, xray = patient
    labels = addVolume(np.ones((20, 20, 20), dtype=np.uint8), "Foreign", className="vtkMRMLLabelMapVolumeNode")
    labels.SetOrigin(900.0, 0.0, 0.0)
    driver.choose(panel.ui.anatomySelector, labels)
    assert "under another transform than the CT" in panel.ui.imagesStatusLabel.text
    labels.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    driver.choose(panel.ui.anatomySelector, None)
    driver.choose(panel.ui.anatomySelector, labels)
    assert "only 0 % of it lie in the CT" in panel.ui.imagesStatusLabel.text
    assert not driver.isReachable(panel.ui.registerButton)
    assertUsable(driver, panel, ct, xray)


def test_no_part_of_the_anatomy_chosen(driver, patient, addVolume):
    panel, ct, xray = patient
    voxels = np.zeros((48, 56, 52), dtype=np.uint8)
    voxels[16:24, 20:30, 20:30], voxels[26:32, 20:30, 20:30] = 1, 2
    labels = addVolume(voxels, "Labels", (2.0, 1.8, 2.5), "vtkMRMLLabelMapVolumeNode")
    labels.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    driver.choose(panel.ui.anatomySelector, labels)
    parts = panel.ui.partsList
    assert parts.count == 3
    uncheck(parts.item(0))
    driver.pump()
    assert "Choose at least one part" in panel.ui.imagesStatusLabel.text
    check(parts.item(2))
    driver.pump()
    assert panel.anatomy.labelValues == (2,)
    assert panel.ui.imagesStatusLabel.text == ""
    assertUsable(driver, panel, ct, xray)


def uncheck(item):
    from PySide6.QtCore import Qt

    item.setCheckState(Qt.Unchecked)


def check(item):
    from PySide6.QtCore import Qt

    item.setCheckState(Qt.Checked)


def test_two_views_of_different_sizes(driver, patient, addVolume):
    panel, ct, xray = patient
    other = addVolume(slicer.util.arrayFromVolume(xray)[:, :80, :96].copy(), "Second")
    panel.ui.moreViewsGroup.collapsed = False
    driver.choose(panel.ui.secondViewSelector, other)
    assert "C-arm': Second" in panel.ui.carmStatusLabel.text
    applySettings(panel.scene, other, CArmSettings(900.0, 600.0, (1.5, 1.7), primaryAngleDeg=90.0))
    driver.pump()
    assert driver.isReachable(panel.ui.registerButton)
    driver.click(panel.ui.standardViewButton)
    driver.pump(lambda: all(panel.scene.findOwned(node, "drr") for node in (xray, other)), 60.0)
    sizes = [slicer.util.arrayFromVolume(panel.scene.findOwned(node, "drr")).shape for node in (xray, other)]
    assert sizes == [(1, 112, 112), (1, 80, 96)]
    assertUsable(driver, panel, ct, xray)


def test_the_same_image_twice(driver, patient):
    panel, ct, xray = patient
    panel.ui.moreViewsGroup.collapsed = False
    driver.choose(panel.ui.secondViewSelector, xray)
    assert panel.fluoroscopyNodes == [xray]
    driver.choose(panel.ui.secondViewSelector, None)
    assertUsable(driver, panel, ct, xray)


def test_too_few_landmarks(driver, patient):
    panel, ct, xray = patient
    panel.ui.landmarksGroup.collapsed = False
    driver.click(panel.ui.ctLandmarksButton)
    driver.click(panel.ui.ctLandmarksButton)
    ctList, xrayList = prepareLandmarkLists(panel.scene, ct, xray)
    for number in range(3):
        ctList.AddControlPoint(20.0 + 9 * number, 30.0, 40.0 + 9 * number**2)
        xrayList.AddControlPoint(0.0, 0.0, 0.0)
    driver.pump(0.05)
    assert not driver.isReachable(panel.ui.solveLandmarksButton)
    assert "3 on 'X-ray'" in panel.ui.landmarksCountLabel.text
    assertUsable(driver, panel, ct, xray)
