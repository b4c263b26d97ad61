"""A verdict belongs to what it judged: every input is changed in turn, and put back."""

import json

import numpy as np
import slicer

from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import transform_points
from ProSTRegistrationLib.Nodes.Attempts import COLUMNS, attempts
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.FluoroscopyImage import addOutline, tellPolarity
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas


def voxel(node):
    """Changes one voxel of a volume by one, or back, and says so to Slicer, as an effect or filter does."""

    def apply(_panel):
        slicer.util.arrayFromVolume(node)[0, 0, 0] ^= 1
        slicer.util.arrayFromVolumeModified(node)

    return apply


def carm(panel, xray, change):
    def apply(_panel):
        panel.scene.placeFluoroscopy(xray, change)

    return apply


def told(xray, polarity):
    def apply(panel):
        tellPolarity(xray, polarity)
        panel.refreshSoon()

    return apply


def outlined(xray):
    """Leaves out a corner of the X-ray."""

    def apply(panel):
        outline = addOutline(panel.scene, xray)
        for u, v in ((1.0, 1.0), (9.0, 1.0), (1.0, 9.0)):
            outline.AddControlPointWorld(list(transform_points(ijkToRas(xray), (u, v, 0))))
        panel.refreshSoon()

    return apply


def parameter(name, value):
    return lambda panel: setattr(panel.parameters, name, value)


def moved(panel, ct):
    pose = panel.scene.ct(ct)[1].copy()
    pose[0, 3] += 1.0
    return lambda _panel: panel.scene.setPose(ct, pose)


def boneLabels(ct, addVolume):
    """A label map of the bone."""
    bone = slicer.util.arrayFromVolume(ct) > 200
    labels = addVolume(bone.astype(np.uint8), "Labels", ct.GetSpacing(), "vtkMRMLLabelMapVolumeNode")
    return labels


def chosenAnatomy(labels, ct):
    def apply(panel):
        labels.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
        panel.parameters.anatomy = labels

    return apply


def changesOf(panel, ct, xray, addVolume):
    """Each input of a result with a change, what takes it back, and the words that tell it."""
    from ProSTRegistrationLib.ParameterNode import Method, Quality

    here, pose = carmOf(xray), panel.scene.ct(ct)[1]
    longer = CArm.from_sdd(here.sdd_mm + 5.0, here.detector_spacing_mm, here.size, None, here.camera_from_world)
    turned = here.camera_from_world.copy()
    turned[0, 3] += 2.0
    shifted = CArm.from_sdd(here.sdd_mm, here.detector_spacing_mm, here.size, None, turned)
    other = addVolume(slicer.util.arrayFromVolume(xray) + 1, "Other X-ray")
    panel.scene.placeFluoroscopy(other, here)
    second = addVolume(slicer.util.arrayFromVolume(xray).copy(), "Second X-ray")
    panel.scene.placeFluoroscopy(second, here)
    anatomy = boneLabels(ct, addVolume)
    spacing = ct.GetSpacing()
    return {
        "another X-ray": (parameter("fluoroscopy", other), parameter("fluoroscopy", xray), "another X-ray"),
        "a second X-ray": (parameter("secondView", second), parameter("secondView", None), "another X-ray"),
        "no X-ray": (parameter("fluoroscopy", None), parameter("fluoroscopy", xray), "became unusable"),
        "pixels": (voxel(xray), voxel(xray), "X-ray was changed (flip, outlines"),
        "flip": (
            lambda panel: panel.ui.flipCheckBox.click(),
            lambda panel: panel.ui.flipCheckBox.click(),
            "X-ray was changed (flip, outlines",
        ),
        "polarity": (told(xray, "bone-dark"), told(xray, "auto"), "X-ray was changed (flip, outlines"),
        "outline": (
            outlined(xray), lambda panel: panel.ui.removeOutlinesButton.click(), "X-ray was changed (flip, outlines",
        ),
        "SDD": (carm(panel, xray, longer), carm(panel, xray, here), "C-arm was changed"),
        "camera": (carm(panel, xray, shifted), carm(panel, xray, here), "C-arm was changed"),
        "CT values": (voxel(ct), voxel(ct), "CT was changed"),
        "CT spacing": (
            lambda _: ct.SetSpacing(spacing[0] * 1.01, *spacing[1:]), lambda _: ct.SetSpacing(spacing),
            "CT was changed",
        ),
        "CT pose": (moved(panel, ct), lambda panel: panel.scene.setPose(ct, pose), "CT was moved"),
        "threshold": (
            parameter("boneThresholdHu", 230.0), parameter("boneThresholdHu", panel.parameters.boneThresholdHu),
            "anatomy was changed",
        ),
        "anatomy": (chosenAnatomy(anatomy, ct), parameter("anatomy", None), "anatomy was changed"),
        "method": (parameter("method", Method.CMAES), parameter("method", Method.AUTO), "settings of the method"),
        "quality": (
            parameter("quality", Quality.QUICK), parameter("quality", Quality.NORMAL), "settings of the method",
        ),
        "spread": (
            parameter("spreadDepthMm", 9.0), parameter("spreadDepthMm", panel.parameters.spreadDepthMm),
            "settings of the method",
        ),
    }  # fmt: skip


