"""The check views stay, and come back."""

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
