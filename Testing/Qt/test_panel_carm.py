"""Step 2: where the C-arm's values come from is kept with them, and named wherever a result is."""

import numpy as np
import pytest
from PySide6 import QtCore, QtGui, QtWidgets

from Patience import PATIENCE_S
from ProSTRegistrationLib.Nodes.Attempts import attempts
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.CArmSettings import isPlaced
from ProSTRegistrationLib.Views.CheckLayout import DRR_VIEW, FLUOROSCOPY_VIEW


@pytest.fixture
def fresh(driver, patient, addVolume):
    """A panel whose X-ray tells nothing of its C-arm and was not placed yet; (panel, xray)."""
    panel, _ct, _ = patient
    noise = np.random.default_rng(0).integers(0, 4000, (1, 112, 112)).astype(np.uint16)
    xray = addVolume(noise, "Photo")
    driver.choose(panel.ui.fluoroscopySelector, xray)
    return panel, xray


def placedAs(driver, panel, xray):
    driver.click(panel.ui.placeButton)
    panel.headings.fold(0)
    return carmOf(xray).accuracy


def test_values_of_a_usual_carm_count_as_guessed_and_typed_ones_as_told(driver, fresh):
    panel, xray = fresh
    ui = panel.ui
    assert placedAs(driver, panel, xray) == "preset"
    driver.type(ui.primaryAngleSpinBox, "5")
    assert placedAs(driver, panel, xray) == "preset"
    driver.type(ui.sddSpinBox, "1010")
    assert ui.accuracyComboBox.currentText.startswith("Told")
    assert placedAs(driver, panel, xray) == "calibrated"
    driver.choose(ui.presetComboBox, "Mobile C-arm, 12 inch intensifier, 1024 px")
    assert placedAs(driver, panel, xray) == "preset"


def test_what_a_usual_carm_has_can_be_confirmed_and_changes_what_is_judged(driver, fresh):
    panel, xray = fresh
    placedAs(driver, panel, xray)
    judged = panel.situation().judged
    driver.choose(panel.ui.accuracyComboBox, "Told or measured")
    assert placedAs(driver, panel, xray) == "calibrated"
    assert judged.differences(panel.situation().judged) == ["carms"]


def test_a_guessed_carm_is_named_in_verdict_and_table(driver, fresh):
    panel, xray = fresh
    placedAs(driver, panel, xray)
    panel.parameters.timeLimitS = 1.0
    driver.click(panel.ui.registerButton)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.1)
    assert attempts(panel.scene, panel.ctNode)[-1]["C-arm"] == "preset"
    assert "guessed, not confirmed" in panel.ui.verdictLabel.text
    assert panel.ui.attemptsTable.item(0, 3).text().endswith(" s, guessed")


def test_values_that_are_not_used_yet_are_said_and_register_waits(driver, patient):
    panel, _ct, xray = patient
    ui = panel.ui
    assert ui.registerButton.enabled
    for box, value in ((ui.sddSpinBox, "1010"), (ui.primaryAngleSpinBox, "7")):
        before = str(box.value)
        driver.type(box, value)
        assert "not used yet" in ui.carmStatusLabel.text
        assert not ui.registerButton.enabled
        assert "Step 2" in ui.registerStatusLabel.text
        driver.type(box, before)
        driver.choose(ui.accuracyComboBox, "Told or measured")
        assert "not used yet" not in ui.carmStatusLabel.text
        assert ui.registerButton.enabled
    driver.type(ui.sddSpinBox, "0")
    driver.click(ui.placeButton)
    assert "SDD" in ui.carmStatusLabel.text
    assert not ui.registerButton.enabled, "what is refused is not used either"
    driver.type(ui.sddSpinBox, "1010")
    driver.click(ui.placeButton)
    assert ui.registerButton.enabled
    assert carmOf(xray).sdd_mm == pytest.approx(1010)


def test_the_preset_box_names_the_device_whose_values_stand_there(driver, fresh, addVolume):
    panel, _xray = fresh
    ui = panel.ui
    assert ui.presetComboBox.currentText == "Mobile C-arm, 9 inch intensifier, 1024 px"
    driver.choose(ui.presetComboBox, "Radiography, wall stand, SDD 1800")
    driver.type(ui.sddSpinBox, "1795")
    assert ui.presetComboBox.currentText == "Own values"
    driver.type(ui.sddSpinBox, "1800")
    assert ui.presetComboBox.currentText == "Radiography, wall stand, SDD 1800"
    other = addVolume(np.zeros((1, 90, 90), dtype=np.uint16), "Other")
    driver.choose(ui.fluoroscopySelector, other)
    assert ui.presetComboBox.currentText == "Mobile C-arm, 9 inch intensifier, 1024 px"