def test_every_input_in_turn_makes_the_verdict_grey_and_putting_it_back_makes_it_valid(driver, registered, addVolume):
    panel, ct, xray = registered
    ui = panel.ui
    trusted = ui.verdictLabel.text
    for name, (change, takeBack, words) in changesOf(panel, ct, xray, addVolume).items():
        change(panel)
        driver.pump(0.05)
        assert "Not judged" in ui.verdictLabel.text, name
        assert words.lower() in ui.verdictLabel.text.lower(), (name, panel.situation().faults)
        assert "% likely" not in ui.verdictLabel.text, name
        assert ui.detailsLabel.text == "", name
        assert ui.acceptButton.text != "Accept" or not ui.acceptButton.enabled, name
        takeBack(panel)
        driver.pump(0.05)
        assert ui.verdictLabel.text == trusted, name
        assert (ui.acceptButton.text, ui.acceptButton.enabled) == ("Accept", True), name


def test_painting_in_a_label_map_or_segmentation_makes_it_grey(driver, registered, addVolume):
    panel, ct, _ = registered
    labels = boneLabels(ct, addVolume)
    chosenAnatomy(labels, ct)(panel)
    driver.pump(0.05)
    table = panel.scene.findOwned(ct, "attempts")
    table.SetCellText(0, COLUMNS.index("Inputs"), panel.situation().judged.text())
    panel.refresh()
    assert "Trusted" in panel.ui.verdictLabel.text
    voxel(labels)(panel)
    driver.pump(0.05)
    assert "anatomy was changed" in panel.ui.verdictLabel.text


def test_a_new_seed_or_device_leaves_the_verdict_alone(driver, registered):
    panel, _, _ = registered
    trusted = panel.ui.verdictLabel.text
    panel.parameters.seed = 7
    driver.pump()
    assert panel.ui.verdictLabel.text == trusted


def test_the_table_greys_what_judged_other_images_and_compares_methods(driver, registered):
    from ProSTRegistrationLib.ParameterNode import Method

    panel, _, xray = registered
    panel.parameters.method = Method.CMAES
    driver.pump()
    assert panel.ui.attemptsTable.item(0, 1).text() == "Trusted"
    panel.ui.attemptsTable.cellClicked.emit(0, 0)
    driver.pump()
    assert panel.parameters.method is Method.AUTO
    assert "Trusted" in panel.ui.verdictLabel.text
    voxel(xray)(panel)
    driver.pump(0.05)
    assert [panel.ui.attemptsTable.item(0, column).text() for column in (1, 2)] == ["Not judged", ""]


def test_a_pose_that_was_not_accepted_is_shown_first_and_then_asked_about(driver, facade, registered):
    import qt

    panel, ct, _ = registered
    ui, found = panel.ui, panel.scene.ct(ct)[1]
    (row,) = attempts(panel.scene, ct)
    start = np.array(json.loads(row["Start pose"]))
    table = panel.scene.findOwned(ct, "attempts")
    table.SetCellText(0, COLUMNS.index("Status"), "failed")
    panel.scene.setPose(ct, start)
    panel.refresh()
    assert "Failed" in ui.verdictLabel.text
    assert (ui.acceptButton.text, ui.acceptButton.enabled) == ("Show this pose", True)
    driver.click(ui.acceptButton)
    assert np.allclose(panel.scene.ct(ct)[1], found)
    assert attempts(panel.scene, ct)[0]["Decision"] == "none"
    assert ui.acceptButton.text == "Accept"
    facade.dialogs.answerNext(qt.QMessageBox.No)
    driver.click(ui.acceptButton)
    assert "'Failed'" in facade.dialogs.texts[-1]
    assert attempts(panel.scene, ct)[0]["Decision"] == "none"
    facade.dialogs.answerNext(qt.QMessageBox.Yes)
    driver.click(ui.acceptButton)
    assert attempts(panel.scene, ct)[0]["Decision"] == "accepted"
