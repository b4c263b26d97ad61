"""The panel on everybody's desktop: dark or light, narrow, by keyboard alone."""

import itertools

import pytest
from PySide6 import QtCore, QtGui, QtWidgets

LEAST_CONTRAST = 4.5
"""WCAG 2.1, level AA, for text of usual size."""

NARROW_PX = 350
LIGHT, DARK = ("#efefef", "#000000"), ("#353535", "#ffffff")


def luminance(color):
    def linear(value):
        return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(part / 255) for part in (color.red(), color.green(), color.blue()))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first, second):
    dark, light = sorted(luminance(QtGui.QColor(color)) for color in (first, second))
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture(params=[LIGHT, DARK], ids=["light", "dark"])
def desktop(request, facade):
    """Colours (window, text) of a desktop, while it has them."""
    application = QtWidgets.QApplication.instance()
    before = application.palette()
    palette = QtGui.QPalette(QtGui.QColor(request.param[0]))
    for role in (QtGui.QPalette.Window, QtGui.QPalette.Button):
        palette.setColor(role, QtGui.QColor(request.param[0]))
    for role in (QtGui.QPalette.WindowText, QtGui.QPalette.ButtonText, QtGui.QPalette.Text):
        palette.setColor(role, QtGui.QColor(request.param[1]))
    application.setPalette(palette)
    yield request.param
    application.setPalette(before)


def test_status_lines_can_be_read_in_every_state(desktop, panelWidget):
    from ProSTRegistrationLib.Panel import Messages

    label, window = panelWidget.ui.carmStatusLabel, desktop[0]
    for style in (Messages.MISSING_STYLE, Messages.FAULT_STYLE):
        Messages.showStatus(label, "words", style)
        ink = label.styleSheet.removeprefix("color: ").removesuffix(";")
        assert contrast(ink, window) >= LEAST_CONTRAST, (ink, window)
        label.setAttribute(QtCore.Qt.WA_UnderMouse, True)
        label.ensurePolished()
        assert contrast(label.palette.color(QtGui.QPalette.WindowText), window) >= LEAST_CONTRAST
    Messages.showStatus(label, "words", Messages.PLAIN_STYLE)
    assert label.styleSheet == ""


def test_verdicts_can_be_read_and_colour_is_never_the_only_sign(facade):
    from ProSTRegistrationLib import VerdictWords

    bars = [*VerdictWords.VERDICTS.values(), VerdictWords.OUTDATED_COLORS]
    assert [bar for bar in bars if contrast(*bar) < LEAST_CONTRAST] == []
    assert len({VerdictWords.verdictWord(status) for status in VerdictWords.VERDICTS}) == len(VerdictWords.VERDICTS)


def test_the_highlighted_button_can_be_read_while_hovering_too(facade):
    from ProSTRegistrationLib.Panel import NextThing

    inks = [part.split(";")[0].strip() for part in NextThing.STYLE.split("color:")[1:]]
    pairs = list(zip(inks[::2], inks[1::2], strict=True))
    assert len(pairs) == 2
    assert [pair for pair in pairs if contrast(*pair) < LEAST_CONTRAST] == []


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
