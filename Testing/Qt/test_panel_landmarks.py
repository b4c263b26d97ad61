"""Step 3, paired landmarks: marks in every chosen X-ray count."""

import dataclasses

import numpy as np
import pytest
import slicer

from prostreg.geometry.frames import transform_points
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.CArmSettings import applySettings, settingsOf
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas
from ProSTRegistrationLib.Views.CheckLayout import CT_VIEWS, FLUOROSCOPY_VIEW, LAYOUT_ID, MARKING_LAYOUT_ID

POINTS_MM = ((20, 30, 40), (60, 30, 50), (40, 70, 60), (50, 50, 90), (30, 60, 20), (75, 65, 75))
"""In the CT's own frame."""


@pytest.fixture
def twoViews(driver, patient, addVolume):
    """A panel with a second X-ray from the side, landmarks placed in the CT, and the pose to be found."""
    panel, ct, first = patient
    second = addVolume(slicer.util.arrayFromVolume(first).copy(), "Side")
    panel.ui.moreViewsGroup.collapsed = False
    driver.pump()
    driver.choose(panel.ui.secondViewSelector, second)
    applySettings(panel.scene, second, dataclasses.replace(settingsOf(first), primaryAngleDeg=70.0))
    panel.ui.landmarksGroup.collapsed = False
    driver.pump()
    driver.click(panel.ui.ctLandmarksButton)
    truth = panel.scene.ct(ct)[1].copy()
    truth[:3, 3] += (3.0, 8.0, -6.0)
    for number, point in enumerate(POINTS_MM, start=1):
        place = transform_points(panel.scene.ct(ct)[1], point)
        panel.parameters.ctLandmarks.AddControlPointWorld(list(place), str(number))
    driver.click(panel.ui.ctLandmarksButton)
    return panel, ct, (first, second), truth


def mark(driver, panel, image, truth, offPx=(0.0, 0.0)):
    """Marks all landmarks on the X-ray that is chosen as the one shown; the last of them off by some pixels."""
    driver.choose(panel.ui.carmImageComboBox, image.GetName())
    driver.click(panel.ui.xrayLandmarksButton)
    placed = slicer.app.applicationLogic().GetSelectionNode().GetActivePlaceNodeID()
    marks = slicer.mrmlScene.GetNodeByID(placed)
    for number, point in enumerate(POINTS_MM, start=1):
        pixel = carmOf(image).project_world(transform_points(truth, point))
        pixel = pixel + np.array(offPx) * (number == len(POINTS_MM))
        marks.AddControlPointWorld(list(transform_points(ijkToRas(image), (*pixel, 0))), str(number))
    driver.click(panel.ui.xrayLandmarksButton)


def rows(panel):
    table = panel.ui.landmarksTable
    return [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount)]


def test_marks_in_both_xrays_give_the_pose_and_a_residual_each(driver, twoViews):
    panel, ct, images, truth = twoViews
    for image in images:
        mark(driver, panel, image, truth)
    assert panel.ui.solveLandmarksButton.styleSheet
    assert not panel.ui.registerButton.styleSheet, "the next thing is to use the marks"
    driver.click(panel.ui.solveLandmarksButton)
    assert panel.ui.registerButton.styleSheet
    assert "Landmarks agree to less than 0.1 mm" in panel.ui.landmarksCountLabel.text
    assert np.allclose(panel.scene.ct(ct)[1], truth, atol=0.05)
    assert [row[:2] for row in rows(panel)] == [
        [str(number), image.GetName()] for image in images for number in range(1, len(POINTS_MM) + 1)
    ]
    assert not panel.ui.landmarksTable.isColumnHidden(1)


def test_a_mark_that_is_off_in_the_second_xray_stands_in_its_row(driver, twoViews):
    from ProSTRegistrationLib.AttemptUnderWay import landmarkErrorAt

    panel, ct, images, truth = twoViews
    mark(driver, panel, images[0], truth)
    mark(driver, panel, images[1], truth, offPx=(0.0, 9.0))
    driver.click(panel.ui.solveLandmarksButton)
    offPx = [float(row[2]) for row in rows(panel)]
    assert np.argmax(offPx) == len(offPx) - 1
    assert offPx[-1] > 3.0
    off = landmarkErrorAt(panel.situation(), truth)
    assert 0.1 < off < 2.0
    panel.parameters.secondView = None
    driver.pump()
    assert landmarkErrorAt(panel.situation(), truth) < 1e-3
    driver.click(panel.ui.solveLandmarksButton)
    assert np.allclose(panel.scene.ct(ct)[1], truth, atol=0.05)
    assert panel.ui.landmarksTable.isColumnHidden(1)