class TestFile:
    """A calibration of another program, for an image of 112 x 112 pixels."""

    PROJECTION = np.array([[600.0, 0, 50.3], [0, 590.0, 60.7], [0, 0, 1]]) @ [
        [0.6, 0, 0.8, 10], [0, -1, 0, -20], [0.8, 0, -0.6, 700.0]
    ]  # fmt: skip
    FROM_A_FILE = "From a file..."

    @pytest.fixture
    def chosen(self, driver, facade, fresh, tmp_path):
        """Chooses a text as a file in the list of presets."""

        def choose(text, name="c.csv"):
            (tmp_path / name).write_text(text, encoding="utf-8")
            facade.dialogs.answerNext(str(tmp_path / name))
            driver.choose(fresh[0].ui.presetComboBox, self.FROM_A_FILE)
            fresh[0].headings.fold(0)

        return choose

    @staticmethod
    def rows(matrix):
        return "\n".join(" ".join(map(repr, row)) for row in matrix.tolist())

    def test_it_is_used_with_all_of_its_digits(self, facade, fresh, chosen):
        panel, xray = fresh
        chosen(self.rows(self.PROJECTION))
        told = facade.mainWindow.statusBar().currentMessage()
        assert told.startswith(f"'{xray.GetName()}' uses the C-arm in ")
        assert told.endswith("c.csv")
        points = np.random.default_rng(1).uniform(-60, 60, (20, 3))
        seen = np.column_stack([points, np.ones(20)]) @ self.PROJECTION.T
        carm = carmOf(xray)
        assert np.allclose(carm.project_world(points), seen[:, :2] / seen[:, 2:], atol=1e-6)
        assert carm.accuracy == "calibrated"
        assert not panel.carm.isDraft
        assert "No angles describe this camera" in panel.ui.carmStatusLabel.text

    def test_its_principal_point_is_that_of_the_image_as_it_is_stored(self, driver, fresh, chosen):
        panel, xray = fresh
        driver.click(panel.ui.flipCheckBox)
        chosen(self.rows(self.PROJECTION))
        assert np.allclose(carmOf(xray).principal_point, (111 - 50.3, 60.7))

    def test_one_without_a_place_leaves_the_c_arm_where_it_stood(self, driver, fresh, chosen):
        panel, xray = fresh
        driver.type(panel.ui.primaryAngleSpinBox, "30")
        driver.click(panel.ui.placeButton)
        panel.headings.fold(0)
        before = carmOf(xray).camera_from_world
        chosen('{"K": [[600, 0, 50], [0, 600, 60], [0, 0, 1]], "size": [112, 112]}', "c.json")
        carm = carmOf(xray)
        assert np.allclose(carm.intrinsics, [[600, 0, 50], [0, 600, 60], [0, 0, 1]])
        assert np.allclose(carm.camera_from_world[:3, :3], before[:3, :3])
        assert panel.ui.primaryAngleSpinBox.value == 30

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('{"K": [[600, 0, 50], [0, 600, 60], [0, 0, 1]], "size": [100, 112]}', "an image of 100 x 112 pixels, and"),
            ('{"K": [[600, 9, 50], [0, 600, 60], [0, 0, 1]], "size": [112, 112]}', "stand askew, by 0.9 pixels"),
            ("1 2 3", "none that is read here"),
        ],
    )
    def test_what_does_not_fit_is_said_and_changes_nothing(self, fresh, chosen, text, said):
        panel, xray = fresh
        chosen(text, "c.json" if text.startswith("{") else "c.txt")
        assert said in panel.ui.carmStatusLabel.text
        assert not isPlaced(xray)
        assert panel.ui.presetComboBox.currentText != self.FROM_A_FILE

    def test_nothing_happens_where_no_file_is_chosen(self, driver, facade, fresh):
        panel, xray = fresh
        shown = panel.ui.presetComboBox.currentText
        facade.dialogs.answerNext("")
        driver.choose(panel.ui.presetComboBox, self.FROM_A_FILE)
        assert panel.ui.presetComboBox.currentText == shown
        assert not isPlaced(xray)


def test_the_height_of_a_pixel_follows_its_width(driver, fresh):
    panel, _xray = fresh
    driver.type(panel.ui.pixelSizeUSpinBox, "0.4")
    assert panel.ui.pixelSizeVSpinBox.value == pytest.approx(0.4)
    driver.type(panel.ui.pixelSizeVSpinBox, "0.41")
    assert panel.ui.pixelSizeUSpinBox.value == pytest.approx(0.4)


