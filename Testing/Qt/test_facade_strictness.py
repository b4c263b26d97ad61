"""What PythonQt refuses is refused here, so that a module that passes does not fail in Slicer."""

import pytest

from SlicerFacade.Complaints import QtComplaint
from SlicerFacade.Dialogs import UnansweredDialog
from SlicerFacade.Driving import CannotDo


@pytest.mark.parametrize("className", ["QLabel", "QTimer", "QIcon"])
def testUnknownAttributesOfQtCannotBeSet(facade, className):
    import qt

    with pytest.raises(AttributeError, match="txet"):
        getattr(qt, className)().txet = 1


def testUnknownAttributesOfStandInsCannotBeSet(facade):
    import ctk
    import slicer

    for widget in (ctk.ctkSliderWidget(), ctk.ctkCollapsibleButton(), slicer.qMRMLNodeComboBox(), slicer.app):
        with pytest.raises(AttributeError):
            widget.vaule = 1
        with pytest.raises(AttributeError):
            widget.setObjectName = None


def testPropertiesThatCanOnlyBeReadRefuseValues(facade):
    import qt

    with pytest.raises(AttributeError):
        qt.QComboBox().count = 3


def testOwnSubclassesMayHaveAttributes(facade):
    import qt

    class Button(qt.QPushButton):
        pass

    button = Button()
    button.pressedAt = 3
    button.text = "Go"
    assert (button.pressedAt, button.property("text")) == (3, "Go")


@pytest.mark.parametrize("signature", ["clickd()", "clicked(int)", "currentNodeChanged(vtkMRMLNode*)"])
def testUnknownSignalsCannotBeConnected(facade, signature):
    import qt

    with pytest.raises(AttributeError, match="no signal"):
        qt.QPushButton().connect(signature, print)


def testUnknownSlotsCannotBeConnected(facade):
    import qt

    button = qt.QPushButton()
    with pytest.raises(AttributeError, match="no slot"):
        button.connect("clicked()", button, "hidden()")
    with pytest.raises(TypeError):
        button.connect("clicked()", "hide")


@pytest.mark.parametrize("name", ["Signal", "Slot", "Property", "QtCore", "QNoSuchWidget"])
def testWhatPythonQtLacksIsNotThere(facade, name):
    import qt

    with pytest.raises(AttributeError):
        getattr(qt, name)


def testUnknownMethodsCannotBeCalled(facade):
    import ctk
    import qt

    with pytest.raises(AttributeError):
        qt.QLabel().setTxet("a")
    with pytest.raises(AttributeError):
        ctk.ctkSliderWidget().setTracing(True)
    with pytest.raises(AttributeError):
        ctk.ctkNoSuchWidget  # noqa: B018


def testPropertiesAreNotCalled(facade):
    import qt

    with pytest.raises(TypeError):
        qt.QLabel("a").text()


def testExceptionsOfSlotsReachTheTest(facade, driver, sample):
    def fail():
        raise KeyError("lost")

    sample.ui.applyButton.disconnect("clicked(bool)")
    sample.ui.applyButton.connect("clicked()", fail)
    with pytest.raises(KeyError, match="lost"):
        driver.click(sample.ui.applyButton)
    assert facade.uncaught == []


def testExceptionsOfTimersReachTheTest(facade, driver):
    import qt

    qt.QTimer.singleShot(1, lambda: {}["lost"])
    with pytest.raises(KeyError, match="lost"):
        driver.pump(0.2)


def testWarningsOfQtReachTheTest(facade, driver):
    import qt

    widget = qt.QWidget()
    qt.QVBoxLayout(widget)
    qt.QHBoxLayout(widget)
    with pytest.raises(QtComplaint, match="layout"):
        driver.pump()


def testQuestionsNeedAnAnswer(facade):
    import qt
    import slicer

    with pytest.raises(UnansweredDialog, match="Delete it"):
        slicer.util.confirmYesNoDisplay("Delete it?")
    facade.dialogs.answerNext(qt.QMessageBox.No, qt.QMessageBox.Yes)
    assert not slicer.util.confirmYesNoDisplay("Delete it?")
    assert slicer.util.confirmYesNoDisplay("Really?")
    assert facade.dialogs.texts == ["Delete it?", "Delete it?", "Really?"]


def testWhatAUserCannotReachCannotBeUsed(driver, sample):
    ui = sample.ui
    ui.applyButton.enabled = False
    with pytest.raises(CannotDo, match="disabled"):
        driver.click(ui.applyButton)
    ui.labelEdit.hide()
    with pytest.raises(CannotDo, match="hidden"):
        driver.type(ui.labelEdit, "x")
    with pytest.raises(CannotDo, match="does not offer"):
        driver.choose(ui.qualityBox, "MIDDLING")
    with pytest.raises(CannotDo, match="0 shortcuts"):
        driver.press("Ctrl+R")


def testPumpGivesUp(driver):
    with pytest.raises(TimeoutError):
        driver.pump(lambda: False, timeout=0.05)
