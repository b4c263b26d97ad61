"""PythonQt's ways of saying things."""

import pytest


def testPropertiesAreAttributes(facade):
    import qt

    box = qt.QComboBox()
    box.addItems(["a", "b"])
    box.currentIndex = 1
    assert (box.count, box.currentText, box.enabled, box.visible) == (2, "b", True, False)
    spin = qt.QSpinBox()
    spin.maximum, spin.value, spin.suffix = 7, 9, " mm"
    assert (spin.value, spin.text) == (7, "7 mm")
    label = qt.QLabel("x")
    label.wordWrap, label.toolTip, label.alignment = True, "tip", qt.Qt.AlignRight
    assert label.wordWrap is True
    assert label.property("toolTip") == "tip"
    widget = qt.QWidget()
    widget.resize(30, 20)
    assert (widget.width, widget.height, widget.size.width()) == (30, 20, 30)


def testSettersStayAsMethods(facade):
    import qt

    label = qt.QLabel()
    label.setText("a")
    label.setVisible(False)
    assert label.text == "a"


def testNamesAndClassNames(facade):
    import ctk
    import qt

    button = qt.QPushButton()
    button.name = "applyButton"
    assert (button.objectName, button.name, button.className()) == ("applyButton", "applyButton", "QPushButton")
    assert ctk.ctkSliderWidget().className() == "ctkSliderWidget"


@pytest.mark.parametrize(
    ("signature", "expected"), [("clicked(bool)", [(True,)]), ("clicked()", [()]), ("toggled( bool )", [(True,)])]
)
def testSignalsAreConnectedBySignature(facade, signature, expected):
    import qt

    button, heard = qt.QPushButton(), []
    button.checkable = True

    def listen(*values):
        heard.append(values)

    assert button.connect(signature, listen)
    button.click()
    assert heard == expected
    assert button.disconnect(signature, listen)
    assert not button.disconnect(signature, listen)
    button.click()
    assert len(heard) == 1


def testCallablesGetNoMoreValuesThanTheyTake(facade):
    import qt

    button, heard = qt.QPushButton(), []

    class Listener:
        def onClicked(self):
            heard.append("method")

    listener = Listener()
    button.connect("clicked(bool)", listener.onClicked)
    button.connect("clicked(bool)", lambda: heard.append("none"))
    # PythonQt hands the state over even where the parameter has a default.
    button.connect("clicked(bool)", lambda index=7: heard.append(index))
    button.click()
    assert heard == ["method", "none", False]
    assert button.disconnect("clicked(bool)", listener.onClicked)


def testSignalsConnectToSlotsOfOtherObjects(facade):
    import qt

    button, label = qt.QPushButton(), qt.QLineEdit("text")
    button.connect("clicked()", label, "clear()")
    button.click()
    assert label.text == ""


def testDisconnectingWithoutACallableEndsAll(facade):
    import qt

    timer, heard = qt.QTimer(), []
    timer.connect("timeout()", lambda: heard.append(1))
    timer.connect("timeout()", lambda: heard.append(2))
    assert timer.disconnect("timeout()")
    timer.timeout.emit()
    assert heard == []


def testTimers(facade, driver):
    import qt

    heard, timer = [], qt.QTimer()
    timer.singleShot, timer.interval = True, 1
    timer.connect("timeout()", lambda: heard.append("timer"))
    timer.start()
    qt.QTimer.singleShot(1, lambda: heard.append("static"))
    driver.pump(lambda: len(heard) == 2)
    assert sorted(heard) == ["static", "timer"]
    assert not timer.active


def testEnumsAreNumbers(facade):
    import qt

    assert qt.QMessageBox.Ok == 0x400
    assert qt.Qt.AlignLeft | qt.Qt.AlignTop == 0x21
    box = qt.QCheckBox()
    states = []
    box.connect("stateChanged(int)", states.append)
    box.checked = True
    assert states == [qt.Qt.Checked]


