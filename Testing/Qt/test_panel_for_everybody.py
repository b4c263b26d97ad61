"""The panel on everybody's desktop: narrow, by keyboard alone."""

import itertools

from PySide6 import QtCore, QtWidgets

from ProSTRegistrationLib.Nodes.Attempts import addAttempt

NARROW_PX = 350


def cutOff(area):
    """Names of the widgets that reach beyond the panel's right edge, and how far."""
    content, room = area.widget(), area.viewport().width
    return {
        widget.objectName: right
        for widget in content.findChildren(QtWidgets.QWidget)
        if widget.isVisible() and (right := widget.mapTo(content, QtCore.QPoint(widget.width, 0)).x()) > room
    }


def test_nothing_is_cut_in_a_narrow_panel(driver, facade, patient):
    panel, ct, xray = patient
    ct.SetName("Thorax_Abdomen_1mm_bone_kernel_2024_11_03")
    xray.SetName("XA_run_17_frame_003_lateral_projection_saved")
    area = facade.mainWindow.panel()
    area.setMinimumWidth(NARROW_PX)
    area.setMaximumWidth(NARROW_PX)
    for group in (panel.ui.moreViewsGroup, panel.ui.landmarksGroup, panel.ui.advancedGroup, panel.ui.adaptGroup):
        group.collapsed = False
    driver.pump(0.2)
    assert cutOff(area) == {}
    panel.headings.fold(3)
    driver.pump(0.2)
    assert cutOff(area) == {}
    assert panel.ui.imagesSection.text == "1. Images: Thora…11_03, XA_ru…saved"
    words = f"/clinic/patients/{'a_folder_of_a_long_name_' * 3}/attempts.csv cannot be written."
    panel.check.sayFault(words)
    panel.register.say(words)
    panel.register._showInstallation(words.replace("_", ""))
    driver.pump(0.2)
    assert cutOff(area) == {}, "by a path in a message"
    label = panel.ui.checkStatusLabel
    needed = label.fontMetrics().boundingRect(label.rect, QtCore.Qt.TextWordWrap, label.text)
    assert needed.width() <= label.width


def test_the_table_of_attempts_can_be_read_in_a_narrow_panel(driver, facade, patient):
    panel, ct, _ = patient
    table, area = panel.ui.attemptsTable, facade.mainWindow.panel()
    pose = panel.scene.ct(ct)[1]
    result = {"status": "uncertain", "confidence": 0.999, "seconds": 237.0, "world_from_volume": pose}
    errors = {"across_mm": 0.7, "along_mm": 13.2, "rotation_deg": (0.1, 0.2, 0.3)}
    inputs = panel.situation().judged.text()
    addAttempt(
        panel.scene, ct, {**result, "expected_error": errors}, "right posterior oblique", "prost+cmaes", "thorough",
        pose, carm="dicom", inputs=inputs,
    )  # fmt: skip
    area.setMinimumWidth(NARROW_PX)
    area.setMaximumWidth(NARROW_PX)
    panel.refresh()
    driver.pump(0.2)
    assert table.horizontalHeader().length() <= table.viewport().width
    for column in range(table.columnCount):
        shown, text = table.visualItemRect(table.item(0, column)), table.item(0, column).text()
        needed = table.fontMetrics().boundingRect(shown, QtCore.Qt.TextWordWrap, text)
        assert needed.width() <= shown.width(), text
        assert needed.height() <= shown.height(), text
    told = " ".join(table.item(0, column).text() for column in range(table.columnCount)).split()
    for word in ("Uncertain", ">", "99", "0.7", "13", "oblique,", "cmaes,", "thorough", "DICOM", "237"):
        assert word in told
    assert table.height < 2.5 * table.rowHeight(0), "one attempt has no empty room below"


def test_a_newcomer_sees_first_what_can_be_tried_without_data(panelWidget):
    ui = panelWidget.ui
    content = ui.imagesSection.parent()
    tops = [widget.mapTo(content, QtCore.QPoint(0, 0)).y() for widget in (ui.phantomButton, ui.ctSelector)]
    assert tops[0] < tops[1]
    assert "First time?" in ui.firstTimeLabel.text


def test_the_tabulator_goes_from_top_to_bottom(driver, patient):
    panel, _ct, _xray = patient
    content = panel.ui.imagesSection.parent()
    seen, widget = [], content.nextInFocusChain()
    while widget is not content and len(seen) < 500:
        if content.isAncestorOf(widget) and widget.isVisible() and widget.focusPolicy & QtCore.Qt.TabFocus:
            seen.append((widget.mapTo(content, QtCore.QPoint(0, 0)).y(), widget.objectName))
        widget = widget.nextInFocusChain()
    tops = [top for top, _name in seen]
    assert len(tops) > 20
    # Within a row or a section a small step up is one to the right.
    assert [pair for pair in itertools.pairwise(seen) if pair[1][0] < pair[0][0] - 12] == []


def test_every_label_of_a_field_leads_to_it(panelWidget):
    content = panelWidget.ui.imagesSection.parent()
    forms = content.findChildren(QtWidgets.QFormLayout)
    labels = [
        form.itemAt(row, QtWidgets.QFormLayout.LabelRole).widget()
        for form in forms
        for row in range(form.rowCount())
        if form.itemAt(row, QtWidgets.QFormLayout.LabelRole) is not None
    ]
    assert len(labels) > 30
    assert [label.objectName for label in labels if label.buddy() is None] == []


def test_register_accept_and_reject_have_keys_that_work_with_the_check_views_or_without(driver, patient, monkeypatch):
    panel, _ct, _xray = patient
    ui = panel.ui
    for key, button in (("Alt+R", ui.registerButton), ("Alt+A", ui.acceptButton), ("Alt+J", ui.rejectButton)):
        assert f"Key: {key}" in button.toolTip
    driver.press("Alt+R")
    assert panel.logic.isRegistering
    driver.press("Alt+R")
    driver.pump(lambda: not panel.logic.isBusy)
    driver.leave()
    driver.press("Alt+R")
    assert not panel.logic.isBusy


def test_letters_of_the_keyboard_lead_to_fields_and_nobody_else_has_them(panelWidget):
    content = panelWidget.ui.imagesSection.parent()
    texts = [label.text for label in content.findChildren(QtWidgets.QLabel) if label.buddy() is not None]
    texts += [button.text for button in content.findChildren(QtWidgets.QAbstractButton)]
    letters = [text[text.index("&") + 1].upper() for text in texts if "&" in text]
    assert len(letters) > 15
    assert sorted(set(letters)) == sorted(letters)
    # The menus of Slicer's window, and Register, Accept and Reject.
    assert set(letters) & set("FEVHRAJ") == set()
