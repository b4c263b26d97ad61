""".ui files: loaded as Slicer does, and refused with all their faults."""

import pytest
import slicer

from SlicerFacade.UiLoading import UiFileError

SELECTOR = '<item><widget class="qMRMLNodeComboBox" name="selector"/></item>'
SCENE = ("Sample", "mrmlSceneChanged(vtkMRMLScene*)", "selector", "setMRMLScene(vtkMRMLScene*)")


def item(className, inside="", name="thing"):
    return f'<item><widget class="{className}" name="{name}">{inside}</widget></item>'


def prop(name, value="<string>x</string>", stdset=""):
    return f'<property name="{name}"{stdset}>{value}</property>'


@pytest.fixture
def load(facade, uiFile):
    def load(*args, **kwargs):
        widget = slicer.util.loadUI(str(uiFile(*args, **kwargs)))
        return widget, slicer.util.childWidgetVariables(widget)

    return load


def testWidgetsAreOfTheirClassesWithTheirProperties(load):
    import ctk
    import qt

    inside = prop("text", "<string>Start pose</string>") + (
        '<layout class="QFormLayout" name="form"><item row="0" column="0"><widget class="QLabel" name="inner"/></item>'
        "</layout>"
    )
    sliderProperties = prop("maximum", "<double>7.5</double>") + prop("suffix", "<string> mm</string>")
    widget, ui = load(
        item("ctkCollapsibleButton", inside, "section")
        + item("ctkSliderWidget", sliderProperties, "slider")
        + item("QLineEdit", prop("SlicerParameterName", "<string>label</string>", ' stdset="0"'), "edit")
        + item("Line", prop("orientation", "<enum>Qt::Horizontal</enum>"), "line")
    )
    assert type(widget) is slicer.qMRMLWidget
    assert type(ui.section) is ctk.ctkCollapsibleButton
    assert type(ui.edit) is qt.QLineEdit
    assert (ui.section.text, ui.slider.maximum, ui.slider.suffix) == ("Start pose", 7.5, " mm")
    assert ui.edit.property("SlicerParameterName") == "label"
    assert ui.inner.parentWidget() is ui.section


def testTheSceneReachesOnlyWhatIsConnected(load):
    widget, ui = load(SELECTOR + item("qMRMLNodeComboBox", name="forgotten"), [SCENE])
    widget.setMRMLScene(slicer.mrmlScene)
    assert ui.selector.mrmlScene() is slicer.mrmlScene
    assert ui.forgotten.mrmlScene() is None
    assert (ui.selector.enabled, ui.forgotten.enabled) == (True, False)


def testConnectionsOfQtWork(load):
    _, ui = load(
        item("QCheckBox", name="box") + item("QLabel", name="label"),
        [("box", "toggled(bool)", "label", "setEnabled(bool)")],
    )
    ui.label.enabled = False
    ui.box.checked = True
    assert ui.label.enabled


@pytest.mark.parametrize(
    ("items", "connections", "fault"),
    [
        (item("ctkNoSuchWidget"), [], "unknown class ctkNoSuchWidget"),
        (item("QLabel", prop("txet")), [], "QLabel thing has no property txet"),
        (item("qMRMLNodeComboBox", prop("noneEnable", "<bool>true</bool>")), [], "has no property noneEnable"),
        (item("QLabel") + item("QLabel"), [], "thing is used twice"),
        (SELECTOR, [("Smaple", *SCENE[1:])], "names Smaple"),
        (SELECTOR, [(*SCENE[:2], "seletcor", SCENE[3])], "names seletcor"),
        (SELECTOR, [(SCENE[0], "sceneChanged(vtkMRMLScene*)", *SCENE[2:])], "no signal 'sceneChanged"),
        (SELECTOR, [(*SCENE[:3], "setScene(vtkMRMLScene*)")], "no slot 'setScene"),
    ],
)
def testFaultsOfAFileAreTold(load, items, connections, fault):
    with pytest.raises(UiFileError, match=fault):
        load(items, connections)


def testAllFaultsAreToldAtOnce(load):
    with pytest.raises(UiFileError, match=r"txet.*wdith.*names b"):
        load(item("QLabel", prop("txet")) + item("QLabel", prop("wdith"), "other"), [("thing", "x()", "b", "y()")])


def testAFileThatIsNotThere(facade, tmp_path):
    with pytest.raises(RuntimeError, match="not found"):
        slicer.util.loadUI(str(tmp_path / "none.ui"))