def test_a_decimal_comma_is_a_decimal_point(driver, patient):
    panel, _ct, _xray = patient
    ui = panel.ui
    driver.type(ui.pixelSizeUSpinBox, "0,35")
    driver.type(ui.sddSpinBox, "1050,5")
    driver.type(ui.shiftUSlider, "-12,5")
    shown = ui.pixelSizeUSpinBox.value, ui.sddSpinBox.value, ui.shiftUSlider.value
    assert shown == pytest.approx((0.35, 1050.5, -12.5))


def test_a_decimal_comma_is_a_decimal_point_when_pasted_too(driver, patient):
    panel, _ct, _xray = patient
    box = panel.ui.pixelSizeUSpinBox
    QtWidgets.QApplication.clipboard().setText("0,35")
    box.findChild(QtWidgets.QLineEdit).selectAll()
    paste = QtGui.QKeyEvent(QtCore.QEvent.KeyPress, QtCore.Qt.Key_V, QtCore.Qt.ControlModifier, "\x16")
    QtWidgets.QApplication.sendEvent(box, paste)
    box.interpretText()
    driver.pump()
    assert box.value == pytest.approx(0.35)


@pytest.mark.parametrize(("told", "mm"), [("9 inch", 228.6), ("23 cm", 230.0), ("22,9 cm", 229.0), ("300", 300.0)])
def test_a_field_is_another_way_to_tell_the_pixel_size(driver, patient, told, mm):
    panel, _ct, _xray = patient
    ui = panel.ui
    assert ui.fieldLineEdit.text == "179 mm"
    driver.type(ui.fieldLineEdit, told)
    assert ui.pixelSizeUSpinBox.value == ui.pixelSizeVSpinBox.value == pytest.approx(mm / 112, abs=1e-4)
    assert "not used yet" in ui.carmStatusLabel.text
    driver.click(ui.placeButton)
    assert ui.fieldLineEdit.text == f"{mm:.0f} mm"


def test_a_field_that_is_no_length_is_said_and_changes_nothing(driver, patient):
    panel, _ct, _xray = patient
    ui = panel.ui
    driver.type(ui.fieldLineEdit, "nine")
    assert "'nine' is no length" in ui.carmStatusLabel.text
    assert ui.fieldLineEdit.text == "179 mm"
    assert ui.pixelSizeUSpinBox.value == pytest.approx(1.6)


def test_centimetres_are_recognised_and_asked_about(driver, facade, fresh):
    import qt

    panel, xray = fresh
    ui = panel.ui
    driver.type(ui.sddSpinBox, "102")
    driver.type(ui.sodSpinBox, "60")
    facade.dialogs.answerNext(qt.QMessageBox.Yes)
    driver.click(ui.placeButton)
    assert "look like centimetres" in facade.dialogs.texts[-1]
    assert (ui.sddSpinBox.value, ui.sodSpinBox.value) == (1020.0, 600.0)
    assert carmOf(xray).sdd_mm == pytest.approx(1020)


def test_values_that_no_usual_carm_has_are_asked_about(driver, facade, fresh):
    import qt

    panel, xray = fresh
    ui = panel.ui
    driver.type(ui.pixelSizeVSpinBox, "0.9")
    driver.type(ui.secondaryAngleSpinBox, "80")
    facade.dialogs.answerNext(qt.QMessageBox.No)
    driver.click(ui.placeButton)
    assert "square" in facade.dialogs.texts[-1]
    assert "head or feet" in facade.dialogs.texts[-1]
    assert panel.situation().unplaced == (xray,)
    facade.dialogs.answerNext(qt.QMessageBox.Yes)
    driver.click(ui.placeButton)
    assert panel.situation().unplaced == ()


def test_a_chosen_xray_is_shown_before_its_carm_is_told(driver, facade, fresh, addVolume):
    panel, xray = fresh

    def inView(name):
        return facade.layoutManager.sliceWidget(name).sliceLogic().GetSliceCompositeNode().GetBackgroundVolumeID()

    assert inView("Red") == xray.GetID()
    placedAs(driver, panel, xray)
    assert inView(FLUOROSCOPY_VIEW) == xray.GetID()
    other = addVolume(np.zeros((1, 90, 90), dtype=np.uint16), "Other")
    driver.choose(panel.ui.fluoroscopySelector, other)
    assert inView(FLUOROSCOPY_VIEW) == other.GetID()
    assert inView(DRR_VIEW) is None, "no DRR of the former X-ray beside it"
    driver.choose(panel.ui.fluoroscopySelector, xray)
    assert inView(FLUOROSCOPY_VIEW) == xray.GetID()
