"""The Slicer module as Slicer finds it. The work is done in ProSTRegistrationLib and, behind it, prostreg.

Read whenever Slicer starts: panel and readers are imported when somebody opens the module.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if sys.version_info < (3, 10):
    # Before anything that an older Python cannot read, so that the error log has a sentence.
    raise ImportError("ProST Registration needs 3D Slicer 5.10 or newer: this one has an older Python. Please update.")

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from ProSTRegistrationLib.SampleEntries import registerSampleData
from ProSTRegistrationLib.Views.CheckLayout import registerCheckLayout

if TYPE_CHECKING:
    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.ParameterNode import ProSTRegistrationParameterNode

LIBRARY = ("ProSTRegistrationLib", "prostreg")


class ProSTRegistration(ScriptedLoadableModule):
    """The module's entry in Slicer: what is shown about it, without loading anything heavy."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self.parent.title = _("ProST Registration (2D/3D)")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        # Their nodes or readers are used; where one is disabled, Slicer says so instead of a step that fails.
        self.parent.dependencies = ["Markups", "SampleData", "Segmentations", "Sequences", "VolumeRendering"]
        self.parent.contributors = ["ProSTRegistration maintainers (ProSTRegistration project)"]
        self.parent.helpText = _("""
Finds where a CT lies with respect to a C-arm from one or more fluoroscopy images of the same patient, writes the
pose as a linear transform above the CT, and lays the digitally reconstructed radiograph (DRR) over the fluoroscopy
so that a person can judge it. Work through the five steps from top to bottom; each says what it still needs.
Not a medical device: for research only.
See the <a href="https://github.com/ProSTRegistration/SlicerProSTRegistration">documentation</a>.
""")
        self.parent.acknowledgementText = _("""
The method is described in two papers; please cite them.<br>
C. Gao, X. Liu, W. Gu, B. Killeen, M. Armand, R. Taylor, M. Unberath:
Generalizing Spatial Transformers to Projective Geometry with Applications to 2D/3D Registration.
MICCAI 2020, LNCS 12263, 329-339, doi 10.1007/978-3-030-59716-0_32.<br>
C. Gao, A. Feng, X. Liu, R. H. Taylor, M. Armand, M. Unberath:
A Fully Differentiable Framework for 2D/3D Registration and the Projective Spatial Transformers.
IEEE Transactions on Medical Imaging 43(1), 275-285, 2024, doi 10.1109/TMI.2023.3299588.
""")
        slicer.app.connect("startupCompleted()", introduce)


def introduce() -> None:
    """Makes samples and layout known once the application is up: scenes may have been saved with that layout."""
    registerSampleData(loadSample)
    if slicer.app.layoutManager() is not None:
        registerCheckLayout(slicer.app.layoutManager().layoutLogic().GetLayoutNode())


def loadSample(kind: str) -> None:
    """Loads a sample ("spine" or "phantom") in the background, in the module's panel."""
    slicer.util.selectModule("ProSTRegistration")
    slicer.util.getModuleWidget("ProSTRegistration").panel.images.samples.start(kind)


def forgetLibrary() -> None:
    """Has the next import read the library's files anew, and those of the engine that Slicer has loaded."""
    for name in [name for name in sys.modules if name.partition(".")[0] in LIBRARY]:
        del sys.modules[name]


class ProSTRegistrationWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Loads the panel and follows the scene's life."""

    def __init__(self, parent: Any | None = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.panel: Panel | None = None

    def setup(self) -> None:
        from ProSTRegistrationLib.Panel.Panel import Panel

        super().setup()
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/ProSTRegistration.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = ProSTRegistrationLogic()
        self.panel = Panel(self.ui, self.logic.registration)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(scene, scene.EndBatchProcessEvent, self.onSceneEndBatchProcess)
        self.showParameterNode()
        if getattr(self.parent, "isEntered", False):
            # After a reload Slicer does not say so again.
            self.panel.enter()

    def cleanup(self) -> None:
        self.removeObservers()
        # None where setup failed, or after a reload that failed.
        panel, self.panel = self.panel, None
        if panel is not None:
            panel.stop()

    def enter(self) -> None:
        if self.panel is not None:
            self.showParameterNode()
            self.panel.enter()

    def exit(self) -> None:
        if self.panel is not None:
            self.panel.leave()

    def onReload(self) -> None:
        """Loads the whole library anew for the developer's button, which by itself reads this file only."""
        self.cleanup()
        forgetLibrary()
        super().onReload()

    def onSceneStartClose(self, caller: object, event: object) -> None:
        if self.panel is not None:
            self.panel.closeScene()

    def onSceneStartImport(self, caller: object, event: object) -> None:
        if self.panel is not None:
            # Node selectors lose their choice at the end of an import, and would write that into the parameter node.
            self.panel.setParameters(None)

    def onSceneEndBatchProcess(self, caller: object, event: object) -> None:
        """Comes after a close and after an import, when selectors and views have what they need."""
        if self.panel is not None:
            if self.panel.parameters is None:
                self.showParameterNode()
            self.panel.catchUp()

    def showParameterNode(self) -> None:
        """Shows the scene's parameter node, which is made if the scene has none; in a batch, when it has ended."""
        if self.panel is None or not self.panel.isSceneAtRest:
            return
        shown, parameters = self.panel.parameters, self.logic.getParameterNode()
        if shown is None or shown.parameterNode is not parameters.parameterNode:
            # Slicer 5.10 goes on observing the node for a wrapper that was shown before.
            self.panel.setParameters(parameters)


class ProSTRegistrationLogic(ScriptedLoadableModuleLogic):
    """The use cases without a panel: ``registration`` is a ProSTRegistrationLib.Logic."""

    def __init__(self) -> None:
        from ProSTRegistrationLib.Logic import Logic

        super().__init__()
        self.registration = Logic(slicer.mrmlScene)

    def getParameterNode(self) -> ProSTRegistrationParameterNode:
        from ProSTRegistrationLib.ParameterNode import ProSTRegistrationParameterNode

        return ProSTRegistrationParameterNode(super().getParameterNode())


class ProSTRegistrationTest(ScriptedLoadableModuleTest):
    """Reload and Test: the module comes up with an empty scene. What it does is tested in Testing/."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        self.setUp()
        widget = slicer.util.getModuleWidget("ProSTRegistration")
        self.assertFalse(widget.ui.registerButton.enabled)
        self.assertNotEqual(widget.ui.imagesStatusLabel.text, "")