def test_marks_in_the_second_xray_alone_are_enough(driver, twoViews):
    panel, ct, images, truth = twoViews
    assert not driver.isReachable(panel.ui.solveLandmarksButton)
    mark(driver, panel, images[1], truth)
    assert panel.parameters.xrayLandmarks.GetNumberOfControlPoints() == 0
    driver.click(panel.ui.solveLandmarksButton)
    assert np.allclose(panel.scene.ct(ct)[1], truth, atol=0.05)


def test_marking_ends_when_another_xray_is_shown(driver, twoViews):
    panel, _, images, _ = twoViews
    driver.choose(panel.ui.carmImageComboBox, images[1].GetName())
    driver.click(panel.ui.xrayLandmarksButton)
    assert panel.ui.xrayLandmarksButton.checked
    driver.choose(panel.ui.carmImageComboBox, images[0].GetName())
    assert not panel.ui.xrayLandmarksButton.checked


@pytest.mark.parametrize("end", ["mode", "other list"])
@pytest.mark.parametrize("name", ["ctLandmarksButton", "xrayLandmarksButton"])
def test_marking_ends_with_slicers_place_mode(driver, facade, twoViews, name, end):
    """A right click in a view ends it, and the tool bar does; or it goes on with points of somebody else."""
    button = getattr(twoViews[0].ui, name)
    interaction, selection = facade.applicationLogic.GetInteractionNode(), facade.applicationLogic.GetSelectionNode()
    driver.click(button)
    assert button.checked
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    if end == "mode":
        interaction.SwitchToViewTransformMode()
    else:
        other = facade.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Somebody's")
        selection.SetActivePlaceNodeID(other.GetID())
    driver.pump()
    assert not button.checked
    # Points of somebody else go on being placed.
    assert (interaction.GetCurrentInteractionMode() == interaction.Place) == (end == "other list")
    driver.click(button)
    assert button.checked
    assert selection.GetActivePlaceNodeID() != ""
    assert interaction.GetCurrentInteractionMode() == interaction.Place


def test_pairs_are_counted_and_the_button_is_live_when_there_are_enough(driver, twoViews):
    panel, _ct, images, truth = twoViews
    label, button = panel.ui.landmarksCountLabel, panel.ui.solveLandmarksButton
    mark(driver, panel, images[0], truth)
    marks = panel.parameters.xrayLandmarks
    while marks.GetNumberOfControlPoints() > 3:
        marks.RemoveNthControlPoint(3)
    driver.pump(0.05)
    assert "Paired so far: 3 on 'X-ray'" in label.text
    assert not driver.isReachable(button)
    pixel = carmOf(images[0]).project_world(transform_points(truth, POINTS_MM[3]))
    marks.AddControlPointWorld(list(transform_points(ijkToRas(images[0]), (*pixel, 0))), "4")
    driver.pump(0.05)
    assert "4 on 'X-ray'" in label.text
    assert driver.isReachable(button)


@pytest.mark.parametrize("fault", ["swap", "away"])
def test_a_bad_fit_is_called_bad_with_what_explains_it_and_moves_nothing(driver, twoViews, fault):
    panel, ct, images, truth = twoViews
    mark(driver, panel, images[0], truth, offPx=(0.0, 0.0) if fault == "swap" else (-45.0, -30.0))
    marks, before = panel.parameters.xrayLandmarks, panel.scene.ct(ct)[1]
    if fault == "swap":
        places = [marks.GetNthControlPointPositionWorld(number) for number in (1, 3)]
        for number, place in zip((3, 1), places, strict=True):
            marks.SetNthControlPointPositionWorld(number, place)
    driver.click(panel.ui.solveLandmarksButton)
    text = panel.ui.landmarksCountLabel.text
    assert "do NOT fit" in text
    assert ("Exchanging '2' and '4' on 'X-ray' would leave < 0.1 mm" if fault == "swap" else "Without '6' on") in text
    assert np.array_equal(panel.scene.ct(ct)[1], before)
    assert len(rows(panel)) == len(POINTS_MM), "how far each is off stands in the table"


def test_the_ct_has_its_slices_beside_the_xray_while_it_is_marked(driver, twoViews):
    panel, ct, _images, _truth = twoViews
    manager = slicer.app.layoutManager()
    driver.click(panel.ui.ctLandmarksButton)
    assert manager.layout == MARKING_LAYOUT_ID
    shown = [
        manager.sliceWidget(name).sliceLogic().GetSliceCompositeNode().GetBackgroundVolumeID() for name in CT_VIEWS
    ]
    assert shown == [ct.GetID()] * 3
    assert manager.sliceWidget(FLUOROSCOPY_VIEW).visible
    driver.pump(0.1)
    assert panel.ui.ctLandmarksButton.checked
    driver.click(panel.ui.ctLandmarksButton)
    driver.pump(0.1)
    assert manager.layout == LAYOUT_ID
    driver.click(panel.ui.ctLandmarksButton)
    driver.leave()
    assert manager.layout not in (LAYOUT_ID, MARKING_LAYOUT_ID)
