"""The panel in real Qt on real MRML, outside Slicer: see Testing/SlicerFacade/README.md."""

import gc
import os
import shutil
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
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

import slicer
from PythonLauncher import python_behind_launcher
from SyntheticBones import bonesHu

from Patience import PATIENCE_S
from prostreg.images.attenuation import attenuation_from_hu
from prostreg.images.volume import Volume
from prostreg.projector.selection import make_projector
from ProSTRegistrationLib import Logic
from ProSTRegistrationLib.Nodes.CArmSettings import CArmSettings, applySettings, carmOfSettings
from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient, ignore
from ProSTRegistrationLib.Worker.WorkerSource import LocalWorker
from SlicerFacade.Driving import Driver
from SlicerFacade.Installation import installed
from SlicerFacade.Profiles import SLICER_5_12

LIBRARY = ("ProSTRegistrationLib", "prostreg")

gc.freeze()  # what is imported is never garbage, and would be looked at after every test


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Garbage of widgets and views is collected by this thread alone: in one of the engine's it hung until the limit.

    No other thread does so in Slicer, where the engine is in a process of its own.
    """
    gc.collect()
    gc.freeze()  # as above: what is alive between two tests is no garbage of either
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown():
    gc.collect()
    gc.enable()


@pytest.fixture
def profile():
    """The Slicer that the facade behaves as; tests in which the difference shows take EACH_SLICER as parameter."""
    return SLICER_5_12


@pytest.fixture
def facade(profile):
    """Slicer's Python in place, with a scene, a main window and nothing loaded."""
    with libraryKept(), HeadlessScene() as headless, installed(headless, profile) as made:
        yield made


@pytest.fixture(scope="module")
def lastingFacade():
    """The same for all tests of a file, which only need what Slicer's Python offers to be imported."""
    with libraryKept(), HeadlessScene() as headless, installed(headless, SLICER_5_12) as made:
        yield made


@contextmanager
def libraryKept():
    """Brings back the modules of the library that were there before; a reload drops them.

    What is imported here for the first time is put aside for the next test: importing the panel takes half a second.
    """

    def loaded():
        return {
            name: module
            for name, module in sys.modules.items()
            if name.startswith(LIBRARY) and name.partition(".")[0] in LIBRARY
        }

    def areThere(modules):
        return all(sys.modules.get(name) is module for name, module in modules.items())

    before = loaded()
    if any(before.get(name, module) is not module for name, module in _putAside.items()):
        _putAside.clear()  # these go with modules that are others by now
    sys.modules.update(_putAside)
    yield
    if areThere(before) and areThere(_putAside):
        _putAside.update((name, module) for name, module in loaded().items() if name not in before)
    for name in loaded():
        del sys.modules[name]
    sys.modules.update(before)


_putAside = {}


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


class LastingClient(WorkerClient):
    """A client whose worker goes on for the next test: starting one takes seconds.

    It makes each sample case once, which takes as long, and copies it to the next test that asks for one.
    """

    def __init__(self, source, samples):
        super().__init__(source)
        self._samples, self._answers = samples, {}

    def request(self, command, arrays=None, onReply=ignore, **others):
        if command != "sample":
            return super().request(command, arrays, onReply, **others)
        folder, kept = Path(others["folder"]), self._samples / others["kind"]

        def keep(answer, got):
            shutil.copytree(folder, kept)
            self._answers[kept] = {**answer, "case": str(Path(answer["case"]).relative_to(folder))}
            onReply(answer, got)

        def copyOf(_, got):
            shutil.copytree(kept, folder, dirs_exist_ok=True)
            onReply({**self._answers[kept], "case": str(folder / self._answers[kept]["case"])}, got)

        if kept in self._answers:
            return super().request("status", onReply=copyOf)
        return super().request(command, arrays, keep, **others)

    def stop(self):
        self.cancel()
        self.poll()
        self._requests.clear()
        self._inbox.clear()
        self._unsent.clear()

    def end(self):
        """Ends the worker."""
        super().stop()


@pytest.fixture(scope="session")
def lastingClient(tmp_path_factory):
    python = python_behind_launcher(tmp_path_factory.mktemp("launcher"))
    made = LastingClient(LocalWorker(python, tmp_path_factory.mktemp("worker")), tmp_path_factory.mktemp("samples"))
    yield made
    made.end()


@pytest.fixture
def panelWidget(driver, lastingClient, monkeypatch):
    """The module's widget object, its panel in front, with a real worker that other tests use too."""
    monkeypatch.setattr(Logic, "WorkerClient", lambda _: lastingClient)
    widget = driver.load(Path(__file__).parents[2] / "ProSTRegistration" / "ProSTRegistration.py")
    widget.panel.parameters.timeLimitS = PATIENCE_S
    return widget


@pytest.fixture(scope="session")
def bones():
    """A CT (HU, int16) without any symmetry."""
    return bonesHu()


@pytest.fixture
def addVolume(facade):
    """Adds a volume node with voxels [k, j, i] and spacings along (i, j, k)."""

    def add(voxels, name, spacing=(1, 1, 1), className="vtkMRMLScalarVolumeNode"):
        node = facade.scene.AddNewNodeByClass(className, name)
        slicer.util.updateVolumeFromArray(node, voxels)
        node.SetSpacing(*spacing)
        node.CreateDefaultDisplayNodes()
        return node

    return add


@pytest.fixture
def patient(addVolume, bones, driver, panelWidget):
    """A small CT and an X-ray of it, chosen and placed in the panel, the CT near its true pose; (panel, ct, xray)."""
    panel = panelWidget.panel
    ct = addVolume(bones, "CT", (2.0, 1.8, 2.5))
    settings = CArmSettings(1000.0, 700.0, (1.6, 1.6))
    carm = carmOfSettings(settings, (112, 112))
    volume = Volume(attenuation_from_hu(bones.astype(np.float32)), np.diag([2.0, 1.8, 2.5, 1.0]))
    truth = np.eye(4)
    truth[:3, 3] = -volume.centre_mm
    drr = make_projector(volume).render((carm.camera_from_world @ truth)[np.newaxis], carm)[0]
    xray = addVolume((4000 * np.exp(-drr)).astype(np.uint16)[np.newaxis], "X-ray")
    driver.choose(panel.ui.ctSelector, ct)
    driver.choose(panel.ui.fluoroscopySelector, xray)
    applySettings(panel.scene, xray, settings)
    start = truth.copy()
    start[:3, 3] += (4, -3, 5)
    panel.scene.setPose(ct, start)
    driver.pump()
    return panel, ct, xray


@pytest.fixture
def drawnPatient(facade, patient):
    """The same with the check views up; skipped where nothing can be drawn."""
    if facade.views is None:
        pytest.skip("nothing can be drawn on this machine")
    patient[0].check.showViews()
    return patient


@pytest.fixture
def registered(driver, patient):
    """A panel after a registration that was trusted."""
    panel, ct, xray = patient
    for name, value in (("spreadRotationDeg", 5.0), ("spreadShiftMm", 6.0), ("spreadDepthMm", 8.0)):
        setattr(panel.parameters, name, value)
    driver.click(panel.ui.registerButton)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    driver.pump(0.1)
    assert "Trusted" in panel.ui.verdictLabel.text, panel.ui.progressLabel.text
    panel.headings.fold(0)
    return panel, ct, xray
