"""The panel's words can be read: on light and dark desktops, hovering or not, in every state, as they are drawn."""

from contextlib import contextmanager

import numpy as np
import pytest
from PySide6 import QtCore, QtGui, QtWidgets

from Patience import PATIENCE_S
from prostreg.outputs.verdict_words import VERDICT_COLOURS
from ProSTRegistrationLib.Nodes.Attempts import addAttempt, decide

LEAST_CONTRAST = 4.5
"""WCAG 2.1, level AA, for text of usual size; what is disabled is exempt."""

LIGHT, DARK = ("#efefef", "#ffffff", "#000000"), ("#353535", "#252525", "#ffffff")
SCALE = 2
BORDER_PX = 4
MARK_PX = 22
"""The check mark at the left of a box, and the arrow at the right of a combo box."""


@pytest.fixture(params=[LIGHT, DARK], ids=["light", "dark"])
def desktop(request, facade):
    """A desktop with its colours of windows, fields and text."""
    application = QtWidgets.QApplication.instance()
    before, (window, base, text) = application.palette(), request.param
    palette = QtGui.QPalette(QtGui.QColor(window))
    palette.setColor(QtGui.QPalette.Base, QtGui.QColor(base))
    for role in (QtGui.QPalette.WindowText, QtGui.QPalette.ButtonText, QtGui.QPalette.Text):
        palette.setColor(role, QtGui.QColor(text))
    application.setPalette(palette)
    yield
    application.setPalette(before)


def luminance(colours):
    """Of colours (n, 3), 0 to 1."""
    linear = np.where(colours <= 0.03928, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def drawnContrast(widget):
    """The contrast between what a widget's words are drawn on, its commonest colour, and the ink of their strokes."""
    image = QtGui.QImage(widget.size * SCALE, QtGui.QImage.Format_RGB32)
    image.setDevicePixelRatio(SCALE)
    widget.render(image)
    pixels = np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), image.width())
    left = MARK_PX if isinstance(widget, QtWidgets.QCheckBox) else BORDER_PX
    right = MARK_PX if isinstance(widget, (QtWidgets.QComboBox, QtWidgets.QAbstractSpinBox)) else BORDER_PX
    words = pixels[BORDER_PX * SCALE : -BORDER_PX * SCALE, left * SCALE : -right * SCALE]
    colours, counts = np.unique(words, return_counts=True)
    light = luminance(np.stack([colours >> shift & 255 for shift in (16, 8, 0)], axis=1) / 255)
    ground = light[counts.argmax()]
    # The middle of a stroke has the ink's own colour.
    inks = light[counts >= SCALE * SCALE]
    return ((np.maximum(inks, ground) + 0.05) / (np.minimum(inks, ground) + 0.05)).max()


@contextmanager
def hovering(widget):
    widget.setAttribute(QtCore.Qt.WA_UnderMouse, True)
    yield
    widget.setAttribute(QtCore.Qt.WA_UnderMouse, False)


def worded(content):
    """What is visible, live and has words."""
    for kind in (QtWidgets.QLabel, QtWidgets.QAbstractButton, QtWidgets.QComboBox, QtWidgets.QAbstractSpinBox):
        for widget in content.findChildren(kind):
            words = widget.currentText if kind is QtWidgets.QComboBox else widget.text
            if words and widget.isVisible() and widget.isEnabled():
                yield widget, words


def unreadable(content):
    """The words that cannot be read, and the contrast that they have at rest or under the mouse."""
    found = {}
    for widget, words in worded(content):
        ratios = [drawnContrast(widget)]
        with hovering(widget):
            ratios.append(drawnContrast(widget))
        if min(ratios) < LEAST_CONTRAST:
            found[words] = round(min(ratios), 2)
    return found


def states(driver, panel, ct):
    """Brings the panel from one state to the next; gives their names."""
    ui, check = panel.ui, panel.check
    for group in (ui.moreViewsGroup, ui.landmarksGroup, ui.advancedGroup, ui.adaptGroup):
        group.collapsed = False
    yield "ready"
    ui.sddSpinBox.value += 50.0
    yield "draft"
    ui.sddSpinBox.value -= 50.0
    xray, panel.parameters.fluoroscopy = panel.parameters.fluoroscopy, None
    yield "no X-ray"
    panel.parameters.fluoroscopy = xray
    driver.pump(0.1)
    check.sayFault("A fault of step 5.")
    driver.click(ui.registerButton)
    yield "registering"
    driver.click(ui.registerButton)
    yield "cancelling"
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    pose, inputs = panel.scene.ct(ct)[1], panel.situation().judged.text()
    for number, status in enumerate(("accepted", "uncertain", "failed"), start=1):
        result = {"status": status, "confidence": 0.9, "seconds": 9.0, "world_from_volume": pose, "reasons": ["why"]}
        addAttempt(panel.scene, ct, result, "AP", "auto", "normal", pose, inputs=inputs)
        check._current = number
        yield status
    decide(panel.scene, ct, 3, "accepted")
    yield "kept"
    ui.flipCheckBox.click()
    yield "outlived"


def test_the_measure_tells_what_can_be_read_from_what_cannot(panelWidget):
    label = QtWidgets.QLabel("words", panelWidget.ui.imagesSection.parent())
    label.resize(120, 40)
    for ink, ground, ratio in (("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#8a5a00", "#353535", 2.1)):
        label.setStyleSheet(f"color: {ink}; background-color: {ground};")
        assert drawnContrast(label) == pytest.approx(ratio, rel=0.03)
    label.setStyleSheet("color: #808080; background-color: #808080;")
    assert drawnContrast(label) == 1.0


def test_words_can_be_read_in_every_state_hovering_or_not(driver, facade, desktop, patient):
    panel, ct, _ = patient
    content, seen = panel.ui.imagesSection.parent(), {}
    for state in states(driver, panel, ct):
        panel.refresh()
        driver.pump(0.1)
        found = unreadable(content)
        if found:
            seen[state] = found
    assert seen == {}


def test_colour_is_never_the_only_sign_of_a_verdict(facade):
    from ProSTRegistrationLib.VerdictWords import verdictWord

    assert len(set(map(verdictWord, VERDICT_COLOURS))) == len(VERDICT_COLOURS)