def testListsOfStringsAreTuples(facade):
    import qt
    import slicer

    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLModelNode"]
    assert box.nodeTypes == ("vtkMRMLModelNode",)
    settings = qt.QSettings()
    settings.setValue("Sample/key", 1)
    assert "Sample/key" in settings.allKeys()
    assert isinstance(settings.allKeys(), tuple)
    assert slicer.util.settingsValue("Sample/key", 0, converter=int) == 1


def testFileDialogsGiveOnePath(facade):
    import qt

    facade.dialogs.answerNext("/a/ct.nrrd", "")
    assert qt.QFileDialog.getOpenFileName(None, "Open a CT") == "/a/ct.nrrd"
    assert qt.QFileDialog.getSaveFileName(None, "Save") == ""
    assert [message.title for message in facade.dialogs.shown] == ["Open a CT", "Save"]


def testMessagesAreWrittenDown(facade):
    import qt
    import slicer

    slicer.util.errorDisplay("It failed.", detailedText="why")
    slicer.util.infoDisplay("Done.")
    slicer.util.delayDisplay("Wait", 500)
    qt.QMessageBox.warning(None, "Title", "Careful.")
    shown = [(message.kind, message.text) for message in facade.dialogs.shown]
    assert shown == [
        ("critical", "It failed."), ("information", "Done."), ("dialog", "Wait"), ("warning", "Careful."),
    ]  # fmt: skip
    assert facade.dialogs.shown[0].detailedText == "why"


def testTestingModeShowsNothing(facade):
    import slicer

    facade.app.setTestingEnabled(True)
    slicer.util.errorDisplay("It failed.")
    assert facade.dialogs.shown == []


def testTryWithErrorDisplayShowsAndRaises(facade, driver, sample):
    with pytest.raises(ValueError, match="no CT"):
        driver.click(sample.ui.applyButton)
    assert facade.dialogs.texts == ["Applying failed.\n\nThere is no CT."]
    assert facade.app.overrideCursor() is None


def testFoldableSections(facade):
    import ctk
    import qt

    section, heard = ctk.ctkCollapsibleButton("Start pose"), []
    qt.QVBoxLayout(section).addWidget(qt.QLabel("inside"))
    section.connect("contentsCollapsed(bool)", heard.append)
    section.resize(200, 300)
    section.click()
    assert section.collapsed
    assert section.height < 50
    section.collapsed = False
    assert heard == [True, False]


def testSliderWidget(facade, driver):
    import ctk

    slider, done, moving = ctk.ctkSliderWidget(), [], []
    slider.minimum, slider.maximum, slider.singleStep, slider.decimals = -10, 10, 0.5, 1
    slider.connect("valueChanged(double)", done.append)
    slider.connect("valueIsChanging(double)", moving.append)
    slider.value = 2.5
    assert (slider.value, done) == (2.5, [2.5])
    slider.tracking = False
    slider.show()
    driver.drag(slider, -7.5)
    assert done == [2.5, -7.5]
    assert len(moving) > 3
    driver.type(slider, "4.5")
    assert slider.value == 4.5
    slider.value = 99
    assert slider.value == 10
    slider.close()


@pytest.mark.parametrize("className", ["ctkCollapsibleButton", "ctkCollapsibleGroupBox"])
def testFoldedSectionsHideWhatIsInside(facade, className):
    """ctkCollapsibleButton::eventFilter and ctkCollapsibleGroupBox: shown ones are hidden again until it is opened."""
    import ctk
    import qt

    section = getattr(ctk, className)()
    layout = qt.QVBoxLayout(section)
    shown, hidden = qt.QLabel("shown"), qt.QLabel("hidden")
    for label in (shown, hidden):
        layout.addWidget(label)
    hidden.setVisible(False)
    section.show()
    assert (shown.visible, hidden.visible) == (True, False)
    section.collapsed = True
    hidden.setVisible(True)
    shown.setVisible(True)
    assert shown.isHidden()
    assert hidden.isHidden()
    shown.setVisible(False)
    section.collapsed = False
    assert (shown.visible, hidden.visible) == (False, True)
