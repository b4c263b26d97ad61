"""The panel in real Qt on real MRML, outside Slicer: see Testing/SlicerFacade/README.md."""

import os
import warnings

import pytest

# Read by Qt when the application object is made; there is no screen on a build machine.
os.environ["QT_QPA_PLATFORM"] = "offscreen"

with warnings.catch_warnings():
    # slicer-core's own modules warn while they are imported; that is not ours to mend.
    warnings.simplefilter("ignore")
    pytest.importorskip("slicer", reason="slicer-core is not installed")
try:
    from SlicerFacade import PythonQtDialect  # noqa: F401
except ImportError as error:
    pytest.skip(f"Qt cannot be used: {error}", allow_module_level=True)

from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
from SlicerFacade.Driving import Driver
from SlicerFacade.Installation import installed


@pytest.fixture
def facade():
    """Slicer's Python in place, with a scene, a main window and nothing loaded."""
    with HeadlessScene() as headless, installed(headless) as made:
        yield made


@pytest.fixture
def driver(facade):
    """Acts as a user in it."""
    return Driver(facade)


@pytest.fixture
def uiFile(tmp_path):
    """Writes a .ui file from the elements inside its root layout and from connections; returns its path."""

    def write(items="", connections=(), rootClass="qMRMLWidget", name="Sample"):
        path = tmp_path / "Resources" / "UI" / f"{name}.ui"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(
            f"<connection><sender>{sender}</sender><signal>{signal}</signal>"
            f"<receiver>{receiver}</receiver><slot>{slot}</slot></connection>"
            for sender, signal, receiver, slot in connections
        )
        path.write_text(
            f'<?xml version="1.0" encoding="UTF-8"?><ui version="4.0"><class>{name}</class>'
            f'<widget class="{rootClass}" name="{name}"><layout class="QVBoxLayout" name="rootLayout">{items}'
            f"</layout></widget><connections>{lines}</connections></ui>",
            encoding="utf-8",
        )
        return path

    return write


SCENE_CONNECTION = ("Sample", "mrmlSceneChanged(vtkMRMLScene*)", "ctSelector", "setMRMLScene(vtkMRMLScene*)")


def widgetItem(className, name, parameter=None, properties=""):
    """The XML of one widget in a layout, bound to a parameter."""
    bound = f'<property name="SlicerParameterName" stdset="0"><string>{parameter}</string></property>'
    return f'<item><widget class="{className}" name="{name}">{properties}{bound if parameter else ""}</widget></item>'


NODE_TYPES = '<property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>'
NONE_ENABLED = '<property name="noneEnabled"><bool>true</bool></property>'
SAMPLE_ITEMS = "".join(
    [
        widgetItem("qMRMLNodeComboBox", "ctSelector", "ct", NODE_TYPES + NONE_ENABLED),
        widgetItem("ctkSliderWidget", "depthSlider", "depthMm"),
        widgetItem("QSpinBox", "countBox", "count"),
        widgetItem("QCheckBox", "fastBox", "fast"),
        widgetItem("QComboBox", "qualityBox", "quality"),
        widgetItem("QComboBox", "deviceBox", "device"),
        widgetItem("QLineEdit", "labelEdit", "label"),
        widgetItem("ctkPathLineEdit", "folderEdit", "folder"),
        widgetItem("QPushButton", "applyButton", properties='<property name="text"><string>Apply</string></property>'),
    ]
)
SAMPLE_SOURCE = """
import enum
import pathlib
from typing import Annotated, Optional

import qt
import slicer
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin


class Quality(enum.Enum):
    QUICK = 1
    THOROUGH = 2


@parameterNodeWrapper
class SampleParameterNode:
    ct: slicer.vtkMRMLScalarVolumeNode
    depthMm: Annotated[float, WithinRange(-50, 50)] = 5.0
    count: Annotated[int, WithinRange(0, 9)] = 3
    fast: bool = True
    quality: Quality = Quality.THOROUGH
    device: Annotated[str, Choice(["auto", "cpu"]), Default("cpu")]
    label: str = "start"
    folder: pathlib.Path
    images: list[slicer.vtkMRMLVolumeNode]
    notes: list[str]


class Sample(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        self.parent.title = _("Sample")
        self.parent.categories = ["Testing"]


class SampleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.calls = []

    def setup(self):
        super().setup()
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/Sample.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = SampleLogic()
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.parameterNode = SampleParameterNode(self.logic.getParameterNode())
        self.tag = self.parameterNode.connectGui(self.ui)

    def enter(self):
        self.calls.append("enter")

    def exit(self):
        self.calls.append("exit")

    def cleanup(self):
        self.calls.append("cleanup")
        self.parameterNode.disconnectGui(self.tag)
        self.removeObservers()

    def onApply(self):
        with slicer.util.tryWithErrorDisplay(_("Applying failed."), waitCursor=True):
            self.logic.apply(self.parameterNode.ct)


class SampleLogic(ScriptedLoadableModuleLogic):
    def apply(self, ct):
        if ct is None:
            raise ValueError("There is no CT.")
        ct.SetAttribute("applied", "yes")
"""


@pytest.fixture
def samplePath(tmp_path, uiFile):
    """A module with a panel and a parameter node, written for these tests; the path of its file."""
    uiFile(SAMPLE_ITEMS, [SCENE_CONNECTION])
    path = tmp_path / "Sample.py"
    path.write_text(SAMPLE_SOURCE, encoding="utf-8")
    return path


@pytest.fixture
def sample(driver, samplePath):
    """The widget object of that module, its panel open."""
    return driver.load(samplePath)
