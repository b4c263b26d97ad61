"""The check views stay, and come back."""

import numpy as np
import pytest
import slicer

from Patience import PATIENCE_S
from ProSTRegistrationLib.Views.CheckLayout import DRR_VIEW, FLUOROSCOPY_VIEW, LAYOUT_ID
from ProSTRegistrationLib.Views.SliceView import isFacingDetector

FOUR_UP = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def logics():
    return [slicer.app.layoutManager().sliceWidget(name).sliceLogic() for name in (FLUOROSCOPY_VIEW, DRR_VIEW)]


def test_views_that_were_up_come_back_with_the_module(driver, patient):
    panel, _ct, xray = patient
    panel.check.showViews()
    driver.leave()
    assert slicer.app.layoutManager().layout != LAYOUT_ID
    driver.enter("ProSTRegistration")
    driver.pump(0.1)
    assert slicer.app.layoutManager().layout == LAYOUT_ID
    assert logics()[0].GetSliceCompositeNode().GetBackgroundVolumeID() == xray.GetID()
    assert all(isFacingDetector(logic, xray) for logic in logics())


def test_views_that_a_person_had_left_stay_away(driver, patient):
    panel, _ct, _xray = patient
    panel.check.showViews()
    slicer.app.layoutManager().setLayout(FOUR_UP)
    driver.pump(0.1)
    assert not panel.ui.checkViewsButton.checked
    driver.leave()
    driver.enter("ProSTRegistration")
    driver.pump(0.1)
    assert slicer.app.layoutManager().layout == FOUR_UP


def test_a_result_that_came_in_another_module_is_shown_on_return(driver, patient):
    panel, _ct, _xray = patient
    for name, value in (("spreadRotationDeg", 5.0), ("spreadShiftMm", 6.0), ("spreadDepthMm", 8.0)):
        setattr(panel.parameters, name, value)
    driver.click(panel.ui.registerButton)
    driver.leave()
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.enter("ProSTRegistration")
    driver.pump(0.1)
    assert slicer.app.layoutManager().layout == LAYOUT_ID
    assert driver.isReachable(panel.ui.verdictLabel)


def test_a_wheel_or_an_arrow_key_does_not_take_the_picture_away(driver, patient):
    """Slicer's wheel goes through slices; the X-ray has one."""
    panel, _ct, xray = patient
    panel.check.showViews()
    driver.pump(0.1)
    for logic in logics():
        logic.SetSliceOffset(logic.GetSliceOffset() + 5.0)
        assert not isFacingDetector(logic, xray)
        driver.pump(0.1)
        assert isFacingDetector(logic, xray)


def rightAndUp():
    """(2, 3) for each view: what is to the right and up on the screen, in the world."""
    return [slicer.util.arrayFromVTKMatrix(logic.GetSliceNode().GetSliceToRAS())[:3, :2].T for logic in logics()]


def test_a_view_that_is_turned_or_mirrored_says_so_and_changes_no_verdict(driver, drawnPatient):
    panel, _ct, xray = drawnPatient
    ui = panel.ui
    driver.pump(lambda: panel.scene.findOwned(xray, "drr") is not None, PATIENCE_S)
    driver.pump(0.2)
    (right, up), judged = rightAndUp()[0], panel.situation().judged
    driver.click(ui.turnViewButton)
    driver.pump(0.1)
    for shown in rightAndUp():
        np.testing.assert_allclose(shown, [up, -right], atol=1e-9)
    driver.click(ui.mirrorViewButton)
    driver.pump(0.1)
    for name, shown in zip((FLUOROSCOPY_VIEW, DRR_VIEW), rightAndUp(), strict=True):
        np.testing.assert_allclose(shown, [-up, -right], atol=1e-9)
        said = panel.check.views._legends[name]._actor.GetInput()
        assert "VIEW MIRRORED" in said
        assert "turned by 90" in said
    driver.click(ui.turnViewButton)  # clockwise on the screen, mirrored or not
    driver.pump(0.1)
    np.testing.assert_allclose(rightAndUp()[0], [-right, up], atol=1e-9)
    assert panel.situation().judged == judged
    driver.leave()
    driver.enter("ProSTRegistration")
    driver.pump(0.1)
    np.testing.assert_allclose(rightAndUp()[0], [-right, up], atol=1e-9)
    assert ui.mirrorViewButton.checked
    driver.click(ui.mirrorViewButton)
    driver.pump(0.1)
    assert "VIEW" not in panel.check.views._legends[FLUOROSCOPY_VIEW]._actor.GetInput()


def test_the_picture_is_saved_or_it_is_said_why_not(driver, facade, drawnPatient, tmp_path):
    panel, _ct, xray = drawnPatient
    driver.pump(lambda: panel.scene.findOwned(xray, "drr") is not None, PATIENCE_S)
    driver.pump(0.2)
    facade.dialogs.answerNext(str(tmp_path / "knee"))
    driver.click(panel.ui.savePictureButton)
    assert (tmp_path / "knee.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "knee 2.5.png").write_bytes(b"older")
    for name in ("knee 3.5", "knee 2.5"):
        facade.dialogs.answerNext(str(tmp_path / name))
        driver.click(panel.ui.savePictureButton)
    driver.pump(0.1)
    assert "2.5.png is there already" in panel.ui.checkStatusLabel.text
    assert (tmp_path / "knee 2.5.png").read_bytes() == b"older"
    assert (tmp_path / "knee 3.5.png").read_bytes().startswith(b"\x89PNG")
    facade.dialogs.answerNext(str(tmp_path / "knee.png" / "inside.png"))
    driver.click(panel.ui.savePictureButton)
    driver.pump(0.1)
    assert "could not be saved" in panel.ui.checkStatusLabel.text


@pytest.mark.parametrize("kind", ["BLEND", "CONTOURS", "DIFFERENCE", "FLICKER"])
def test_window_and_level_of_a_person_survive_refreshes(driver, drawnPatient, kind):
    panel, _ct, xray = drawnPatient
    panel.parameters.overlayKind = type(panel.parameters.overlayKind)[kind]
    driver.pump(0.1)
    display = xray.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(321.0, 123.0)
    panel.refresh()
    driver.pump(0.6)
    assert (display.GetWindow(), display.GetLevel()) == (321.0, 123.0)


def test_contours_are_thin_or_thick_by_the_slider(driver, drawnPatient):
    panel, _ct, xray = drawnPatient
    panel.parameters.overlayKind = type(panel.parameters.overlayKind).CONTOURS
    driver.pump(lambda: panel.scene.findOwned(xray, "bone contours") is not None, PATIENCE_S)
    display = panel.scene.findOwned(xray, "bone contours").GetDisplayNode()
    assert panel.ui.overlayOpacitySlider.enabled
    for share, pixels in ((0.0, 1), (50.0, 2), (100.0, 4)):
        panel.parameters.overlayOpacity = share
        driver.pump(0.1)
        assert display.GetSliceIntersectionThickness() == pixels
